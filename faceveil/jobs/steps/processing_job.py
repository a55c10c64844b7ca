"""A whole job between two folders: a SageMaker Processing job that somebody has created by hand.

input/job/job.json          input/frames/            input/detections/   (made here where absent)
input/references/ann/…      of the prefix jobs/<id>/references/ann/
input/source/talk.mp4       the source video, where its audio is wanted
input/corrections/…         the object that job.json names as corrections, under its own name
output/veiled/ analysis.json report.json, and the video under its own name
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from faceveil import finding
from faceveil.analysis import Analysis, write_analysis
from faceveil.errors import InputError
from faceveil.jobs.corrections import JobCorrections
from faceveil.jobs.detections.answers import DetectionFolder, DetectionFolders, UnknownFrames
from faceveil.jobs.job import Job
from faceveil.jobs.processing.host import read_job_file
from faceveil.jobs.processing.work import analyse_folder, mounted_corrections, read_references
from faceveil.jobs.settings import analyzer_of
from faceveil.jobs.steps.analyse import decide_selection
from faceveil.jobs.steps.assemble import assemble_pictures
from faceveil.media.folder import FolderSource
from faceveil.media.folder_sink import FolderSink
from faceveil.rendering import VerifyOptions, render


def process(inputs: Path, output: Path) -> str:
    """Do the job of the folder `inputs` into the folder `output`. Returns how it ended.

    Raises FaceveilError as `faceveil veil` does; the job's policies hold.
    """
    job = read_job_file(inputs)
    source = FolderSource(inputs / "frames")
    corrections = mounted_corrections(inputs, job, source)
    analysis = _analysed(job, inputs, source)
    output.mkdir(parents=True, exist_ok=True)
    write_analysis(analysis, output / "analysis.json")
    _render(job, source, analysis, corrections, output)
    if job.video is not None:
        _assemble(job, inputs, output)
    return "completed"


def _analysed(job: Job, inputs: Path, source: FolderSource) -> Analysis:
    detections = inputs / "detections"
    if detections.is_dir():
        folders = DetectionFolders((DetectionFolder(detections),))
        return analyse_folder(job, source, folders, inputs)
    analyzer = analyzer_of(job.networks)
    found = finding.analyse(source, analyzer, job.sequences)
    references = read_references(job, inputs, lambda: analyzer)
    return decide_selection(job, found, source, references, UnknownFrames())


def _render(
    job: Job,
    source: FolderSource,
    analysis: Analysis,
    corrections: JobCorrections | None,
    output: Path,
) -> None:
    sink = FolderSink(output / "veiled", source)
    is_verified = job.verification != "off"
    options = VerifyOptions(publish_violations=job.verification == "report")
    render(
        source,
        analysis,
        sink,
        job.style,
        corrections=None if corrections is None else corrections.document,
        verification=options if is_verified else None,
        analyzer=analyzer_of(job.networks) if is_verified else None,
        report=output / "report.json",
        refuse_problems=job.on_failure == "refuse",
    )


def _assemble(job: Job, inputs: Path, output: Path) -> None:
    assert job.video is not None
    source = None
    if job.source_video is not None:
        source = inputs / "source" / PurePosixPath(job.source_video).name
        if not source.is_file():
            raise InputError(f"{source}: there is no source video: mount {job.source_video} there")
    name = PurePosixPath(job.video.key).name
    frames = FolderSource(output / "veiled")
    assemble_pictures(frames, source, output / name, job.video.encode)
