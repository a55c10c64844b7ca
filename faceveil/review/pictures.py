"""Pictures of frames and faces: read by number, veiled by the renderer itself, kept as JPEG."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import cv2
import numpy as np

from faceveil.errors import InputError
from faceveil.faces import Floats, Image
from faceveil.media.seeking import FrameReader, StillFrame

FRAME_BYTES = 256 << 20
"""Memory for decoded frames."""
JPEG_BYTES = 64 << 20
"""Memory for encoded pictures."""
AHEAD = 24
"""Frames that are read ahead of the last one asked for."""
_SKIPPED = 48
"""So many frames are rather decoded than jumped over."""
_QUALITY = 85
_CROP_MARGIN = 0.35

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """The values that were used last, as many as fit into some memory. Safe in any thread."""

    def __init__(self, limit: int, size: Callable[[Value], int]) -> None:
        self._limit, self._size = limit, size
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()
        self.nbytes = 0

    def get(self, key: Key) -> Value | None:
        """Return a value, which is then the one used last."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Key, value: Value) -> None:
        """Keep a value, and forget those that have not been used for longest."""
        with self._lock:
            old = self._values.pop(key, None)
            self.nbytes += self._size(value) - (0 if old is None else self._size(old))
            self._values[key] = value
            while self.nbytes > self._limit and len(self._values) > 1:
                self.nbytes -= self._size(self._values.popitem(last=False)[1])

    def __contains__(self, key: Key) -> bool:
        return key in self._values


class Frames:
    """Decoded frames by number, read ahead while someone steps or plays.

    Parameters
    ----------
    reader
        Reads the frames.
    frame_count
        How many there are.
    """

    def __init__(self, reader: FrameReader, frame_count: int) -> None:
        self._reader = reader
        self._frame_count = frame_count
        self._kept: Recent[int, StillFrame] = Recent(FRAME_BYTES, lambda frame: frame.nbytes)
        self._reading = threading.Lock()
        self._open: Iterator[StillFrame] = iter(())
        self._next: int | None = None
        self._wanted: int | None = None
        self._waiting = 0
        self._is_closed = False
        self._asked = threading.Condition()
        self._ahead = threading.Thread(target=self._read_ahead, daemon=True, name="faceveil-ahead")
        self._ahead.start()

    def get(self, number: int) -> StillFrame:
        """Return a frame, which must not be written to.

        Raises
        ------
        InputError
            Where it cannot be read.
        """
        frame = self._kept.get(number)
        if frame is None:
            with self._asked:
                self._waiting += 1
            try:
                with self._reading:
                    frame = self._kept.get(number) or self._read(number)
            finally:
                with self._asked:
                    self._waiting -= 1
        with self._asked:
            self._wanted = number
            self._asked.notify()
        if frame is None:
            raise InputError(f"frame {number} cannot be read")
        return frame

    def close(self) -> None:
        """Stop reading ahead, and close the file."""
        with self._asked:
            self._is_closed = True
            self._asked.notify()
        self._ahead.join()
        with self._reading:
            self._leave()

    def _read(self, number: int) -> StillFrame | None:
        """Read on to a frame, or jump to it; None where it cannot be read."""
        if self._next is None or not self._next <= number <= self._next + _SKIPPED:
            self._leave()
            self._open = self._reader.frames_from(number)
        for frame in self._open:
            self._next = frame.number + 1
            self._kept.put(frame.number, frame)
            if frame.number >= number:
                return frame if frame.number == number else None
        self._leave()
        return None

    def _leave(self) -> None:
        close = getattr(self._open, "close", None)
        if close is not None:
            close()
        self._open, self._next = iter(()), None

    def _read_ahead(self) -> None:
        """Keep the frames behind the one that was asked for last at hand."""
        read_for: int | None = None
        while True:
            with self._asked:
                while not self._is_closed and self._wanted == read_for:
                    self._asked.wait()
                read_for = self._wanted
            if self._is_closed or read_for is None:
                return
            for number in range(read_for + 1, min(read_for + AHEAD + 1, self._frame_count)):
                if self._is_closed or self._wanted != read_for or self._waiting:
                    break
                if number not in self._kept:
                    with self._reading:
                        if number not in self._kept and self._read(number) is None:
                            break


class Pictures:
    """JPEG pictures of frames, of faces and of frames with their veils."""

    def __init__(self, reader: FrameReader, frame_count: int) -> None:
        self._frames = Frames(reader, frame_count)
        self._jpegs: Recent[tuple[object, ...], bytes] = Recent(JPEG_BYTES, len)

    def close(self) -> None:
        """Close the file that frames are read from."""
        self._frames.close()

    def frame(self, number: int, width: int) -> bytes:
        """Return the JPEG of a frame, at most `width` pixels wide. Raises InputError."""
        key = (number, width)
        found = self._jpegs.get(key)
        if found is None:
            found = _jpeg(_at_most(self._frames.get(number).rgb(), width))
            self._jpegs.put(key, found)
        return found

    def veiled(
        self, number: int, width: int, version: object, veil: Callable[[StillFrame], object]
    ) -> bytes:
        """Return the JPEG of a frame that `veil` draws into.

        Pictures of the same `version` are taken to be the same.
        """
        key = (number, width, version)
        found = self._jpegs.get(key)
        if found is None:
            frame = self._frames.get(number).copy()
            veil(frame)
            found = _jpeg(_at_most(frame.rgb(), width))
            self._jpegs.put(key, found)
        return found

    def crop(self, number: int, box: Floats, size: int) -> bytes:
        """Return the JPEG of a square around a box, `size` pixels wide. Raises InputError."""
        key = ("crop", number, tuple(box.tolist()), size)
        found = self._jpegs.get(key)
        if found is None:
            found = _jpeg(square_around(self._frames.get(number).rgb(), box, size))
            self._jpegs.put(key, found)
        return found

    def rgb(self, number: int) -> Image:
        """Return a frame, RGB uint8 [H, W, 3]. Raises InputError."""
        return self._frames.get(number).rgb()


def square_around(image: Image, box: Floats, size: int) -> Image:
    """The square around a box with some margin, black where it leaves the frame."""
    x1, y1, x2, y2 = box.tolist()
    half = max(x2 - x1, y2 - y1, 2) * (0.5 + _CROP_MARGIN)
    scale = size / (2 * half)
    left, top = (x1 + x2) / 2 - half, (y1 + y2) / 2 - half
    move = np.array([[scale, 0, -scale * left], [0, scale, -scale * top]])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    if scale < 0.5:  # warping does not average: halve what is far too large first
        height, width = image.shape[:2]
        a, b = max(int(top), 0), min(int(top + 2 * half) + 1, height)
        c, d = max(int(left), 0), min(int(left + 2 * half) + 1, width)
        if a < b and c < d:
            part = image[a:b, c:d]
            small = cv2.resize(
                part,
                (max(1, round((d - c) * scale)), max(1, round((b - a) * scale))),
                interpolation=cv2.INTER_AREA,
            )
            square = np.zeros((size, size, 3), np.uint8)
            y, x = max(0, round((a - top) * scale)), max(0, round((c - left) * scale))
            rows, columns = min(small.shape[0], size - y), min(small.shape[1], size - x)
            square[y : y + rows, x : x + columns] = small[:rows, :columns]
            return square
    return np.asarray(cv2.warpAffine(image, move, (size, size), flags=way), np.uint8)


def _at_most(image: Image, width: int) -> Image:
    height = image.shape[0]
    if image.shape[1] <= width:
        return image
    size = (width, max(1, round(height * width / image.shape[1])))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _jpeg(image: Image) -> bytes:
    done, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    if not done:
        raise InputError("a frame could not be encoded as JPEG")
    return encoded.tobytes()
