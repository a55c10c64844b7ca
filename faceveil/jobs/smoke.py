"""A job of two frames through a whole deployment, and what it proves: `faceveil aws smoke`.

Both frames show one photo with a face, the second a little further to the side. The job goes the
usual way: frames and job.json into the bucket, the transform job, post-processing, verification.
What came of it is looked at here, pixel by pixel, and everything is deleted again.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from faceveil.errors import OutputError
from faceveil.faces import Image
from faceveil.jobs.client import JobClient, Results, Status
from faceveil.jobs.ended import ENDED
from faceveil.jobs.job import job_prefix, own_detections
from faceveil.media.pictures import read_picture

WIDTH, HEIGHT = 960, 540
SHIFT = 6
"""Pixels between the two frames: a face that moves is still one face."""
_MARGIN = 1.0
"""Of a detected box, on each side: further out nothing may have changed."""


@dataclass(slots=True)
class Smoke:
    """What a job of two frames has shown.

    proven: what was seen to work. failed: what was not. seconds: from job.json to the end.
    """

    job_id: str
    proven: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def note(self, is_so: bool, what: str, instead: str) -> None:
        """Add what was seen: `what` where it is so, else `instead`."""
        (self.proven if is_so else self.failed).append(what if is_so else instead)


def new_id() -> str:
    """The id of a job that is made now."""
    return f"smoke-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def frames_of(photo: Path) -> list[bytes]:
    """Return two PNG frames of a photo. Raises InputError for one that cannot be read."""
    picture = Picture.fromarray(read_picture(photo))
    picture.thumbnail((WIDTH - 2 * SHIFT, HEIGHT))
    frames = []
    for number in range(2):
        frame = Picture.new("RGB", (WIDTH, HEIGHT), (96, 104, 112))
        left = (WIDTH - picture.width) // 2 + number * SHIFT
        frame.paste(picture, (left, (HEIGHT - picture.height) // 2))
        content = io.BytesIO()
        frame.save(content, "PNG")
        frames.append(content.getvalue())
    return frames


def run_smoke(
    client: JobClient,
    photo: Path,
    job_id: str,
    timeout: float,
    progress: Callable[[Status], object],
    pause: float,
) -> Smoke:
    """Run a job of two frames and look at what came of it; nothing is deleted yet.

    Parameters
    ----------
    client
        The jobs of the deployment's bucket.
    photo
        A picture of at least one face.
    job_id
        The job's id, as `new_id` makes it.
    timeout
        Seconds to wait for the end.
    progress
        Is called with each status.
    pause
        Seconds between two looks at the status.

    Raises
    ------
    InputError
        When the photo cannot be read, or S3 refuses to be read.
    OutputError
        When S3 refuses to be written, or the job does not end in time.
    """
    frames = frames_of(photo)
    began = time.monotonic()
    place = client.bucket.folder(f"frames/{job_id}/")
    for number, content in enumerate(frames):
        place.write(f"img{number + 1:07d}.png", content)
    client.submit(
        {
            "version": 1,
            "id": job_id,
            "frames": {"prefix": place.prefix, "rate": 25},
            "selection": {"mode": "all"},
            "retention": {"delete_features": True},
        }
    )
    status = client.wait(job_id, timeout, progress, pause)
    smoke = Smoke(job_id, seconds=time.monotonic() - began)
    if not status.has_ended:
        raise OutputError(
            f"job {job_id} has not ended within {timeout:.0f} s: it is {status}. `faceveil aws "
            "doctor` may tell why; --timeout waits longer"
        )
    if status.state != "completed":
        smoke.failed.append(f"the job {status}")
        return smoke
    _judge(client, smoke, client.results(job_id), frames)
    return smoke


def _judge(client: JobClient, smoke: Smoke, results: Results, frames: list[bytes]) -> None:
    """Look at detections, veiled frames, verification and features."""
    analysis = client.analysis(smoke.job_id)
    faces = analysis.detections
    detected = sorted({int(number) for number in faces.frames})
    smoke.note(
        detected == [0, 1],
        f"detections came back: {len(faces)} faces in {len(detected)} frames",
        f"faces were detected in {len(detected)} of 2 frames: does the photo show a face?",
    )
    place = client.bucket.folder(results.output_prefix)
    for number, content in enumerate(frames):
        name = f"img{number + 1:07d}.png"
        boxes = faces.boxes[faces.frames == number]
        wrong = _what_is_wrong(_pixels(content), _pixels(place.read(name)), boxes)
        smoke.note(
            not wrong, f"frame {number}: veiled, and unchanged elsewhere", f"{name}: {wrong}"
        )
    verification = results.report["verification"]
    smoke.note(
        verification is not None and verification["looked_at"] > 0,
        "verification looked at the output and found nothing",
        "the output was not verified",
    )
    left = [name for name, _ in client.bucket.folder(own_detections(smoke.job_id)).times_written()]
    smoke.note(
        not left, "features are deleted", f"{len(left)} objects with features are still there"
    )


def _pixels(content: bytes) -> Image:
    return np.asarray(Picture.open(io.BytesIO(content)).convert("RGB"))


def _what_is_wrong(before: Image, after: Image, boxes: np.ndarray) -> str:
    """What of a veiled frame is not as it must be; "" where all is."""
    if before.shape != after.shape:
        return f"has {after.shape[1]} x {after.shape[0]} pixels"
    outside = np.ones(before.shape[:2], bool)
    for x1, y1, x2, y2 in boxes.tolist():
        wide, high = _MARGIN * (x2 - x1), _MARGIN * (y2 - y1)
        rows = slice(max(0, int(y1 - high)), int(y2 + high) + 1)
        outside[rows, max(0, int(x1 - wide)) : int(x2 + wide) + 1] = False
        inner = slice(int(y1), int(y2)), slice(int(x1), int(x2))
        if (before[inner] == after[inner]).mean() > 0.5:
            return "a detected face is not veiled"
    if (before[outside] != after[outside]).any():
        return "pixels far from any face have changed"
    return ""


def remove_smoke(client: JobClient, job_id: str) -> int:
    """Delete everything that a job of two frames has left. Returns how many objects.

    Raises InputError and OutputError where S3 refuses.
    """
    count = 0
    for prefix in (own_detections(job_id), f"frames/{job_id}/", job_prefix(job_id)):
        place = client.bucket.folder(prefix)
        names = list(_names(client, prefix))
        place.delete(names)
        count += len(names)
    client.bucket.delete([ENDED + job_id])
    return count


def _names(client: JobClient, prefix: str) -> Iterator[str]:
    for page in client.bucket.folder(prefix).pages(recursive=True):
        yield from (item.name for item in page)
