"""One chunk: its veiled frames, verified where they lie, and a note of what was done."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from faceveil.analysis import Analysis
from faceveil.assure.traces import Trace, TraceLog, Tracer
from faceveil.assure.verify import EVERY, verify
from faceveil.aws.s3 import S3Location
from faceveil.errors import InputError, VerificationError
from faceveil.jobs.job import Job
from faceveil.jobs.job_folder import frames_of
from faceveil.jobs.job_run import JobRun
from faceveil.jobs.steps.analyse import Analysed
from faceveil.jobs.steps.templates import find_templates
from faceveil.media.frames import Frame
from faceveil.media.s3_frames import S3Frame, S3Frames
from faceveil.media.s3_keys import FramePart, parse_frame_name
from faceveil.media.s3_sink import S3FrameSink
from faceveil.veiling import render_frames
from faceveil.veils.styles import VeilStyle

_NAMED = 5


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """What the note of a chunk says; the same chunk makes the same note, byte for byte.

    objects: name of each frame that was written, and the SHA-256 (hex) of its content. problems:
    frames that were not, and why. verification: as report.json has it, None where the
    output was not verified. losses: what of the frames the objects do not keep.
    """

    objects: dict[str, str]
    problems: list[dict[str, str]]
    checked: int
    verification: dict[str, Any] | None
    losses: list[dict[str, str]] = field(default_factory=list)

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS)

    @classmethod
    def from_json(cls, data: bytes) -> ChunkResult:
        return cls(**orjson.loads(data))


def render_chunk(run: JobRun, analysed: Analysed, index: int) -> bool:
    """Veil the frames of a chunk, unless that is done. Returns whether there was anything to do.

    Frames without veils whose file holds nothing beside the picture, as the detections say, are
    copied by S3 and not downloaded. Raises CoverageError when a detected face would stay visible,
    VerificationError when the output cannot be verified, InputError and OutputError when frames
    cannot be read or written (InputError also for a single one that is gone or broken, where the
    job refuses that); the next attempt then writes the chunk again.
    """
    plan, folder = analysed.plan, run.folder
    if folder.find(plan.result(index)) is not None:
        return False
    result = _rendered(run, analysed, plan.part(index))
    refuse_problems(run.job, result)
    folder.write(plan.result(index), result.to_json())
    folder.delete([plan.error(index)])
    return True


def refuse_problems(job: Job, result: ChunkResult) -> None:
    """Raise InputError for frames that could not be rendered, where the job refuses that."""
    if result.problems and job.on_failure == "refuse":
        named = "; ".join(problem["message"] for problem in result.problems[:_NAMED])
        raise InputError(f"{len(result.problems)} frames could not be rendered: {named}")


def _rendered(run: JobRun, analysed: Analysed, part: FramePart) -> ChunkResult:
    analysis = analysed.analysis
    style, is_verified = run.job.style, run.job.verification != "off"
    size = analysis.source.width, analysis.source.height
    source = S3Frames(frames_of(run.bucket, run.job), part, size)
    target = run.bucket.folder(run.job.output_prefix)
    sink = S3FrameSink(target, source, part=True)
    veiled = _veiled_frames(analysis, style, part)
    sink.expect(veiled, analysed.alone)
    samples = np.arange(-(-part.frames.first // EVERY) * EVERY, part.frames.end, EVERY)
    traces = _SomeTraces(analysis, style, {*veiled.tolist(), *samples.tolist()})
    with sink:
        coverage = render_frames(
            source, analysis, sink, style, traces=traces if is_verified else None
        )
    verification = None
    if is_verified:
        traces.wanted &= {_number(item.name, part) for item in sink.stored}
        output = _SomeFrames(target, part, size, traces.wanted)
        verification = _verified(run, analysis, output, traces)
    return ChunkResult(
        objects={
            item.name: item.sha256 or hashlib.sha256(target.read(item.name, item.etag)).hexdigest()
            for item in sink.stored
        },
        problems=[asdict(problem) for problem in source.problems],
        checked=coverage.checked,
        verification=verification,
        losses=[asdict(loss) for loss in sink.losses],
    )


def _verified(
    run: JobRun, analysis: Analysis, output: S3Frames, traces: TraceLog
) -> dict[str, Any]:
    """Verify the frames as they lie in S3."""
    try:
        found = verify(
            output,
            analysis,
            run.analyzer(),
            run.job.style,
            original=traces,
            templates=find_templates(run, analysis),
            workers=run.workers,
        )
    except InputError as error:
        raise VerificationError(
            f"{output.path}: the output cannot be verified ({error})"
        ) from error
    return found.to_dict()


def _veiled_frames(analysis: Analysis, style: VeilStyle, part: FramePart) -> NDArray[np.int64]:
    """The frames of a part that carry veils, int64, sorted."""
    plan = Tracer.of(analysis, style).plan
    frames = np.unique(np.concatenate([plan.frames, plan.whole_frames]).astype(np.int64))
    first, end = np.searchsorted(frames, [part.frames.first, part.frames.end])
    return frames[first:end]


def _number(name: str, part: FramePart) -> int:
    """The number of the frame called `name`."""
    parsed = parse_frame_name(name)
    return -1 if parsed is None else parsed.number - part.first.number


class _SomeTraces(TraceLog):
    """Traces of the frames `wanted` only: the others need not be read."""

    def __init__(self, analysis: Analysis, style: VeilStyle, wanted: set[int]) -> None:
        super().__init__(analysis, style)
        self.wanted = wanted

    def add(self, frame: Frame) -> None:
        if frame.number in self.wanted:
            super().add(frame)

    def __iter__(self) -> Iterator[Trace]:
        return (trace for trace in super().__iter__() if trace.number in self.wanted)


class _SomeFrames(S3Frames):
    """The frames `wanted`; the others are not downloaded."""

    def __init__(
        self, location: S3Location, part: FramePart, size: tuple[int, int], wanted: set[int]
    ) -> None:
        super().__init__(location, part, size)
        self._wanted = wanted
        self.expect(np.array(sorted(wanted), np.int64))

    def __iter__(self) -> Iterator[S3Frame]:
        return (frame for frame in super().__iter__() if frame.number in self._wanted)
