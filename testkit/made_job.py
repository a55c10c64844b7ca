"""A small job made up for tests: noise as frames, and two people whom no network has seen.

Ann is in frames 0-7, Bob in 4-11. Frames from 14 on (two after Bob, by which sequences are
extended) show no one and carry no veil.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

from faceveil import finding
from faceveil.aws.s3 import S3Location
from faceveil.faces import FrameError, FrameFaces, Image, Models
from faceveil.jobs.detections.answers import UnknownFrames
from faceveil.jobs.events import JobEvent
from faceveil.jobs.job import Job, own_detections, read_job
from faceveil.jobs.job_run import JobRun
from faceveil.jobs.steps.analyse import decide_selection
from faceveil.media.folder import FolderSource
from faceveil.media.folder_sink import FolderSink
from faceveil.media.pictures import hidden_parts
from faceveil.veiling import render_frames

WIDTH, HEIGHT, FRAMES = 160, 96, 24
MODELS = Models("made", "made", f"sha256:{'1' * 64}", 0.5)
ANN, BOB = range(8), range(4, 12)
FIRST_WITHOUT_VEIL = 14
JOB_ID = "talk"
PREFIX = f"jobs/{JOB_ID}/"


def faces_at(number: int) -> FrameFaces:
    """The faces of a frame, with the features that a recogniser would find."""
    rows = []
    if number in ANN:
        rows.append(((10 + number, 20, 42 + number, 60), (1, 0, 0, 0)))
    if number in BOB:
        rows.append(((100 - number, 30, 132 - number, 70), (0, 1, 0, 0)))
    boxes = np.array([box for box, _ in rows], np.float32).reshape(-1, 4)
    return FrameFaces(
        WIDTH,
        HEIGHT,
        MODELS,
        boxes=boxes,
        scores=np.full(len(rows), 0.99, np.float32),
        landmarks=np.zeros((len(rows), 5, 2), np.float32),
        features=np.array([feature for _, feature in rows], np.float32).reshape(-1, 4),
        thumbnail=np.full((27, 48, 3), 128, np.uint8),
    )


class NoFaces:
    """In place of the networks that verify the output, which are tested elsewhere."""

    models = MODELS

    def __call__(self, image: Image) -> FrameFaces:
        return FrameFaces(image.shape[1], image.shape[0], MODELS)


def write_frames(folder: Path, frames: int = FRAMES) -> Path:
    """Write frames of noise, img0000001.png and so on. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(frames):
        picture = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        Picture.fromarray(picture).save(folder / f"img{number + 1:07d}.png", compress_level=1)
    return folder


def document(**fields: Any) -> dict[str, Any]:
    """job.json of the made job, as plain data, with these further fields."""
    return {
        "version": 1,
        "id": JOB_ID,
        "frames": {"prefix": f"{PREFIX}frames/", "rate": 25},
        "sequences": {"extension": 2},
        **fields,
    }


@dataclass
class MadeJob:
    """The job in a bucket. `events` is what it has announced."""

    bucket: S3Location
    folder: Path
    events: list[JobEvent] = field(default_factory=list)

    @property
    def place(self) -> S3Location:
        return self.bucket.folder(PREFIX)

    @property
    def detections(self) -> S3Location:
        return self.bucket.folder(own_detections("talk"))

    def upload(self, frames: int = FRAMES, **fields: Any) -> None:
        """Write frames, detections and job.json, as a transform job leaves them."""
        source = write_frames(self.folder / "frames", frames)
        for number, path in enumerate(sorted(source.iterdir())):
            self.place.write(f"frames/{path.name}", path.read_bytes())
            hidden = hidden_parts(path.read_bytes())
            answer = replace(faces_at(number), hidden=hidden).to_json()
            self.detections.write(f"{path.name}.out", answer)
        self.submit(**fields)

    def submit(self, **fields: Any) -> None:
        """Write job.json alone."""
        job = document(**fields)
        job["frames"].setdefault("digest", FolderSource(self.folder / "frames").digest())
        self.place.write("job.json", json.dumps(job).encode())

    def run(
        self,
        owner: str = "tester",
        bucket: S3Location | None = None,
        analyzer: Callable[[], Any] = NoFaces,
    ) -> JobRun:
        """What the steps of the job are called with."""
        bucket = bucket or self.bucket
        where = f"s3://{bucket.bucket}/{PREFIX}job.json"
        return JobRun(
            bucket=bucket,
            job=read_job(self.place.read("job.json"), where),
            announce=self.events.append,
            analyzer=analyzer,
            owner=owner,
            scratch=self.folder,
        )

    def remove_all(self) -> None:
        """Empty the bucket of jobs, for the next test that shares it."""
        for folder in ("jobs/", "detections/"):
            place = self.bucket.folder(folder)
            place.delete([item.name for page in place.pages(recursive=True) for item in page])

    def objects(self, below: str = "") -> dict[str, bytes]:
        """Name and content of all objects of the job, or of those below a folder."""
        return _objects(self.place.folder(below) if below else self.place)

    def detected(self) -> dict[str, bytes]:
        """Name and content of the job's detections, those of its photos included."""
        return _objects(self.detections)

    def results(self) -> dict[str, bytes]:
        """Name and content of the objects that the job has made."""
        given = ("frames/", "job.json", "source")
        return {k: v for k, v in self.objects().items() if not k.startswith(given)}

    def rendered_here(
        self, missing: Container[int] = (), job: Job | None = None
    ) -> dict[str, bytes]:
        """What the library makes of the same frames and detections in folders: name and content of
        each veiled frame.

        Parameters
        ----------
        missing
            The frames whose detections are missing.
        job
            The job to do; by default that of job.json.
        """
        source = FolderSource(self.folder / "frames")
        job = job or self.run().job
        unknown = FrameFaces(0, 0, error=FrameError("missing", "gone"))
        frame_count = source.frame_count
        assert frame_count is not None
        faces = (
            (number, unknown if number in missing else faces_at(number))
            for number in range(frame_count)
        )
        found = finding.follow(faces, job.sequences, size=(WIDTH, HEIGHT))
        analysis = decide_selection(job, found, source, None, UnknownFrames())
        output = self.folder / f"veiled-{len(list(self.folder.iterdir()))}"
        with FolderSink(output, source) as sink:
            render_frames(source, analysis, sink, job.style)
        return {path.name: path.read_bytes() for path in sorted(output.iterdir())}


def _objects(place: S3Location) -> dict[str, bytes]:
    names = [item.name for page in place.pages(recursive=True) for item in page]
    return {name: place.read(name) for name in names}
