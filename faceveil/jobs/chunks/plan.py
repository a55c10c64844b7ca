"""How the frames of a job are shared out: contiguous ranges, each rendered on its own."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from faceveil.errors import InputError
from faceveil.frame_range import FrameRange
from faceveil.jobs.job import Job
from faceveil.jobs.job_folder import CHUNKS
from faceveil.media.s3_keys import FramePart

MOST_CHUNKS = 10_000
"""Children an array job of AWS Batch can have; it has at least two."""
CHUNK_FRAMES = 6000
"""Frames of a chunk where nothing else decides: at 14 s for 1,000 frames (benchmarks/reports/
postprocessing.md) longer than the minute that a machine takes to start, and short enough that
little is lost when one is taken away."""
_RESULTS_VERSION = 1
"""Raise when code changes what is rendered from the same analysis and job."""


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """frame_count frames in chunks of `size`, the first one called `first_name`.

    `digest` (hex) stands for all that decides what the frames will look like, so that results of
    another selection or style are never taken for these.
    """

    digest: str
    first_name: str
    frame_count: int
    size: int

    @property
    def count(self) -> int:
        """How many chunks there are."""
        return -(-self.frame_count // self.size)

    def frames(self, index: int) -> FrameRange:
        """The frames of a chunk. Raises InputError when there is no such chunk."""
        if not 0 <= index < self.count:
            raise InputError(f"there is no chunk {index}: the job has {self.count}")
        first = index * self.size
        return FrameRange(first, min(first + self.size, self.frame_count))

    def part(self, index: int) -> FramePart:
        """The frames of a chunk, to list them without the others."""
        return FramePart(self.first_name, self.frames(index))

    @property
    def folder(self) -> str:
        """Where the results of the chunks lie, under `jobs/<id>/`."""
        return f"{CHUNKS}{self.digest}/"

    @property
    def name(self) -> str:
        """Of the object that says how the frames are shared out."""
        return plan_name(self.digest)

    def result(self, index: int) -> str:
        """Name of the result of a chunk."""
        frames = self.frames(index)
        return f"{self.folder}{frames.first:08d}-{frames.end:08d}.json"

    def error(self, index: int) -> str:
        """Name of the note that a chunk leaves when it fails."""
        return f"{self.folder}errors/{index}.json"

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, data: bytes) -> ChunkPlan:
        return cls(**orjson.loads(data))


def plan_name(digest: str) -> str:
    """See `ChunkPlan.name`."""
    return f"{CHUNKS}{digest}/plan.json"


def basis_of(analysis_json: bytes, corrections_json: bytes | None = None) -> str:
    """Hex digits that stand for what is rendered: an analysis, and the corrections of it."""
    digest = hashlib.sha256(analysis_json)
    if corrections_json is not None:
        digest.update(corrections_json)
    return digest.hexdigest()


def plan_chunks(
    job: Job, basis: str, first_name: str, frame_count: int, size: int | None = None
) -> ChunkPlan:
    """Share out the frames of an analysis: at least two chunks where there are two frames, at most
    10,000. basis: see `basis_of`. size: frames of a chunk, None to choose.
    """
    size = size or min(CHUNK_FRAMES, -(-frame_count // 2))
    return ChunkPlan(
        digest=results_digest(job, basis),
        first_name=first_name,
        frame_count=frame_count,
        size=max(size, -(-frame_count // MOST_CHUNKS)),
    )


def results_digest(job: Job, basis: str) -> str:
    """Hex digits that change with whatever changes the results. basis: see `basis_of`."""
    inputs: dict[str, Any] = {
        "version": _RESULTS_VERSION,
        "analysis": basis,
        "frames": [job.frames_bucket, job.frames_prefix],
        "style": asdict(job.style),
        "output": job.output_prefix,
        "on_failure": job.on_failure,
        "verification": job.verification != "off",
    }
    content = orjson.dumps(inputs, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()[:16]
