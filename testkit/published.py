"""A pytest plug-in that scans every picture and video that a test publishes ("nothing hidden").

A test fails where a published file holds a picture that was not looked at: one anywhere in its
bytes (`carving`), a thumbnail, more pages than frames were written, a second video, an attached
picture, data, or anything behind its end.

Copies of the files come from `programs/sitecustomize.py`, here and in every program that a test
starts with the environment it has. Of what goes to S3, the files that this process writes or has
copied are scanned.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import pytest
from av.error import FFmpegError
from av.stream import Disposition
from botocore.exceptions import ClientError
from PIL import ExifTags, Image

from faceveil.aws.s3 import Listed, S3Location, WrittenObject
from faceveil.media import s3_sink
from faceveil.media.folder_sink import FolderSink
from faceveil.media.frames import Frame
from faceveil.media.picture_encode import Encoded
from faceveil.media.stored_frame import encode_frame, frame_name
from testkit.carving import Carved, carve
from testkit.programs import sitecustomize
from testkit.servers.processes import client

PROGRAMS = Path(sitecustomize.__file__).parent
_ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND\xae\x42\x60\x82", "GIF": b";"}
_SUB_DIRECTORIES = 330  # of TIFF
_LONGEST_TEXT = 500
"""Bytes of a packet of data that may be the title of a chapter, or a time code."""
_THUMBNAIL = b"thmb"  # how an item of AVIF and HEIC refers to what it is a thumbnail of


def hidden_in(content: bytes, pages: int | None = 1) -> list[str]:
    """What a published picture or video holds beside what was looked at.

    Parameters
    ----------
    content
        The file.
    pages
        How many of its pictures were looked at, where that is known.
    """
    try:
        with Image.open(io.BytesIO(content)) as picture:
            return _beside_a_picture(picture, content, pages)
    except OSError:
        pass
    found = [str(item) for item in carve(content)]
    try:
        with av.open(io.BytesIO(content)) as container:
            return [*found, *_tracks(container)]
    except FFmpegError:
        return found  # bytes that a test made up


def _beside_a_picture(picture: Image.Image, content: bytes, pages: int | None) -> list[str]:
    count = getattr(picture, "n_frames", 1)
    comment = picture.info.get("comment") or b""  # which GIF stores in pieces of 255 bytes
    found = [str(item) for item in carve(content) if not _is_a_page(item, picture)]
    found += [str(item) for item in carve(b" " + comment if isinstance(comment, bytes) else b"")]
    if pages is not None and count > pages:
        found.append(f"{count} pictures, of which {pages} were looked at")
    if picture.format in _ENDS and not content.rstrip(b"\0").endswith(_ENDS[picture.format]):
        found.append("bytes behind its end")
    if picture.format == "WEBP" and len(content) > 8 + int.from_bytes(content[4:8], "little"):
        found.append("bytes behind its end")
    if picture.format in ("AVIF", "HEIF") and _THUMBNAIL in content:
        found.append("a thumbnail")
    if picture.format not in ("MPO", "TIFF") and picture.getexif().get_ifd(ExifTags.IFD.IFD1):
        found.append("a thumbnail in its EXIF data")
    if picture.format == "TIFF" and _SUB_DIRECTORIES in picture.getexif():
        found.append("a directory of TIFF inside another")
    return found


def _is_a_page(item: Carved, picture: Image.Image) -> bool:
    """Whether what was found is a picture of the file that a program shows."""
    starts: set[int | None] = set()
    for page in range(getattr(picture, "n_frames", 1)):
        picture.seek(page)
        if picture.format == "MPO":
            starts.add(picture.offset)  # type: ignore[attr-defined]
        elif picture.format == "TIFF":
            starts |= {*picture.tag_v2.get(273, ()), *picture.tag_v2.get(324, ())}  # type: ignore[attr-defined]
    return item.at in starts


def _tracks(container: Any) -> Iterator[str]:
    videos = container.streams.video
    if len(videos) > 1:
        yield f"{len(videos)} videos"
    if any(stream.disposition & Disposition.attached_pic for stream in videos):
        yield "an attached picture"
    data = {stream.index for stream in container.streams.data}
    for packet in container.demux():
        if packet.stream_index in data and packet.size > _LONGEST_TEXT:
            yield f"{packet.size} bytes of data"


class Published:
    """What was published since the last scan."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: set[bytes] = set()
        self._pages: Counter[tuple[Path, str]] = Counter()
        self._objects: list[tuple[str, bytes]] = []
        self._copies: list[tuple[str, str]] = []

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Count the frames of each file in folders, and keep what goes to S3."""
        write, encode, copy = FolderSink.write, encode_frame, S3Location.copy

        def counted(sink: FolderSink, frame: Frame, changed: bool) -> None:
            write(sink, frame, changed)
            self._pages[sink.path, frame_name(frame)] += 1

        def kept(frame: Frame, changed: bool, strip: bool = False) -> Encoded:
            encoded = encode(frame, changed, strip)
            self._objects.append((frame_name(frame), encoded.content))
            return encoded

        def copied(target: S3Location, source: S3Location, listed: Listed) -> WrittenObject:
            stored = copy(target, source, listed)
            self._copies.append((target.bucket, target.prefix + stored.name))
            return stored

        patch.setattr(FolderSink, "write", counted)
        patch.setattr(S3Location, "copy", copied)
        patch.setattr(s3_sink, "encode_frame", kept)
        patch.setenv(sitecustomize.FOLDER, str(self._folder))
        patch.setenv("PYTHONPATH", str(PROGRAMS), prepend=os.pathsep)

    def scan(self, s3: Any = None) -> list[str]:
        """What should not be in the files, each with the name of its file; they are forgotten.

        s3: a client, which reads what S3 copied as long as it is there.
        """
        while self._copies:
            bucket, key = self._copies.pop()
            with suppress(ClientError):
                content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
                self._objects.append((key, content))
        found = [*self._scan_files(), *self._scan_objects()]
        self._pages.clear()
        return found

    def _scan_files(self) -> Iterator[str]:
        for kept in self._folder.iterdir():
            if not (kept / "path").exists():
                continue  # of a program that still copies, or was killed
            target, content = Path(os.fsdecode((kept / "path").read_bytes())), kept / "content"
            if content.is_file():
                yield from self._scan(target, content.read_bytes(), None)
            for file in content.rglob("*") if content.is_dir() else ():
                if file.is_file():
                    name = str(file.relative_to(content))
                    pages = self._pages.get((target, name))
                    yield from self._scan(target / name, file.read_bytes(), pages)
            shutil.rmtree(kept)

    def _scan_objects(self) -> Iterator[str]:
        while self._objects:
            name, content = self._objects.pop()
            yield from self._scan(f"{name} in S3", content, 1)

    def _scan(self, where: object, content: bytes, pages: int | None) -> Iterator[str]:
        digest = hashlib.sha256(content + bytes([pages or 0])).digest()
        if digest not in self._known:
            self._known.add(digest)
            yield from (f"{where}: {what}" for what in hidden_in(content, pages))


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """What tests publish, watched."""
    with pytest.MonkeyPatch.context() as patch:
        watched = Published(tmp_path_factory.mktemp("published"))
        watched.watch(patch)
        yield watched


@pytest.fixture(autouse=True)
def nothing_hidden(request: pytest.FixtureRequest, published: Published) -> Iterator[None]:
    """Fails a test that published a picture which was not looked at."""
    uses_s3 = "s3_url" in request.fixturenames
    s3 = client("s3", request.getfixturevalue("s3_url")) if uses_s3 else None
    yield
    if found := published.scan(s3):
        pytest.fail("published, but not looked at:\n" + "\n".join(found), pytrace=False)
