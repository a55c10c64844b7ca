"""The names of the SageMaker jobs of a job: of transform jobs and of Processing jobs alike.

SageMaker takes a name once in an account and region, for ever. The name made of the job's id is
therefore what keeps an event that comes twice from starting two jobs, and each further attempt,
after one that has ended, has a name of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

MOST_CHARACTERS = 63
MOST_ATTEMPTS = 20
"""Attempts that are looked for; a job that waits for machines gives up long before."""
_TOLD_APART = 8

Pass = Literal["detect", "refine", "render"]
"""The first SageMaker job of a job, the second transform job of a sampled job, and the second
Processing job of several hosts."""


@dataclass(frozen=True, slots=True)
class TransformName:
    """Which SageMaker job of a job a name belongs to. attempt: from 1 on."""

    which: Pass
    attempt: int


def transform_name(job_id: str, attempt: int = 1) -> str:
    """The name of the job that detects: `faceveil-<id>`, later `faceveil-<id>-try2`."""
    return _attempt_name(f"faceveil-{job_id}", "", attempt)


def refine_name(job_id: str, attempt: int = 1) -> str:
    """The name of the second transform job of a sampled job: `faceveil-<id>-refine`."""
    return _attempt_name(f"faceveil-{job_id}", "-refine", attempt)


def render_name(job_id: str, attempt: int = 1) -> str:
    """The name of the Processing job that renders: `faceveil-<id>-render`."""
    return _attempt_name(f"faceveil-{job_id}", "-render", attempt)


_NAMES: dict[Pass, Callable[[str, int], str]] = {
    "detect": transform_name,
    "refine": refine_name,
    "render": render_name,
}


def parse_name(job_id: str, name: str) -> TransformName | None:
    """What a SageMaker job is to the job with this id; None where it is not one of its own."""
    for attempt in range(1, MOST_ATTEMPTS + 1):
        for which, name_of in _NAMES.items():
            if name == name_of(job_id, attempt):
                return TransformName(which, attempt)
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
