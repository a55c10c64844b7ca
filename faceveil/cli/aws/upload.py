"""`faceveil aws upload`: the frames of a video, or of a folder, into the bucket.

Decoding and encoding give the same bytes each time, and an object is there whole or not at all, so
frames sent before an interruption are recognised by their content and not sent again.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command, add_progress
from faceveil.cli.aws.deployment import (
    add_deployment,
    add_dry_run,
    checked_id,
    client_of,
    own_frames,
)
from faceveil.cli.messages import say, say_problems
from faceveil.errors import InputError, UsageError
from faceveil.parallel import ordered_map
from faceveil.progress import choose_progress

if TYPE_CHECKING:
    from faceveil.aws.s3 import S3Location
    from faceveil.media.folder import FolderSource
    from faceveil.media.frames import Frame
    from faceveil.media.video import VideoSource

Source: TypeAlias = "VideoSource | FolderSource"

DESCRIPTION = """\
Upload the frames of a video, or a folder of frames, to frames/<job>/ of the bucket.

  faceveil aws upload talk.mp4 --job talk-1 --with-video --person "Ann Lee=photos/ann/"
  faceveil aws upload frames/ --job talk-1 --dry-run

The frames of a video become img0000001.jpg … (or .png, lossless and three to four times as large);
those of a folder are uploaded as they are. What is already in the bucket, byte for byte, is not
sent again, so repeat the command after an interruption. Nothing is overwritten: frames that differ
need another job id.
"""

LARGEST_DENOMINATOR = 100_000
"""Of a rate in job.json, which does not take all digits of some videos' average rates."""


@dataclass(slots=True)
class _Sent:
    """What has been sent: bytes uploaded, frames that were there already, digest of all."""

    frames: int = 0
    there: int = 0
    size: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, name: str, content_sha256: str, size: int, was_there: bool) -> None:
        # The digest that `files.files_digest` computes of a folder.
        self.digest.update(f"{name}\0{content_sha256}\n".encode())
        self.frames += 1
        self.there += was_there
        self.size += 0 if was_there else size


def add_upload_parser(verbs: Commands) -> None:
    """Add `upload` to the verbs."""
    parser = add_command(verbs, "upload", "INPUT --job ID", "upload a video's frames", DESCRIPTION)
    parser.add_argument("input", type=parsing.path, help="a video file or a folder of frames")
    parser.add_argument("--job", required=True, metavar="ID", help="the job they are for")
    parser.add_argument(
        "--format", choices=("jpeg", "png"), default="jpeg", help="of a video's frames (jpeg)"
    )
    parser.add_argument("--quality", type=int, default=95, metavar="1-100", help="of JPEG (95)")
    parser.add_argument(
        "--with-video",
        action="store_true",
        help="upload the video, too: a job can then make a video with its audio and times",
    )
    parser.add_argument(
        "--person",
        type=parsing.person,
        action="append",
        default=[],
        metavar="NAME=PHOTOS",
        help="upload a photo, or a folder of photos of one person, for `submit --keep NAME`",
    )
    parser.add_argument(
        "--workers", type=parsing.positive, default=8, metavar="N", help="frames sent at once (8)"
    )
    add_deployment(parser)
    add_dry_run(parser)
    add_progress(parser)
    parser.set_defaults(func=run_upload)


def run_upload(options: argparse.Namespace) -> int:
    """`faceveil aws upload`: upload the frames, and the photos and video that the options name."""
    from faceveil.jobs.job import job_prefix
    from faceveil.jobs.job_folder import JOB
    from faceveil.jobs.upload_note import NOTE, UploadNote

    job_id = checked_id(options.job)
    source = _open(options)
    people = _people(options.person)
    client = client_of(options)
    folder = client.bucket.folder(job_prefix(job_id))
    if folder.find(JOB) is not None:
        raise InputError(
            f"{folder.uri(JOB)}: this job was submitted already: give the frames a new id"
        )
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
    return say_problems(source.path, source.problems)


def _open(options: argparse.Namespace) -> Source:
    from faceveil.media.folder import FolderSource
    from faceveil.media.open import open_source
    from faceveil.media.video import VideoSource

    if not 1 <= options.quality <= 100:
        raise UsageError(f"--quality {options.quality}: must be from 1 to 100")
    source = open_source(options.input)
    if isinstance(source, VideoSource):
        return source
    if not isinstance(source, FolderSource):
        raise UsageError(f"{options.input}: lies in S3 already: submit with --frames PREFIX")
    if options.with_video:
        raise UsageError(f"--with-video: {options.input} is a folder, not a video")
    return source


def _people(named: list[tuple[str, Path]]) -> dict[str, list[Path]]:
    from faceveil.identity.references import photos_by_person

    people: dict[str, list[Path]] = {}
    for name, path in named:
        if "/" in name or name in people:
            raise UsageError(f"--person {name}: a name must have no slash and be given once")
        found = photos_by_person([path])
        if len(found) != 1:
            raise UsageError(
                f"--person {name}={path}: holds photos of {len(found)} people: give each a --person"
            )
        (people[name],) = (list(photos) for photos in found.values())
    return people


def encoder(source: Source, options: argparse.Namespace) -> Callable[[Frame], tuple[str, bytes]]:
    """Return what makes the name and the content of a frame's object."""
    from PIL import Image as Picture

    from faceveil.media.picture_encode import encode_png
    from faceveil.media.stored_frame import StoredFrame

    def encode(frame: Frame) -> tuple[str, bytes]:
        if isinstance(frame, StoredFrame):
            return frame.name, frame.content()
        if options.format == "png":
            return f"img{frame.number + 1:07d}.png", encode_png(frame.rgb())
        stream = io.BytesIO()
        Picture.fromarray(frame.rgb()).save(stream, "JPEG", quality=options.quality)
        return f"img{frame.number + 1:07d}.jpg", stream.getvalue()

    return encode


def _send(source: Source, frames: S3Location, options: argparse.Namespace) -> _Sent:
    """Send the frames that are not there. Raises InputError where other frames are."""
    from faceveil.aws.inventory import Inventory, same_content

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
        raise InputError(f"{source.path}: holds no frame")
    if there.names:
        raise _differs(frames, min(there.names))
    return sent


def _frames(source: Source) -> Iterator[Frame]:
    yield from source


def _differs(frames: S3Location, name: str) -> InputError:
    return InputError(
        f"{frames.uri(name)}: exists already and differs from this input (or has another --format "
        "or --quality): use another job id, or delete it with `faceveil aws cleanup --frames`"
    )


def _send_video(folder: S3Location, path: Path) -> None:
    name = f"source/{path.name}"
    found = folder.find(name)
    if found is None or found.size != path.stat().st_size:
        folder.upload(name, path)


def _plan(
    source: Source, people: dict[str, list[Path]], frames: S3Location, options: argparse.Namespace
) -> str:
    from faceveil.aws.inventory import Inventory

    count = source.frame_count or "an unknown number of"
    lines = [f"would upload {count} frames of {source.width} x {source.height} to {frames.uri()}"]
    there = len(Inventory.list(frames).names)
    if there:
        lines.append(f"{there} frames are there already; those that are the same stay")
    for name, photos in people.items():
        lines.append(f"would upload {len(photos)} photos of {name}")
    if options.with_video:
        lines.append(f"would upload {source.path}, {source.path.stat().st_size / 1e6:.1f} MB")
    return "\n".join(lines)


def _say_done(sent: _Sent, frames: S3Location, options: argparse.Namespace) -> None:
    there = f"; {sent.there} were there already" if sent.there else ""
    say(
        options,
        f"{sent.frames} frames lie in {frames.uri()} ({sent.size / 1e6:.1f} MB sent{there})\n"
        f"next: faceveil aws submit {options.job}",
    )
