"""Sequences that are probably no face: seen hardly ever, and never clearly.

Policy 2 leaves no choice about what the detector accepted: it stays veiled. But nobody guesses
where such a thing was before, after, or goes.
"""

from __future__ import annotations

import numpy as np

from faceveil.faces import FaceSequence, Provenance

CONFIDENT_SCORE = 0.7
"""Of boxes on no face hardly one reaches it, of boxes on faces nine in ten do."""
SEEN_OFTEN = 3
"""Accepted boxes from which a sequence is believed, however low their scores."""


def is_doubtful(sequence: FaceSequence) -> bool:
    """Whether a sequence was accepted in fewer than 3 frames and in none with confidence.

    The geometry of landmarks tells nothing more: detectors put two eyes, a nose and a mouth on
    hands and cloth as well as on faces. Nor do features: a clear one needs a confident score.
    """
    accepted = sequence.provenance == Provenance.DETECTED
    if int(accepted.sum()) >= SEEN_OFTEN:
        return False
    return bool(sequence.scores[accepted].max(initial=0) < np.float32(CONFIDENT_SCORE))
