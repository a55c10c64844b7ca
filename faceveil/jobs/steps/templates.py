"""Templates by which verification recognises the people of a job in its output: one a sequence.

They are biometric data, so they lie with the detections and are deleted with them.
"""

from __future__ import annotations

import hashlib
import logging
from io import BytesIO

import numpy as np

from faceveil.analysis import Analysis
from faceveil.aws.s3_errors import LostObjectError
from faceveil.identity.templates import Templates, sequence_templates
from faceveil.jobs.job_run import JobRun

log = logging.getLogger(__name__)


def keep_templates(run: JobRun, analysis: Analysis) -> None:
    """Keep the templates of an analysis that still has its features."""
    templates = sequence_templates(analysis.sequences)
    content = BytesIO()
    np.savez(content, sums=templates.sums, weights=templates.weights)
    run.features.write(_name(analysis), content.getvalue())


def find_templates(run: JobRun, analysis: Analysis) -> Templates | None:
    """The templates of the sequences of an analysis.

    None where they have expired or been deleted, where the sequences were edited since, or the
    networks that verify the output have other features: then people cannot be recognised.
    """
    recognizer = run.analyzer().models.recognizer
    if analysis.models is None or analysis.models.recognizer != recognizer:
        log.warning(
            "people are not recognised in the output: %s made no features of them", recognizer
        )
        return None
    try:
        content = run.features.read(_name(analysis))
    except LostObjectError:
        log.warning("people are not recognised in the output: their features are deleted")
        return None
    with np.load(BytesIO(content), allow_pickle=False) as file:
        return Templates(file["sums"], file["weights"])


def _name(analysis: Analysis) -> str:
    """Another name for other sequences: rows must not be taken for those of others."""
    digest = hashlib.sha256()
    for sequence in analysis.sequences:
        digest.update(b"%d %d\n" % (sequence.shot, len(sequence)))
        digest.update(np.ascontiguousarray(sequence.frames, np.int64).tobytes())
    return f"people-{digest.hexdigest()[:16]}.npz"
