"""job.json: what a job in the cloud does. Read here and nowhere else.

Its JSON Schema is job.schema.json. Everything a job writes lies under `jobs/<id>/` of the bucket
that job.json lies in; frames, a source video and detections made before may lie elsewhere in it,
and frames in another bucket.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from fractions import Fraction
from typing import Any, Literal

from faceveil.decisions import Mode, Point
from faceveil.detect.also import AlsoOptions
from faceveil.errors import InputError, UsageError
from faceveil.faces import Kind
from faceveil.frame_range import FrameRange
from faceveil.jobs.job_schema import FieldError, checked_document
from faceveil.media.frames import EncodeOptions
from faceveil.sampling.adaptive import SamplingOptions
from faceveil.sequence.options import SequenceOptions
from faceveil.sequence.regions import FixedRegion
from faceveil.veils.styles import VeilStyle

VERSION = 1
JOBS = "jobs/"
DETECTIONS = "detections/"
RESERVED = ("references/", "chunks/")
"""Folders of a job that are never its output."""
COARSE_STEP = 6
"""Twice as many frames as every 12th where nothing moves; where much does, fewer in all."""
_OWN_KEY = re.compile(r"(?:^|/)jobs/([^/]+)/job\.json$")

_ADAPTIVE = ("adaptive", "coarse_then_refine")
"""The second is the older word."""

OnFailure = Literal["refuse", "veil_unknown"]
OnViolation = Literal["fail", "report", "off"]


@dataclass(frozen=True, slots=True)
class Networks:
    """Which networks made the detections."""

    detector: str = "union"
    recognizer: str = "arcface-mobilefacenet"
    accept_licence: bool = False
    also: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return them as `AnalyzerOptions` for the parameters of an analysis."""
        also = [asdict(AlsoOptions.parse(text)) for text in self.also]
        values = {name: value for name, value in asdict(self).items() if name != "also"}
        return {**values, "also": also} if also else values


@dataclass(frozen=True, slots=True)
class SelectionSpec:
    """Who is veiled, before photos are analysed: `identity.select.Selection` with prefixes.

    references: (name of the person, prefix of the photos). times: empty means always. accept and
    uncertain: None is what the recogniser of the detections needs.
    """

    mode: Mode = "all"
    references: tuple[tuple[str, str], ...] = ()
    points: tuple[Point, ...] = ()
    identities: tuple[int, ...] = ()
    times: tuple[FrameRange, ...] = ()
    accept: float | None = None
    uncertain: float | None = None


@dataclass(frozen=True, slots=True)
class VideoSpec:
    """The video that is put together from the veiled frames."""

    key: str
    encode: EncodeOptions


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """What SageMaker's jobs run on; None leaves it to the deployment."""

    instance_type: str | None = None
    instance_count: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job, with every default filled in. Prefixes end in a slash; all keys are of one bucket.

    frames_bucket: where the frames lie, None where it is that bucket, too. coarse_step: detect in
    every coarse_step-th frame first, then only where neighbours disagree; None: in every frame.
    processing: what Processing jobs run on, None where a transform job detects. corrections: the
    key of what people changed, as corrections.json.
    """

    id: str
    frames_prefix: str
    detections_prefix: str
    output_prefix: str
    frames_bucket: str | None = None
    rate: Fraction | None = None
    frames_digest: str | None = None
    source_video: str | None = None
    transform: InstanceSpec = field(default_factory=InstanceSpec)
    processing: InstanceSpec | None = None
    coarse_step: int | None = None
    networks: Networks = field(default_factory=Networks)
    selection: SelectionSpec = field(default_factory=SelectionSpec)
    sequences: SequenceOptions = field(default_factory=SequenceOptions)
    style: VeilStyle = field(default_factory=VeilStyle)
    video: VideoSpec | None = None
    on_failure: OnFailure = "refuse"
    verification: OnViolation = "fail"
    delete_features: bool = False
    regions: tuple[FixedRegion, ...] = ()
    corrections: str | None = None

    @property
    def prefix(self) -> str:
        """`jobs/<id>/`: everything the job writes lies under it."""
        return job_prefix(self.id)

    @property
    def has_detections(self) -> bool:
        """Whether it uses those of another job, so that nothing is to be detected."""
        return self.detections_prefix != own_detections(self.id)


def own_detections(job_id: str) -> str:
    """`detections/<id>/`: beside the jobs, since S3 expires what lies under one prefix."""
    return f"{DETECTIONS}{job_id}/"


def job_prefix(job_id: str) -> str:
    """`jobs/<id>/`."""
    return f"{JOBS}{job_id}/"


def read_job(data: bytes, where: str) -> Job:
    """The job that the bytes of a job.json describe; `where` it lies, for messages.

    Raises InputError that names the field: a field that is missing, unknown, of the wrong type or
    out of range, options that contradict each other, an id other than the folder's name, and
    prefixes that would let the job write over its input.
    """
    try:
        job = _job(checked_document(data))
        _check_places(job, where)
    except FieldError as error:
        raise InputError(f"{where}: {error}") from error
    return job


def _job(document: dict[str, Any]) -> Job:
    frames, output = document["frames"], document.get("output", {})
    own, detections = job_prefix(document["id"]), own_detections(document["id"])
    rate = None if "rate" not in frames else _rate(frames["rate"])
    return Job(
        id=document["id"],
        frames_prefix=frames["prefix"],
        detections_prefix=document.get("detections", {}).get("prefix", detections),
        output_prefix=output.get("prefix", f"{own}veiled/"),
        frames_bucket=frames.get("bucket"),
        rate=rate,
        frames_digest=frames.get("digest"),
        source_video=document.get("source_video"),
        transform=InstanceSpec(**document.get("transform", {})),
        processing=_processing(document),
        coarse_step=_coarse_step(document.get("sampling", {"mode": "every"}), rate),
        networks=_networks(document.get("networks", {})),
        selection=_selection(document.get("selection", {"mode": "all"}), rate),
        sequences=_sequences(document.get("sequences", {})),
        style=_style(document.get("veil", {})),
        video=_video(output.get("video"), rate),
        on_failure=document.get("on_failure", "refuse"),
        verification=document.get("verification", "fail"),
        delete_features=document.get("retention", {}).get("delete_features", False),
        regions=tuple(
            _region(item, f"regions[{index}]", rate)
            for index, item in enumerate(document.get("regions", ()))
        ),
        corrections=document.get("corrections"),
    )


def _networks(data: dict[str, Any]) -> Networks:
    also = tuple(data.get("also", ()))
    for text in also:
        try:
            AlsoOptions.parse(text)
        except UsageError as error:
            raise FieldError("networks.also", str(error)) from error
    return Networks(**{**data, "also": also})


def _processing(document: dict[str, Any]) -> InstanceSpec | None:
    spec = document.get("processing")
    if spec is None:
        return None
    if "transform" in document:
        raise FieldError("processing", "and transform exclude each other")
    sampled = document.get("sampling", {"mode": "every"})["mode"] in _ADAPTIVE
    if sampled and "detections" not in document:
        raise FieldError(
            "sampling.mode", "Processing jobs detect in every frame: leave it out, or processing"
        )
    return InstanceSpec(**spec)


def _rate(value: float | str) -> Fraction:
    rate = Fraction(value) if isinstance(value, str) else Fraction(value).limit_denominator(10_000)
    if not Fraction(1, 100) <= rate <= 1000:
        raise FieldError("frames.rate", f"{value} frames a second is not between 0.01 and 1000")
    return rate


def _coarse_step(data: dict[str, Any], rate: Fraction | None) -> int | None:
    step: int | None = data.get("step")
    if data["mode"] in _ADAPTIVE:
        return step or min(COARSE_STEP, SamplingOptions().bounds(rate)[1])
    if step is not None:
        raise FieldError("sampling.step", "mode 'every' detects in every frame")
    return None


def _selection(data: dict[str, Any], rate: Fraction | None) -> SelectionSpec:
    mode = data["mode"]
    selecting = [name for name in ("references", "points", "identities") if data.get(name)]
    if mode in ("only", "keep") and not selecting:
        raise FieldError(
            "selection", f"mode {mode!r} needs references, points or identities: who is meant?"
        )
    if mode in ("all", "none") and selecting:
        raise FieldError(
            f"selection.{selecting[0]}",
            f"mode {mode!r} takes no selection: remove it, or choose only or keep",
        )
    if mode == "all" and "times" in data:
        raise FieldError("selection.times", "mode 'all' veils everyone at all times")
    accept, uncertain = data.get("accept"), data.get("uncertain")
    if accept is not None and uncertain is not None and uncertain > accept:
        raise FieldError("selection.uncertain", f"{uncertain} is above accept, {accept}")
    return SelectionSpec(
        mode=mode,
        references=tuple(sorted(data.get("references", {}).items())),
        points=tuple(Point(p["frame"], p["x"], p["y"]) for p in data.get("points", ())),
        identities=tuple(data.get("identities", ())),
        times=tuple(
            _range(item, f"selection.times[{index}]", rate)
            for index, item in enumerate(data.get("times", ()))
        ),
        accept=accept,
        uncertain=uncertain,
    )


def _range(item: dict[str, list[float]], where: str, rate: Fraction | None) -> FrameRange:
    try:
        if "frames" in item:
            return FrameRange(int(item["frames"][0]), int(item["frames"][1]))
        if rate is None:
            raise FieldError("frames.rate", f"is missing, and {where} is in seconds")
        return FrameRange.of_seconds(item["seconds"][0], item["seconds"][1], rate)
    except UsageError as error:
        raise FieldError(where, str(error)) from error


def _region(item: dict[str, Any], where: str, rate: Fraction | None) -> FixedRegion:
    times: dict[str, list[float]] = {
        name: values for name, values in item.items() if name in ("frames", "seconds")
    }
    span = _range(times, where, rate)
    x1, y1, x2, y2 = map(float, item["box"])
    try:
        return FixedRegion(
            Fraction(span.first),
            Fraction(span.end),
            False,
            (x1, y1, x2, y2),
            Kind.of(item.get("kind", "other")),
        )
    except UsageError as error:
        raise FieldError(where, str(error)) from error


def _sequences(data: dict[str, Any]) -> SequenceOptions:
    known = {item.name: item for item in fields(SequenceOptions)}
    for name, value in data.items():
        if name not in known:
            raise FieldError(f"sequences.{name}", f"is none of {', '.join(known)}")
        if type(value).__name__ != known[name].type:
            raise FieldError(f"sequences.{name}", f"must be {known[name].type}, not {value!r}")
    try:
        return SequenceOptions(**data)
    except UsageError as error:
        raise FieldError("sequences", str(error)) from error


def _style(data: dict[str, Any]) -> VeilStyle:
    options = {("name" if name == "style" else name): value for name, value in data.items()}
    if "colour" in options:
        options["colour"] = tuple(options["colour"])
    return VeilStyle(**options)


def _video(data: dict[str, Any] | None, rate: Fraction | None) -> VideoSpec | None:
    if data is None:
        return None
    options: dict[str, Any] = {name: data[name] for name in ("crf", "preset") if name in data}
    if rate is not None:
        options["rate"] = rate
    return VideoSpec(data["key"], EncodeOptions(**options))


def _check_places(job: Job, where: str) -> None:
    """No job may write outside its own folder, nor over what it or others read."""
    folder = _OWN_KEY.search(where)
    if folder and folder[1] != job.id:
        raise FieldError("id", f"{job.id!r} is not the name of its folder, {folder[1]!r}")
    references = [
        (f"selection.references.{name}", place) for name, place in job.selection.references
    ]
    written = [("output.prefix", job.output_prefix)]
    if job.video is not None:
        _check_video(job, job.video)
        written.append(("output.video.key", job.video.key))
    for name, place in (*written, *references):
        if not place.startswith(job.prefix) or place == job.prefix:
            raise FieldError(name, f"{place!r} must lie under {job.prefix}")
    read = [("frames.prefix", job.frames_prefix), ("detections.prefix", job.detections_prefix)]
    for name, place in written:
        for other, source in (*read, *references):
            if place.startswith(source) or source.startswith(place):
                raise FieldError(name, f"{place!r} and {other} {source!r} must not overlap")
    if job.output_prefix.startswith(tuple(job.prefix + name for name in RESERVED)):
        raise FieldError("output.prefix", f"{', '.join(RESERVED)} are for other things")
    if job.frames_prefix.startswith(job.detections_prefix):
        raise FieldError("frames.prefix", f"lies in detections.prefix {job.detections_prefix!r}")
    if job.source_video is not None and job.source_video.startswith(job.output_prefix):
        raise FieldError("source_video", f"{job.source_video!r} lies in output.prefix")
    if job.corrections is not None and job.corrections.startswith(job.output_prefix):
        raise FieldError("corrections", f"{job.corrections!r} lies in output.prefix")


def _check_video(job: Job, video: VideoSpec) -> None:
    if video.key.startswith(job.output_prefix):
        raise FieldError("output.video.key", "must not lie among the frames, output.prefix")
    if job.source_video is None and job.rate is None:
        raise FieldError("frames.rate", "is missing: a video needs it, or source_video")
    if job.source_video == video.key:
        raise FieldError("source_video", f"{video.key!r} would be overwritten by the output")
