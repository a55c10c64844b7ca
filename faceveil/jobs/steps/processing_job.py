"""A whole job between two folders: a SageMaker Processing Job, which mounts S3 as folders.

input/job/job.json          input/frames/            input/detections/   (made here where absent)
input/references/ann/…      of the prefix jobs/<id>/references/ann/
input/source/talk.mp4       the source video, where its audio is wanted
output/veiled/ analysis.json report.json, and the video under its own name
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from faceveil import pipeline
from faceveil.analysis import Analysis, write_analysis
from faceveil.errors import InputError
from faceveil.identity.references import PHOTO_SUFFIXES, References, describe
from faceveil.jobs.detections.answers import SUFFIX, DetectionFolder, UnknownFrames
from faceveil.jobs.detections.sampled import read_frames
from faceveil.jobs.job import Job, read_job
from faceveil.jobs.settings import analyzer_of
from faceveil.jobs.steps.analyse import decide_selection
from faceveil.jobs.steps.assemble import assemble_pictures
from faceveil.media.folder import FolderSource
from faceveil.media.folder_sink import FolderSink
from faceveil.media.pictures import read_picture
from faceveil.rendering import VerifyOptions, render

REFERENCES = "references/"


def process(inputs: Path, output: Path) -> str:
    """Do the job of the folder `inputs` into the folder `output`. Returns how it ended.

    Raises FaceveilError as `faceveil veil` does; the job's policies hold.
    """
    path = inputs / "job" / "job.json"
    try:
        job = read_job(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    source = FolderSource(inputs / "frames")
    analysis = _analysed(job, inputs, source)
    output.mkdir(parents=True, exist_ok=True)
    write_analysis(analysis, output / "analysis.json")
    _render(job, source, analysis, output)
    if job.video is not None:
        _assemble(job, inputs, output)
    return "completed"


def _analysed(job: Job, inputs: Path, source: FolderSource) -> Analysis:
    unknown = UnknownFrames()
    size = source.width, source.height
    detections = inputs / "detections"
    if detections.is_dir():
        faces = read_frames(
            DetectionFolder(detections),
            lambda number: source.pictures[number].name,
            len(source.pictures),
            job.coarse_step,
            lambda: {path.name.removesuffix(SUFFIX) for path in detections.glob(f"*{SUFFIX}")},
            size=size,
            unknown=unknown,
        )
        found = pipeline.follow(faces, job.sequences, size=size)
    else:
        analyzer = analyzer_of(job.networks)
        found = pipeline.analyse(source, analyzer, job.sequences)
    return decide_selection(job, found, source, _references(job, inputs), unknown)


def _references(job: Job, inputs: Path) -> References | None:
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
    analyzer = analyzer_of(job.networks)
    return describe(people, lambda photo: analyzer(read_picture(Path(photo))))


def _render(job: Job, source: FolderSource, analysis: Analysis, output: Path) -> None:
    sink = FolderSink(output / "veiled", source)
    is_verified = job.verification != "off"
    options = VerifyOptions(publish_violations=job.verification == "report")
    render(
        source,
        analysis,
        sink,
        job.style,
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
