"""The names of the SageMaker jobs of a job: of transform jobs and of Processing jobs alike.

SageMaker takes a name once in an account and region, for ever. The name made of the job's id is
therefore what keeps an event that comes twice from starting two jobs, and each further attempt,
after one that has ended, has a name of its own. Deployments that share an account have names of
their own, too: `news--talk` of the deployment `news`, `faceveil-talk` without a deployment.

A job keeps the beginning of its names in `submit/names.json`, so that whatever looks for its
SageMaker jobs finds them without knowing the deployment.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

import orjson

from faceveil.aws.s3 import S3Location
from faceveil.aws.s3_errors import LostObjectError
from faceveil.jobs.job import job_prefix
from faceveil.jobs.job_folder import NAMES

MOST_CHARACTERS = 63
MOST_ATTEMPTS = 20
"""Attempts that are looked for; a job that waits for machines gives up long before."""
_TOLD_APART = 8

Pass = Literal["detect", "refine", "render"]
"""The first SageMaker job of a job, the second transform job of a sampled job, and the second
Processing job of several hosts."""


@dataclass(frozen=True, slots=True)
class SageMakerName:
    """Which SageMaker job of a job a name belongs to. attempt: from 1 on."""

    which: Pass
    attempt: int


@dataclass(frozen=True, slots=True)
class SageMakerNames:
    """The names of the SageMaker jobs of one job. first: what all begin with, as far as it fits."""

    first: str

    @classmethod
    def of(cls, job_id: str, deployment: str | None = None) -> SageMakerNames:
        """The names of a job. deployment: the name of the deployment, None without one.

        No deployment's name holds two hyphens, so that `--` ends it wherever ids have some, too.
        """
        return cls(f"{name_prefix(deployment)}{job_id}")

    def name(self, which: Pass, attempt: int = 1) -> str:
        """The name of an attempt: `news--talk`, `news--talk-refine`, `news--talk-refine-try2`."""
        suffix = "" if which == "detect" else f"-{which}"
        if attempt > 1:
            suffix += f"-try{attempt}"
        # The end stays whole however long the id is: the roles in terraform/ know names by it.
        if len(self.first) + len(suffix) <= MOST_CHARACTERS:
            return self.first + suffix
        digest = hashlib.sha256(self.first.encode()).hexdigest()[:_TOLD_APART]
        # Hyphens may not follow each other at a cut.
        kept = self.first[: MOST_CHARACTERS - len(suffix) - _TOLD_APART - 1].rstrip("-")
        return f"{kept}-{digest}{suffix}"

    def parse(self, name: str) -> SageMakerName | None:
        """What a SageMaker job is to the job; None where it is not one of its own."""
        for attempt in range(1, MOST_ATTEMPTS + 1):
            for which in get_args(Pass):
                if name == self.name(which, attempt):
                    return SageMakerName(which, attempt)
        return None


def name_prefix(deployment: str | None) -> str:
    """What the names of all SageMaker jobs of a deployment begin with."""
    return f"{deployment}--" if deployment else "faceveil-"


def note_names(bucket: S3Location, job_id: str, deployment: str | None) -> SageMakerNames:
    """The names of a job, noted where they were not yet: before anything is created by them."""
    names = SageMakerNames.of(job_id, deployment)
    content = orjson.dumps({"version": 1, "first": names.first})
    bucket.folder(job_prefix(job_id)).put_if_absent(NAMES, content)
    return noted_names(bucket, job_id) or names


def noted_names(bucket: S3Location, job_id: str) -> SageMakerNames | None:
    """The names that a job has noted; None before anything was created in SageMaker."""
    try:
        note = orjson.loads(bucket.folder(job_prefix(job_id)).read(NAMES))
    except LostObjectError:
        return None
    return SageMakerNames(note["first"])
