"""`faceveil aws upload`: the frames of a video, or of a folder, into the bucket.

Decoding and encoding give the same bytes each time, and a picture is there whole or not at all: so
whatever was sent before an interruption is recognised by its content and left alone.
"""

from __future__ import annotations

import hashlib
import io
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image as Picture

from faceveil.aws.inventory import Inventory, same_content
from faceveil.cli.aws.deployment import checked_id, client_of, own_frames
from faceveil.cli.options import say
from faceveil.errors import InputError, UsageError
from faceveil.identity.references import photos_by_person
from faceveil.jobs.job import job_prefix
from faceveil.jobs.job_folder import JOB
from faceveil.jobs.upload_note import NOTE, UploadNote
from faceveil.media.folder import FolderSource
from faceveil.media.frames import Frame
from faceveil.media.open import open_source
from faceveil.media.picture_encode import encode_png
from faceveil.media.stored_frame import StoredFrame
from faceveil.media.video import VideoSource
from faceveil.parallel import ordered_map
from faceveil.progress import choose_progress

if TYPE_CHECKING:
    from faceveil.aws.s3 import S3Location

Source = VideoSource | FolderSource
LARGEST_DENOMINATOR = 100_000
"""Of a rate in job.json: average rates of some videos have more digits than it takes."""


@dataclass(slots=True)
class _Sent:
    """What has been sent so far: bytes that left, frames that were there, and their digest."""

    frames: int = 0
    there: int = 0
    size: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, name: str, content_sha256: str, size: int, was_there: bool) -> None:
        # As files_digest: what the library computes of a folder.
        self.digest.update(f"{name}\0{content_sha256}\n".encode())
        self.frames += 1
        self.there += was_there
        self.size += 0 if was_there else size


def upload(options: Namespace) -> int:
    """Bring the frames, photos and the video that the options name; the exit code."""
    job_id = checked_id(options.job)
    source = _open(options)
    people = _people(options.person)
    client = client_of(options)
    folder = client.bucket.folder(job_prefix(job_id))
    if folder.find(JOB) is not None:
        raise InputError(f"{folder.uri(JOB)}: is submitted already: give the frames a new job id")
    frames = client.bucket.folder(own_frames(job_id))
    video = source.path.name if options.with_video else None
    if options.dry_run:
        print(_plan(source, people, frames, options))
        return 0
    for name, photos in people.items():
        for photo in photos:
            folder.upload(f"references/{name}/{photo.name}", photo)
    sent = _send(source, frames, options)
    if video is not None:
        _send_video(folder, source.path)
    note = UploadNote(
        frames=sent.frames,
        frames_prefix=frames.prefix,
        digest=f"sha256:{sent.digest.hexdigest()}",
        rate=source.rate and source.rate.limit_denominator(LARGEST_DENOMINATOR),
        source_video=f"{folder.prefix}source/{video}" if video else None,
        people={name: f"{folder.prefix}references/{name}/" for name in people},
    )
    folder.write(NOTE, note.to_json())
    _say_done(sent, frames, options)
    for problem in source.problems:
        print(f"faceveil: {source.path}: {problem.where}: {problem.message}", file=sys.stderr)
    return InputError.exit_code if source.problems else 0


def _open(options: Namespace) -> Source:
    if not 1 <= options.quality <= 100:
        raise UsageError(f"--quality {options.quality}: is from 1 to 100")
    source = open_source(options.input)
    if isinstance(source, VideoSource):
        return source
    if not isinstance(source, FolderSource):
        raise UsageError(f"{options.input}: lies in S3 already: submit with --frames PREFIX")
    if options.with_video:
        raise UsageError(f"{options.input}: --with-video: is a folder, not a video")
    return source


def _people(named: list[tuple[str, Path]]) -> dict[str, list[Path]]:
    people: dict[str, list[Path]] = {}
    for name, path in named:
        if "/" in name or name in people:
            raise UsageError(f"--person {name}: a name has no slash and is given once")
        found = photos_by_person([path])
        if len(found) != 1:
            raise UsageError(
                f"--person {name}={path}: holds photos of {len(found)} people: give each a --person"
            )
        (people[name],) = (list(photos) for photos in found.values())
    return people


def encoder(source: Source, options: Namespace) -> Callable[[Frame], tuple[str, bytes]]:
    """Name and content of a frame's picture."""

    def encode(frame: Frame) -> tuple[str, bytes]:
        if isinstance(frame, StoredFrame):
            return frame.name, frame.content()
        if options.format == "png":
            return f"img{frame.number + 1:07d}.png", encode_png(frame.rgb())
        stream = io.BytesIO()
        Picture.fromarray(frame.rgb()).save(stream, "JPEG", quality=options.quality)
        return f"img{frame.number + 1:07d}.jpg", stream.getvalue()

    return encode


def _send(source: Source, frames: S3Location, options: Namespace) -> _Sent:
    """Send what is not there. Raises InputError where another content is."""
    there = Inventory.list(frames)
    encode = encoder(source, options)

    def send(frame: Frame) -> tuple[str, str, int, bool]:
        name, content = encode(frame)
        listed = there.take(name)
        if listed is None:
            frames.write(name, content)
        elif not same_content(frames, listed, content):
            raise _differs(frames, name)
        return name, hashlib.sha256(content).hexdigest(), len(content), listed is not None

    sent = _Sent()
    progress = choose_progress(options.progress, options.quiet)
    with progress.stage("upload", source.frame_count) as stage:
        for result in ordered_map(send, _frames(source), options.workers):
            sent.add(*result)
            stage.advance()
    if not sent.frames:
        raise InputError(f"{source.path}: has no frame")
    if there.names:
        raise _differs(frames, min(there.names))
    return sent


def _frames(source: Source) -> Iterator[Frame]:
    yield from source


def _differs(frames: S3Location, name: str) -> InputError:
    return InputError(
        f"{frames.uri(name)}: is there already and not of this input (or of another --format or "
        "--quality): give this one another job id, or `faceveil aws cleanup` that one's --frames"
    )


def _send_video(folder: S3Location, path: Path) -> None:
    name = f"source/{path.name}"
    found = folder.find(name)
    if found is None or found.size != path.stat().st_size:
        folder.upload(name, path)


def _plan(
    source: Source, people: dict[str, list[Path]], frames: S3Location, options: Namespace
) -> str:
    count = source.frame_count or "an unknown number of"
    lines = [f"would bring {count} frames of {source.width} x {source.height} to {frames.uri()}"]
    there = len(Inventory.list(frames).names)
    if there:
        lines.append(f"{there} frames are there already; those that are the same stay")
    for name, photos in people.items():
        lines.append(f"would bring {len(photos)} photos of {name}")
    if options.with_video:
        lines.append(f"would bring {source.path}, {source.path.stat().st_size / 1e6:.1f} MB")
    return "\n".join(lines)


def _say_done(sent: _Sent, frames: S3Location, options: Namespace) -> None:
    there = f"; {sent.there} were there already" if sent.there else ""
    say(
        options,
        f"{sent.frames} frames lie in {frames.uri()} ({sent.size / 1e6:.1f} MB sent{there})\n"
        f"next: faceveil aws submit {options.job}",
    )
