"""Frames into S3: encoded and sent by several threads, or copied there by S3 itself."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from faceveil.aws.s3 import S3Location, WrittenObject
from faceveil.aws.s3_errors import LostObjectError
from faceveil.errors import FaceveilError, InputError, OutputError, UsageError
from faceveil.media.frames import Frame, FrameSource, Loss, Problem
from faceveil.media.losses import LossList
from faceveil.media.pictures import SeveralPicturesError
from faceveil.media.s3_frames import S3Frame, S3Frames, threads_for
from faceveil.media.stored_frame import encode_frame, frame_name

SUCCESS = "_SUCCESS"
REQUESTS = 16
"""At a time. Copies wait for S3 and take no memory; frames to encode are fewer."""


class _Written(NamedTuple):
    """An object, and what it does not keep of the frame."""

    stored: WrittenObject
    losses: tuple[Loss, ...] = ()


class _Pending(NamedTuple):
    """A frame on its way; `held` says that its samples are in memory for it."""

    frame: Frame
    future: Future[_Written]
    held: bool


class S3FrameSink:
    """Stores frames as pictures under a prefix; see `frames.FrameSink`.

    Pictures keep their names and formats, as in `FolderSink`. A frame of S3 that did not change
    and is known to hold nothing beside its picture (`expect`) is copied by S3 and not downloaded.
    Frames of a video become img0000001.png and so on.

    Objects appear one by one, each whole. What says that all are there is the object `_SUCCESS`,
    written last, and only when no frame of the source is missing. An exception deletes what was
    written, as far as S3 still allows it.

    Parameters
    ----------
    location
        The place in S3; it must be empty.
    source
        Where the frames come from.
    part
        Add frames to what is there: an exception leaves what was written, which the next attempt
        writes again, and the caller says when all parts are done.
    strip_metadata
        Leave out who made a picture, where, when and with what.

    Attributes
    ----------
    stored
        The objects in the order of the frames.

    Raises
    ------
    UsageError
        Where the output would mix with other objects or with the input.
    InputError, OutputError
        As `S3Location` raises them.
    """

    def __init__(
        self,
        location: S3Location,
        source: FrameSource,
        *,
        part: bool = False,
        strip_metadata: bool = False,
    ) -> None:
        self.stored: list[WrittenObject] = []
        self._losses = LossList()
        self._strip = strip_metadata
        self._alone: NDArray[np.bool_] | None = None
        self._location = location
        self._source = source
        self._part = part
        self._names: list[str] = []
        self._pool = ThreadPoolExecutor(REQUESTS, thread_name_prefix="faceveil-s3")
        self._pending: deque[_Pending] = deque()
        self._held = 0
        self._most_held = 2 * threads_for(source.width, source.height)
        self._check_apart()
        if not part:
            self._check_empty()

    @property
    def losses(self) -> list[Loss]:
        """See `frames.FrameSink`."""
        return list(self._losses)

    def expect(self, changed: NDArray[np.integer], alone: NDArray[np.bool_] | None = None) -> None:
        """Say what is known of the frames, so that the others need not be downloaded.

        Parameters
        ----------
        changed
            int [n], the numbers of all frames that will be written as changed: the source need
            not decode the others.
        alone
            bool [frames], by number: which files were seen to hold one picture and nothing else.
            These are copied by S3; others are downloaded and looked through.
        """
        self._alone = alone
        if isinstance(self._source, S3Frames) and self._same_service(self._source.location):
            self._source.expect(changed)

    def __enter__(self) -> S3FrameSink:
        return self

    def write(self, frame: Frame, changed: bool) -> None:
        while len(self._pending) >= 2 * REQUESTS or self._held >= self._most_held:
            self._settle()
        self._names.append(frame_name(frame))
        if isinstance(frame, S3Frame) and not changed and self._can_copy(frame):
            future = self._pool.submit(self._copy, frame)
            self._pending.append(_Pending(frame, future, held=False))
        else:
            future = self._pool.submit(self._encode, frame, changed)
            self._pending.append(_Pending(frame, future, held=True))
            self._held += 1

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        done = False
        try:
            if kind is None:
                self._finish()
                done = True
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
            if not done and not self._part:
                # What went wrong first is worth more than that this goes wrong, too.
                with suppress(FaceveilError):
                    self._location.delete(self._names)

    def _finish(self) -> None:
        while self._pending:
            self._settle()
        if self._part:
            return
        if not self.stored:
            raise OutputError(f"{self._location.uri()}: no frame was written to it")
        if not self._source.problems:
            self._location.write(SUCCESS, orjson.dumps({"version": 1, "frames": len(self.stored)}))

    def _settle(self) -> None:
        """Wait for the oldest frame; one that was lost joins what the source could not read."""
        frame, future, held = self._pending.popleft()
        self._held -= held
        try:
            stored, losses = future.result()
            self.stored.append(stored)
            self._losses.add(frame_name(frame), losses)
        except (LostObjectError, SeveralPicturesError) as error:
            where = f"frame {frame.number} ({frame_name(frame)})"
            self._source.problems.append(Problem(where, str(error)))

    def _encode(self, frame: Frame, changed: bool) -> _Written:
        try:
            encoded = encode_frame(frame, changed, self._strip)
        except OSError as error:
            reason = f"{self._source.path}: {frame_name(frame)} cannot be read ({error.strerror})"
            raise InputError(reason) from error
        name = frame_name(frame) + encoded.suffix
        return _Written(self._location.write(name, encoded.content), encoded.losses)

    def _copy(self, frame: S3Frame) -> _Written:
        return _Written(self._location.copy(frame.location, frame.listed))

    def _can_copy(self, frame: S3Frame) -> bool:
        """Whether S3 may copy the file: it is known to hold nothing but its picture."""
        if self._strip or self._alone is None or not self._same_service(frame.location):
            return False
        return frame.number < len(self._alone) and bool(self._alone[frame.number])

    def _same_service(self, source: S3Location) -> bool:
        return _endpoint(source) == _endpoint(self._location)

    def _check_apart(self) -> None:
        if not isinstance(self._source, S3Frames):
            return
        source, target = self._source.location, self._location
        same = (_endpoint(source), source.bucket) == (_endpoint(target), target.bucket)
        within = source.prefix and target.prefix.startswith(source.prefix)
        if same and (within or source.prefix == target.prefix):
            raise UsageError(
                f"{target.uri()}: is the input or lies inside it ({source.uri()}); choose a "
                "prefix outside"
            )

    def _check_empty(self) -> None:
        pages = self._location.pages(recursive=True)
        first = next((item for page in pages for item in page), None)
        if first is not None:
            raise UsageError(
                f"{self._location.uri()}: holds objects already, such as {first.name}; delete "
                "them or choose a new prefix, so that old and new pictures are never mixed"
            )


def _endpoint(location: S3Location) -> str:
    return location.client.meta.endpoint_url
