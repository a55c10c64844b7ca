"""Sequences that are probably not a face: detected in few frames, and never with confidence.

What the detector accepted stays veiled ("coverage"); a person who looks through the report may lift
such a veil. How far they are followed is a matter of `support`.
"""

from __future__ import annotations

import numpy as np

from faceveil.faces import FaceSequence, Provenance

CONFIDENT_SCORE = 0.7
"""Hardly any box on something else reaches this score; nine in ten boxes on faces do."""
SEEN_OFTEN = 3
"""Accepted boxes from which a sequence counts as a face, however low their scores."""


def is_doubtful(sequence: FaceSequence) -> bool:
    """Return whether a face was accepted in fewer than 3 frames and in none with confidence.

    The geometry of landmarks would not help: detectors put two eyes, a nose and a mouth on hands
    and cloth as well. Neither would features: a clear one needs a confident score.
    """
    accepted = sequence.provenance == Provenance.DETECTED
    if int(accepted.sum()) >= SEEN_OFTEN:
        return False
    return bool(sequence.scores[accepted].max(initial=0) < np.float32(CONFIDENT_SCORE))
