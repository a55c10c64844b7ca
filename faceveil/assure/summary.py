"""An analysis in a few lines for people."""

from __future__ import annotations

import numpy as np

from faceveil.analysis import Analysis


def summary(analysis: Analysis) -> str:
    """Return what was found and decided, in a few lines that end with the uncertain sequences.

    Parameters
    ----------
    analysis
        The analysis, with its decisions.

    Returns
    -------
    str
        Lines without a newline at the end.
    """
    veiled = analysis.veiled
    people = np.unique(analysis.identities)
    kept = np.unique(analysis.identities[~veiled])
    seen = f"{analysis.source.frame_count} frames in {len(analysis.shot_starts)} shots"
    if analysis.source.kind == "stills":
        seen = f"{analysis.source.frame_count} pictures"
    lines = [f"{seen}: {len(people)} people, {len(kept)} of them kept, all others veiled"]
    rows = zip(analysis.sequences, analysis.identities, analysis.decisions, strict=True)
    uncertain = [
        f"  frames {sequence.first}-{sequence.last}, identity {identity}: {decision.reason}"
        for sequence, identity, decision in rows
        if decision.uncertain
    ]
    if uncertain:
        lines += [f"{len(uncertain)} sequences uncertain, so veiled; look at them:", *uncertain]
    return "\n".join(lines)
