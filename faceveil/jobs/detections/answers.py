"""A job's detections, one `<frame name>.out` for each frame, read in frame order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from faceveil.aws.s3_errors import LostObjectError
from faceveil.errors import InputError
from faceveil.faces import FrameError, FrameFaces
from faceveil.parallel import ordered_map

SUFFIX = ".out"
READERS = 32
READ_AT_ONCE = 16
NAMED_AT_MOST = 5

MISSING, EMPTY, MALFORMED = "missing", "empty", "malformed"
"""Codes of the frames that have no answer to read; others come from the server."""


class DetectionStore(Protocol):
    """Where the answers lie: an `S3Location` is one, `DetectionFolder` another."""

    def read(self, name: str) -> bytes:
        """The content of an object, from any thread. Raises LostObjectError when there is none,
        InputError when the store cannot be read at all."""
        ...


@dataclass(frozen=True, slots=True)
class DetectionFolder:
    """Answers as files of a folder, such as a SageMaker Processing Job's input."""

    root: Path

    def read(self, name: str) -> bytes:
        path = self.root / name
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            # Without the folder: hosts that have theirs elsewhere make the same analysis.
            raise LostObjectError(f"{name}: there is no such file") from error
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error


@dataclass(frozen=True, slots=True)
class DetectionFolders:
    """Answers in several folders, such as those of an earlier attempt beside those of this one."""

    folders: tuple[DetectionFolder, ...]

    def read(self, name: str) -> bytes:
        *others, last = self.folders
        for folder in others:
            with suppress(LostObjectError):
                return folder.read(name)
        return last.read(name)

    def frames(self) -> frozenset[str]:
        """The names of the frames that have an answer."""
        paths = (path for folder in self.folders for path in folder.root.glob(f"*{SUFFIX}"))
        return frozenset(path.name.removesuffix(SUFFIX) for path in paths)


@dataclass(slots=True)
class UnknownFrames:
    """The frames whose faces are unknown, for the report.

    by_code: how many for which reason; examples: the first few, each with its reason.
    """

    by_code: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return self.by_code.total()

    def add(self, name: str, error: FrameError) -> None:
        self.by_code[error.code] += 1
        if len(self.examples) < NAMED_AT_MOST:
            self.examples.append(f"{name}: {error.message}")


def read_detections(
    store: DetectionStore,
    frames: Iterable[tuple[int, str]],
    *,
    size: tuple[int, int] | None = None,
    unknown: UnknownFrames | None = None,
    readers: int = READERS,
) -> Iterator[tuple[int, FrameFaces]]:
    """The number and faces of each frame, in order; memory holds about a thousand frames.

    frames: number and name of each frame that exists, in order; the answer of `img0000001.jpg` is
    `img0000001.jpg.out`. size: width and height of the frames (None: those of the first answer).
    A frame whose answer is missing, empty, cannot be understood or says `error` comes with that
    error and without faces: it is unknown (fail closed), and noted in `unknown`.

    Raises InputError when answers come from different networks or have another size than the
    frames, when no frame at all has one, or when the store cannot be read.
    """
    unknown = UnknownFrames() if unknown is None else unknown
    check = _Alike(size)

    def read(batch: Sequence[tuple[int, str]]) -> list[tuple[int, str, FrameFaces]]:
        return [(number, name, _read(store, name)) for number, name in batch]

    # In batches, as handing a frame to a thread costs nearly as much as reading its JSON.
    for answers in ordered_map(read, _batches(frames), readers):
        for number, name, faces in answers:
            if faces.error is None:
                check(name, faces)
            else:
                unknown.add(name, faces.error)
            yield number, faces
    if unknown.count and check.first is None:
        raise InputError(
            f"none of the {unknown.count} frames has detections (of {unknown.examples[0]}): "
            "check that the transform job wrote them here"
        )


def _batches(frames: Iterable[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    rest = iter(frames)
    while batch := list(islice(rest, READ_AT_ONCE)):
        yield batch


def _read(store: DetectionStore, name: str) -> FrameFaces:
    """The faces of a frame, or why there are none to know of."""
    try:
        content = store.read(f"{name}{SUFFIX}")
    except LostObjectError as error:
        return _unknown(MISSING, str(error))
    if not content.strip():
        return _unknown(EMPTY, "its answer is empty")
    try:
        return FrameFaces.from_json(content)
    except InputError as error:
        return _unknown(MALFORMED, str(error))


def _unknown(code: str, message: str) -> FrameFaces:
    return FrameFaces(0, 0, error=FrameError(code, message))


class _Alike:
    """Refuses answers that do not belong together. `first`: name and faces of the first one."""

    def __init__(self, size: tuple[int, int] | None) -> None:
        self.first: tuple[str, FrameFaces] | None = None
        self._size = size
        self._feature_size = 0

    def __call__(self, name: str, faces: FrameFaces) -> None:
        if self.first is None:
            self.first = name, faces
        first_name, first = self.first
        if faces.models != first.models:
            raise InputError(
                f"the detections of {name} come from {_described(faces)}, those of {first_name} "
                f"from {_described(first)}: {_what_to_do(faces, first)}"
            )
        size, expected = (faces.width, faces.height), self._size or (first.width, first.height)
        if size != expected:
            raise InputError(
                f"the detections of {name} are of a frame of {size[0]} x {size[1]}, the frames "
                f"have {expected[0]} x {expected[1]}: these are not the detections of these frames"
            )
        feature_size = faces.features.shape[1]
        self._feature_size = self._feature_size or feature_size
        if feature_size not in (0, self._feature_size):
            raise InputError(
                f"the detections of {name} have features of {feature_size} numbers, earlier ones "
                f"of {self._feature_size}: detect all frames with one recogniser"
            )


def _described(faces: FrameFaces) -> str:
    models = faces.models
    if models is None:
        return "networks that are not named"
    return f"{models.detector} and {models.recognizer} on {models.engine} ({models.digest})"


def _what_to_do(faces: FrameFaces, first: FrameFaces) -> str:
    """How to get detections that belong together."""
    if faces.models and first.models and faces.models.engine != first.models.engine:
        return (
            "their precision differs; set FACEVEIL_ENGINE to one engine for all machines of the "
            "job, such as onnxruntime, and detect all frames again"
        )
    return "detect all frames with the same networks and settings"
