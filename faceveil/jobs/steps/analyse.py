"""Detections -> analysis.json and the plan of chunks. No frame is read, but one for its size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from faceveil import finding, pipeline
from faceveil.analysis import Analysis, parse_analysis, to_json
from faceveil.assure.coverage import check_coverage
from faceveil.aws.s3_errors import LostObjectError
from faceveil.detect.analyzer import FaceAnalyzer
from faceveil.errors import InputError
from faceveil.faces import FrameFaces, Models
from faceveil.identity.references import References
from faceveil.identity.select import Selection
from faceveil.jobs import events
from faceveil.jobs.chunks.plan import (
    ChunkPlan,
    basis_of,
    plan_chunks,
    plan_name,
    results_digest,
)
from faceveil.jobs.corrections import JobCorrections
from faceveil.jobs.detections.answers import UnknownFrames
from faceveil.jobs.detections.sampled import answered, read_frames
from faceveil.jobs.job import Job
from faceveil.jobs.job_folder import ALONE, ANALYSIS, CHUNKS, frames_of
from faceveil.jobs.job_run import JobRun
from faceveil.jobs.steps.packed_analysis import pack, unpack, without_features
from faceveil.jobs.steps.reference_photos import job_references
from faceveil.jobs.steps.templates import keep_templates
from faceveil.media.frames import FrameSource
from faceveil.media.s3_frames import S3Frames
from faceveil.media.s3_keys import list_frames
from faceveil.veils.plan import VeilPlan


@dataclass(frozen=True, slots=True, eq=False)
class Analysed:
    """What rendering needs besides the frames."""

    analysis: Analysis
    plan: ChunkPlan
    alone: NDArray[np.bool_] | None = None
    """By frame: whether its file is known to hold its picture and nothing else. None: not known."""
    corrections: dict[str, Any] | None = None
    """What the report says of the corrections, which are applied; None without any."""


def analyse_job(run: JobRun, chunk_frames: int | None = None) -> Analysed:
    """Analyse the job's detections, unless that is done, and divide the frames into chunks.

    A second call finds what is there: analysis.json may have been edited in between. The event that
    the job is analysed is sent before the plan is written, so that it is never left out.
    chunk_frames: of a chunk, None to choose. Raises InputError for frames, detections, photos, a
    selection and corrections that cannot be used, CoverageError when a face would stay visible.
    """
    corrections = JobCorrections.of(run.bucket, run.job)
    content = _stored(run, ANALYSIS)
    if content is None:
        found = _analysed(run, corrections)
        content = to_json(found)
        corrected = correct(found, corrections)
        if run.job.verification != "off":
            keep_templates(run, corrected.analysis)
        run.folder.write(ANALYSIS, content)
        corrected = replace(corrected, analysis=without_features(corrected.analysis))
    else:
        corrected = _read(run, content, corrections)
    analysis, basis = corrected.analysis, basis_with(content, corrections)
    plan = _find_plan(run, basis)
    if plan is None:
        _check(run, analysis)
        for name, stored in corrected.files(basis):
            run.folder.write(name, stored)
        first_name = list_frames(frames_of(run.bucket, run.job)).first_name
        frame_count = analysis.source.frame_count
        plan = plan_chunks(run.job, basis, first_name, frame_count, chunk_frames)
        run.announce(analysed_event(run, analysis, plan))
        run.folder.write(plan.name, plan.to_json())
    return Analysed(analysis, plan, _load_alone(run), corrected.corrections)


def load_analysed(run: JobRun) -> Analysed:
    """What `analyse` has made. Raises InputError when it has not run."""
    content = _stored(run, ANALYSIS)
    if content is None:
        raise InputError(f"{run.folder.uri(ANALYSIS)}: there is none: analyse the job first")
    corrections = JobCorrections.of(run.bucket, run.job)
    plan = _find_plan(run, basis_with(content, corrections))
    if plan is None:
        changed = "it or its corrections were" if corrections else "was"
        raise InputError(
            f"{run.folder.uri(ANALYSIS)}: {changed} changed since its frames were shared out: run "
            "the job again"
        )
    corrected = _read(run, content, corrections)
    return Analysed(corrected.analysis, plan, _load_alone(run), corrected.corrections)


@dataclass(frozen=True, slots=True, eq=False)
class CorrectedAnalysis:
    """What is rendered, and what the report says of the corrections that were applied to it."""

    analysis: Analysis
    corrections: dict[str, Any] | None = None

    def files(self, basis: str) -> Iterator[tuple[str, bytes]]:
        """Name and content of what each chunk reads it from, in the order in which they are
        written."""
        if self.corrections is not None:
            yield _summary_name(basis), orjson.dumps(self.corrections)
        yield _columns_name(basis), pack(self.analysis)


def correct(analysis: Analysis, corrections: JobCorrections | None) -> CorrectedAnalysis:
    """Apply a job's corrections, if it has any. Raises InputError where they are of others."""
    if corrections is None:
        return CorrectedAnalysis(analysis)
    applied = corrections.apply(analysis)
    return CorrectedAnalysis(applied.analysis, corrections.summary(applied))


def basis_with(content: bytes, corrections: JobCorrections | None) -> str:
    """See `plan.basis_of`. content: of analysis.json."""
    return basis_of(content, None if corrections is None else corrections.content)


def _read(run: JobRun, content: bytes, corrections: JobCorrections | None) -> CorrectedAnalysis:
    """What is rendered of analysis.json, from its columns where these exist for this content."""
    basis = basis_with(content, corrections)
    name = _columns_name(basis)
    columns = _stored(run, name)
    if columns is None:
        return correct(parse_analysis(content, str(run.folder.uri(ANALYSIS))), corrections)
    analysis = unpack(columns, str(run.folder.uri(name)))
    if corrections is None:
        return CorrectedAnalysis(analysis)
    return CorrectedAnalysis(analysis, orjson.loads(run.folder.read(_summary_name(basis))))


def _load_alone(run: JobRun) -> NDArray[np.bool_] | None:
    stored = _stored(run, ALONE)
    if stored is None:
        return None
    alone: NDArray[np.bool_] = np.load(BytesIO(stored), allow_pickle=False)
    return alone


def _store_alone(run: JobRun, alone: NDArray[np.bool_]) -> None:
    content = BytesIO()
    np.save(content, alone)
    run.folder.write(ALONE, content.getvalue())


def _noting(
    frames: Iterator[tuple[int, FrameFaces | None]], alone: NDArray[np.bool_]
) -> Iterator[tuple[int, FrameFaces | None]]:
    """The frames, while it is noted whose file holds nothing beside its picture."""
    for number, faces in frames:
        alone[number] = faces is not None and faces.hidden == ()
        yield number, faces


def _columns_name(basis: str) -> str:
    """The name of the columns of what is rendered."""
    return f"{CHUNKS}analysis-{basis[:16]}.npz"


def _summary_name(basis: str) -> str:
    """The name of what the report says of the corrections."""
    return f"{CHUNKS}corrections-{basis[:16]}.json"


def _find_plan(run: JobRun, basis: str) -> ChunkPlan | None:
    """The plan made for what is rendered; None when there is none yet."""
    stored = _stored(run, plan_name(results_digest(run.job, basis)))
    return None if stored is None else ChunkPlan.from_json(stored)


def _stored(run: JobRun, name: str) -> bytes | None:
    try:
        return run.folder.read(name)
    except LostObjectError:
        return None


def _analysed(run: JobRun, corrections: JobCorrections | None) -> Analysis:
    job = run.job
    source = S3Frames(frames_of(run.bucket, job))
    if corrections is not None:
        corrections.check(job, source.keys, str(source.location.uri()))
    unknown = UnknownFrames()
    size = source.width, source.height
    store = run.bucket.folder(job.detections_prefix)
    faces = read_frames(
        store,
        lambda row: source.keys.listed(row).name,
        len(source.keys),
        job.coarse_step,
        lambda: answered(store),
        size=size,
        unknown=unknown,
    )
    alone = np.zeros(len(source.keys), bool)
    found = finding.follow(_noting(faces, alone), job.sequences, size=size)
    _store_alone(run, alone)
    require_verifier(job, found.models, run.analyzer)
    return decide_selection(job, found, source, job_references(run, found.models), unknown)


def require_verifier(job: Job, models: Models | None, analyzer: Callable[[], FaceAnalyzer]) -> None:
    """Raise InputError where verification would not detect again what was detected beside faces.

    models: of the detections. analyzer: opens the networks that verify.
    """
    if job.verification == "off" or models is None or not models.beside_faces:
        return
    missing = sorted(models.beside_faces - analyzer().models.beside_faces)
    if missing:
        raise InputError(
            f"networks.also: {', '.join(missing)} detected objects in these frames (FACEVEIL_ALSO "
            "of the model), and verification would not look for them: name the same networks in "
            "job.json. The detections are kept: `faceveil aws render-again JOB NEW_JOB --also FILE`"
        )


def decide_selection(
    job: Job,
    found: finding.Found,
    source: FrameSource,
    references: References | None,
    unknown: UnknownFrames,
) -> Analysis:
    """Decide who is veiled, as the job says.

    Raises InputError for a selection that matches no face.
    """
    selection = Selection(
        mode=job.selection.mode,
        references=references,
        points=job.selection.points,
        identities=job.selection.identities,
        accept=job.selection.accept,
        uncertain=job.selection.uncertain,
        times=job.selection.times,
    )
    parameters = _parameters(job, unknown)
    if job.regions:
        found = finding.with_regions(found, job.regions, source)
    analysis = pipeline.decide(found, source, selection, parameters)
    rate = None if job.rate is None else str(job.rate)
    digest = job.frames_digest or analysis.source.digest
    return replace(analysis, source=replace(analysis.source, digest=digest, rate=rate))


def _parameters(job: Job, unknown: UnknownFrames) -> dict[str, Any]:
    return {
        "networks": job.networks.to_dict(),
        "sequences": asdict(job.sequences),
        "coarse_step": job.coarse_step,
        "unknown_frames": {
            "by_code": dict(sorted(unknown.by_code.items())),
            "examples": unknown.examples,
        },
    }


def _check(run: JobRun, analysis: Analysis) -> None:
    """Check coverage before anything is rendered or handed out."""
    plan = VeilPlan.build(
        analysis.sequences,
        analysis.veiled,
        secret=analysis.source.digest,
        unknown_frames=analysis.unknown_frames,
    )
    check_coverage(
        analysis.detections,
        plan,
        analysis.veiled,
        run.job.style,
        width=analysis.source.width,
        height=analysis.source.height,
    ).require()


def analysed_event(run: JobRun, analysis: Analysis, plan: ChunkPlan) -> events.JobEvent:
    """The event that the job is analysed."""
    return events.analysed(
        run.job,
        run.bucket.bucket,
        analysis=run.job.prefix + ANALYSIS,
        frames=analysis.source.frame_count,
        unknown_frames=len(analysis.unknown_frames),
        identities=len(np.unique(analysis.identities)),
        veiled_identities=len(np.unique(analysis.identities[analysis.veiled])),
        uncertain_sequences=sum(decision.uncertain for decision in analysis.decisions),
        chunks=plan.count,
    )
