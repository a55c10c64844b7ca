"""What a host of a Processing job does: detect in its frames, or analyse all and veil a part."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from faceveil import finding
from faceveil.analysis import Analysis, to_json
from faceveil.assure.traces import TraceLog
from faceveil.assure.verify import verify
from faceveil.aws.s3_errors import LostObjectError
from faceveil.detect.analyzer import FaceAnalyzer
from faceveil.detect.answer import answer
from faceveil.errors import InputError, VerificationError
from faceveil.faces import FrameFaces
from faceveil.files import file_digest, replace_file
from faceveil.identity.references import PHOTO_SUFFIXES, References, describe
from faceveil.jobs.chunks.plan import ChunkPlan, plan_chunks
from faceveil.jobs.corrections import JobCorrections
from faceveil.jobs.detections.answers import SUFFIX, DetectionFolders, UnknownFrames
from faceveil.jobs.detections.sampled import read_frames
from faceveil.jobs.job import Job
from faceveil.jobs.job_folder import ANALYSIS
from faceveil.jobs.processing.host import Host, Step, write_result
from faceveil.jobs.settings import analyzer_of
from faceveil.jobs.steps.analyse import basis_with, correct, decide_selection, require_verifier
from faceveil.jobs.steps.packed_analysis import without_features
from faceveil.jobs.steps.render import ChunkResult, refuse_problems
from faceveil.media.folder import FolderSource
from faceveil.media.folder_part import FolderPart
from faceveil.media.folder_sink import FolderSink
from faceveil.media.pictures import read_picture
from faceveil.media.s3_keys import parse_frame_name
from faceveil.parallel import ordered_map
from faceveil.resources import usable_cores
from faceveil.veiling import render_frames

log = logging.getLogger(__name__)

REFERENCES = "references/"


def work_as_host(host: Host, step: Step) -> str:
    """Do this host's share of a Processing job. Returns how it ended, for people.

    Raises FaceveilError where the job cannot be done as its policies demand; then nothing is
    published.
    """
    job = host.job()
    if step != "render":
        count = detect_missing(host, job)
        log.info("host %d of %d has detected in %d frames", host.number + 1, host.count, count)
        if step == "detect":
            return "detected"
    render_part(host, job)
    return "rendered"


def detect_missing(host: Host, job: Job) -> int:
    """Detect in the frames that were mounted and have no answer yet. Returns how many there were.

    Which frames of the video these are makes no difference.
    """
    done = host.detections()

    def detect(path: Path) -> None:
        try:
            found = answer(analyzer_of(job.networks), path.read_bytes())
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        replace_file(host.answers / f"{path.name}{SUFFIX}", found.to_json())

    host.answers.mkdir(parents=True, exist_ok=True)
    paths = [
        path
        for path in sorted(host.frames.iterdir())
        if parse_frame_name(path.name) is not None and not _is_answered(done, path.name)
    ]
    if paths:
        analyzer_of(job.networks)  # opened before several threads ask for it
    for _ in ordered_map(detect, paths, usable_cores()):
        pass
    return len(paths)


def _is_answered(done: DetectionFolders, name: str) -> bool:
    """Whether there is a whole answer: one that was cut off with its host counts as none."""
    try:
        FrameFaces.from_json(done.read(name + SUFFIX))
    except (LostObjectError, InputError):
        return False
    return True


def render_part(host: Host, job: Job) -> None:
    """Analyse the whole video, and veil and verify this host's range of its frames.

    Every host makes the same analysis; the first one leaves it among the results.
    """
    source = FolderSource(host.frames)
    corrections = mounted_corrections(host.inputs, job, source)
    analysis = analyse_folder(job, source, host.detections(), host.inputs)
    content, corrected = to_json(analysis), correct(analysis, corrections)
    basis = basis_with(content, corrections)
    frame_count = len(source.pictures)
    size = -(-frame_count // host.count)
    plan = plan_chunks(job, basis, source.pictures[0].name, frame_count, size)
    if host.number == 0:
        plain = replace(corrected, analysis=without_features(corrected.analysis))
        write_result(host.results, ANALYSIS, content)
        for name, stored in plain.files(basis):
            write_result(host.results, name, stored)
        write_result(host.results, plan.name, plan.to_json())
    if host.number < plan.count:
        result = _rendered(host, job, source, corrected.analysis, plan)
        refuse_problems(job, result)
        write_result(host.results, plan.result(host.number), result.to_json())


def analyse_folder(
    job: Job, source: FolderSource, detections: DetectionFolders, inputs: Path
) -> Analysis:
    """Analyse detections beside their frames, by whose pixels faces are followed, too.

    inputs: the folder that holds the photos, under references/. Raises InputError for detections,
    photos and a selection that cannot be used.
    """
    unknown = UnknownFrames()
    size = source.width, source.height
    faces = read_frames(
        detections,
        lambda number: source.pictures[number].name,
        len(source.pictures),
        job.coarse_step,
        detections.frames,
        size=size,
        unknown=unknown,
    )
    found = finding.follow(faces, job.sequences, size=size, source=source)
    require_verifier(job, found.models, lambda: analyzer_of(job.networks))
    references = read_references(job, inputs, lambda: analyzer_of(job.networks))
    return decide_selection(job, found, source, references, unknown)


def mounted_corrections(inputs: Path, job: Job, source: FolderSource) -> JobCorrections | None:
    """The job's corrections, under inputs/corrections/; None where it has none.

    Raises InputError where they are broken, or of other frames.
    """
    corrections = JobCorrections.mounted(inputs, job)
    if corrections is not None:
        digest = job.frames_digest or source.digest()
        corrections.check_frames(digest, str(source.path), len(source.pictures))
    return corrections


def read_references(
    job: Job, inputs: Path, analyzer: Callable[[], FaceAnalyzer]
) -> References | None:
    """The people of the selection, from photos under inputs/references/; None where there are none.

    Raises InputError for a person without photos, and photos that cannot be used.
    """
    people = {}
    for name, prefix in job.selection.references:
        inside = prefix.removeprefix(job.prefix + REFERENCES)
        folder = inputs / REFERENCES / inside
        photos = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PHOTO_SUFFIXES)
        if not prefix.startswith(job.prefix + REFERENCES) or not photos:
            raise InputError(
                f"selection.references.{name}: no photos in {folder}: mount "
                f"{job.prefix}{REFERENCES} as {inputs / REFERENCES}"
            )
        people[name] = photos
    if not people:
        return None
    look = analyzer()
    return describe(people, lambda photo: look(read_picture(Path(photo))))


def _rendered(
    host: Host, job: Job, source: FolderSource, analysis: Analysis, plan: ChunkPlan
) -> ChunkResult:
    frames, size = plan.frames(host.number), (source.width, source.height)
    numbered = [(number, source.pictures[number]) for number in range(frames.first, frames.end)]
    part = FolderPart(source.path, numbered, size)
    veiled = host.results / job.output_prefix.removeprefix(job.prefix)
    veiled.parent.mkdir(parents=True, exist_ok=True)
    sink = FolderSink(veiled, part)
    is_verified = job.verification != "off"
    traces = TraceLog(analysis, job.style)
    with sink:
        coverage = render_frames(
            part, analysis, sink, job.style, traces=traces if is_verified else None
        )
    number_of = {path.name: number for number, path in numbered}
    written = [(number_of[path.name], path) for path in sorted(sink.path.iterdir())]
    written.sort()
    verification = None
    if is_verified:
        output = FolderPart(sink.path, written, size)
        verification = _verified(output, analysis, job, traces)
    return ChunkResult(
        objects={path.name: file_digest(path).removeprefix("sha256:") for _, path in written},
        problems=[asdict(problem) for problem in part.problems],
        checked=coverage.checked,
        verification=verification,
        losses=[asdict(loss) for loss in sink.losses],
    )


def _verified(
    output: FolderPart, analysis: Analysis, job: Job, traces: TraceLog
) -> dict[str, object]:
    analyzer = analyzer_of(job.networks)
    try:
        found = verify(
            output, analysis, analyzer, job.style, original=traces, workers=usable_cores()
        )
    except InputError as error:
        raise VerificationError(
            f"{output.path}: the output cannot be verified ({error})"
        ) from error
    return found.to_dict()
