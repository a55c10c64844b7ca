"""The names of the transform jobs of a job.

SageMaker takes a name once in an account and region, for ever. The name made of the job's id is
therefore what keeps an event that comes twice from starting two jobs, and each further attempt,
after one that has ended, has a name of its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

MOST_CHARACTERS = 63
MOST_ATTEMPTS = 20
"""Attempts that are looked for; a job that waits for machines gives up long before."""
_TOLD_APART = 8

Pass = Literal["detect", "refine"]
"""The first transform job of a job, and the second one of a sampled job."""


@dataclass(frozen=True, slots=True)
class TransformName:
    """Which transform job of a job a name belongs to. attempt: from 1 on."""

    which: Pass
    attempt: int


def transform_name(job_id: str, attempt: int = 1) -> str:
    """The name of the transform job of a job: `faceveil-<id>`, later `faceveil-<id>-try2`."""
    return _attempt_name(f"faceveil-{job_id}", "", attempt)


def refine_name(job_id: str, attempt: int = 1) -> str:
    """The name of the second transform job of a sampled job: `faceveil-<id>-refine`."""
    return _attempt_name(f"faceveil-{job_id}", "-refine", attempt)


def parse_name(job_id: str, name: str) -> TransformName | None:
    """What a transform job is to the job with this id; None where it is not one of its own."""
    for attempt in range(1, MOST_ATTEMPTS + 1):
        if name == transform_name(job_id, attempt):
            return TransformName("detect", attempt)
        if name == refine_name(job_id, attempt):
            return TransformName("refine", attempt)
    return None


def _attempt_name(first: str, which: str, attempt: int) -> str:
    if attempt == 1:
        return first + which
    # The end stays whole however long the id is: the roles in terraform/ know names by it.
    suffix = f"{which}-try{attempt}"
    if len(first) + len(suffix) <= MOST_CHARACTERS:
        return first + suffix
    digest = hashlib.sha256(first.encode()).hexdigest()[:_TOLD_APART]
    # Hyphens may not follow each other at a cut.
    kept = first[: MOST_CHARACTERS - len(suffix) - _TOLD_APART - 1].rstrip("-")
    return f"{kept}-{digest}{suffix}"
