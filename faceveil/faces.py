"""The data that flows between the stages: faces in a frame, and faces followed through a shot.

Boxes are `x1, y1, x2, y2` in pixels of the upright frame, float32; frames are 0-based numbers.
Features are L2-normalised float32 rows; a row of zeros means "no feature was computed".
"""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from faceveil.errors import InputError

Image: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int32]

THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT = 48, 27
LOW_SCORE = 0.2
DETECTIONS_VERSION = 1
KINDS_VERSION = 2
"""Of detections with objects other than faces: a reader that knows none of them refuses it."""
MAX_FEATURE_SAMPLES = 32
FIRST_ENGINE = "onnxruntime"
"""What ran all networks when detections and analyses did not name it."""


_NOT_THE_FORMAT = (KeyError, TypeError, ValueError, OverflowError, AttributeError, struct.error)


class Kind(IntEnum):
    """What is detected and followed. All but faces are veiled unless a person corrects that."""

    FACE = 0
    HEAD = 1
    PLATE = 2
    PERSON = 3
    SCREEN = 4
    OTHER = 5

    @property
    def word(self) -> str:
        """Its name in files and options."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Kind:
        """Return the kind of a word. Raises ValueError, listing the words, for any other."""
        for kind in cls:
            if kind.word == word:
                return kind
        raise ValueError(f"{word!r} is none of {', '.join(kind.word for kind in cls)}")


class Provenance(IntEnum):
    """Where a box of a sequence comes from.

    `MANUAL` was drawn by a person, `TRACKED` followed from such a box by its pixels.
    """

    DETECTED = 0
    LOW_SCORE = 1
    INTERPOLATED = 2
    EXTENDED = 3
    TRACKED = 4
    MANUAL = 5


@dataclass(frozen=True, slots=True)
class Models:
    """Which networks made a detection.

    Attributes
    ----------
    detector, recognizer : str
        Names of the networks; behind the detector of faces, those of other kinds.
    digest : str
        "sha256:<hex>" over weight files and settings, so that results of different networks are
        never mixed.
    accept_score : float
        The score from which a face counts as detected. Below it, down to `LOW_SCORE`, a face may
        extend a sequence but never start one.
    engine : str
        What ran the networks and in which precision (`weights.engines`); where they ran on several
        engines, each network with its own. It is part of the digest.
    """

    detector: str
    recognizer: str
    digest: str
    accept_score: float
    engine: str = FIRST_ENGINE

    @property
    def beside_faces(self) -> frozenset[str]:
        """The names of the detectors of other kinds, which follow the one of faces."""
        return frozenset(self.detector.split(", ")[1:])

    def to_dict(self) -> dict[str, Any]:
        return {
            "detector": self.detector,
            "recognizer": self.recognizer,
            "digest": self.digest,
            "accept_score": self.accept_score,
            "engine": self.engine,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Models:
        return cls(
            str(data["detector"]),
            str(data["recognizer"]),
            str(data["digest"]),
            float(data["accept_score"]),
            str(data.get("engine", FIRST_ENGINE)),
        )


@dataclass(frozen=True, slots=True)
class FrameError:
    """Why a frame that exists has no detections: a code for programs, a message for people."""

    code: str
    message: str


def _empty(*shape: int) -> Floats:
    return np.zeros(shape, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class FrameFaces:
    """All faces of one frame, as columns.

    Attributes
    ----------
    width, height : int
        Size of the upright frame in pixels.
    models : Models, optional
        The networks that made the detections.
    boxes : ndarray of float32 [n, 4]
        x1, y1, x2, y2 in pixels.
    scores : ndarray of float32 [n]
        Confidence of the detector, from 0 to 1.
    landmarks : ndarray of float32 [n, 5, 2]
        x, y in pixels of eyes, nose and mouth corners, left to right as seen in the picture.
    features : ndarray of float32 [n, D]
        L2-normalised; a row of zeros where no feature was computed.
    thumbnail : ndarray of uint8 [27, 48, 3], optional
        The frame in RGB, for shot transitions.
    error : FrameError, optional
        Set when the frame could not be read; there are no faces then.
    hidden : tuple of str, optional
        What the frame's file holds beside its picture, such as a thumbnail; empty where that is
        nothing, None where it is not known.
    kinds : ndarray of uint8 [n], optional
        The `Kind` of each; None where all are faces.
    """

    width: int
    height: int
    models: Models | None = None
    boxes: Floats = field(default_factory=lambda: _empty(0, 4))
    scores: Floats = field(default_factory=lambda: _empty(0))
    landmarks: Floats = field(default_factory=lambda: _empty(0, 5, 2))
    features: Floats = field(default_factory=lambda: _empty(0, 0))
    thumbnail: Image | None = None
    error: FrameError | None = None
    hidden: tuple[str, ...] | None = None
    kinds: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    def of_kind(self, kind: Kind) -> FrameFaces:
        """Return the objects of one kind."""
        if self.kinds is None:
            return self if kind == Kind.FACE else self.select(np.zeros(0, np.intp))
        part = self.select(np.flatnonzero(self.kinds == kind))
        if kind == Kind.FACE:
            return replace(part, kinds=None)
        return replace(part, features=_empty(len(part), 0))

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """bool [n]: the faces that reach the detector's own threshold."""
        threshold = self.models.accept_score if self.models else 0.0
        accepted: NDArray[np.bool_] = self.scores >= np.float32(threshold)
        return accepted

    def select(self, index: NDArray[Any]) -> FrameFaces:
        """Return the faces of an index or a mask [n], in that order."""
        return replace(
            self,
            boxes=self.boxes[index],
            scores=self.scores[index],
            landmarks=self.landmarks[index],
            features=self.features[index],
            kinds=None if self.kinds is None else self.kinds[index],
        )

    def to_json(self, feature_decimals: int | None = None) -> bytes:
        """Return the detections as UTF-8 JSON: what /invocations answers for this frame.

        Parameters
        ----------
        feature_decimals : int, optional
            Round features to that many digits; None keeps float32 exactly.

        Notes
        -----
        The format is detections.schema.json.
        """
        if self.error is not None:
            error = {"code": self.error.code, "message": self.error.message}
            return orjson.dumps({"version": DETECTIONS_VERSION, "error": error, "faces": []})
        # orjson takes rows of contiguous arrays only, and some detectors return views.
        boxes, landmarks = map(np.ascontiguousarray, (self.boxes, self.landmarks))
        features: NDArray[Any] = np.ascontiguousarray(self.features)
        if feature_decimals is not None:
            features = np.round(features.astype(np.float64), feature_decimals)
        has_feature: NDArray[np.bool_] = np.asarray((self.features != 0).any(axis=1))
        kinds = [{}] * len(self) if self.kinds is None else _kind_fields(self.kinds)
        document: dict[str, Any] = {
            "version": KINDS_VERSION if any(kinds) else DETECTIONS_VERSION,
            "width": self.width,
            "height": self.height,
            "models": self.models.to_dict() if self.models else None,
            "faces": [
                {
                    "bbox": boxes[i],
                    "score": self.scores[i],
                    "landmarks": landmarks[i],
                    "feat": features[i] if has_feature[i] else None,
                    **kinds[i],
                }
                for i in range(len(self))
            ],
        }
        if self.hidden is not None:
            document["hidden"] = list(self.hidden)
        if self.thumbnail is not None:
            document["thumbnail"] = base64.b64encode(self.thumbnail.tobytes()).decode("ascii")
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)

    @classmethod
    def from_json(cls, data: bytes | str) -> FrameFaces:
        """Read the detections of one frame.

        Raises
        ------
        InputError
            When the text is not a detections document of version 1 or 2.
        """
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise InputError(f"detections are not JSON: {error}") from error
        try:
            return _frame_faces(document)
        except _NOT_THE_FORMAT as error:
            raise InputError(
                f"detections do not follow version {DETECTIONS_VERSION} of the format: {error!r}"
            ) from error


def _kind_fields(kinds: NDArray[np.uint8]) -> list[dict[str, str]]:
    """The field of each object that says its kind; none for a face."""
    words = [{} if kind == Kind.FACE else {"kind": kind.word} for kind in Kind]
    return [words[kind] for kind in kinds.tolist()]


def _frame_faces(document: dict[str, Any]) -> FrameFaces:
    if document["version"] not in (DETECTIONS_VERSION, KINDS_VERSION):
        raise ValueError(f"version is {document['version']!r}")
    error = document.get("error")
    if error is not None:
        return FrameFaces(0, 0, error=FrameError(str(error["code"]), str(error["message"])))
    table = _face_table(document["faces"])
    kinds = [Kind.of(face.get("kind", "face")) for face in document["faces"]]
    thumbnail = None
    if document.get("thumbnail") is not None:
        raw = base64.b64decode(document["thumbnail"], validate=True)
        thumbnail = np.frombuffer(raw, np.uint8).reshape(THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, 3)
    hidden = document.get("hidden")
    return FrameFaces(
        width=int(document["width"]),
        height=int(document["height"]),
        models=Models.from_dict(document["models"]),
        boxes=table[:, :4].copy(),
        scores=table[:, 4].copy(),
        landmarks=table[:, 5:15].reshape(-1, 5, 2),
        features=table[:, 15:].copy(),
        thumbnail=thumbnail,
        hidden=None if hidden is None else tuple(map(str, hidden)),
        kinds=np.array(kinds, np.uint8) if any(kinds) else None,
    )


def _face_table(faces: list[dict[str, Any]]) -> Floats:
    """The numbers of faces float32 [n, 4 + 1 + 10 + D]: box, score, landmarks, feature.

    Detections are mostly these numbers, and a job has millions of frames: `struct` turns them into
    floats three times as fast as NumPy.
    """
    size = max((len(face["feat"]) for face in faces if face["feat"] is not None), default=0)
    values: list[float] = []
    for face in faces:
        feature = [0.0] * size if face["feat"] is None else face["feat"]
        box, points = face["bbox"], face["landmarks"]
        if (len(box), len(points), len(feature)) != (4, 5, size):
            raise ValueError("a box, landmarks or a feature has the wrong number of values")
        values += box
        values.append(face["score"])
        for x, y in points:
            values += x, y
        values += feature
    table = np.empty((len(faces), 15 + size), np.float32)
    struct.pack_into(f"={len(values)}f", table.data, 0, *values)
    if not np.isfinite(table).all():
        raise ValueError("not all numbers are finite")
    return table


@dataclass(frozen=True, slots=True, eq=False)
class FaceSequence:
    """One face, or another object, followed through the frames of one shot, as columns.

    Attributes
    ----------
    frames : ndarray of int32 [n]
        0-based, strictly rising.
    boxes : ndarray of float32 [n, 4]
        x1, y1, x2, y2 in pixels of the upright frame.
    scores : ndarray of float32 [n]
        Confidence of the detector; 0 where the box was not detected.
    provenance : ndarray of uint8 [n]
        Where each box comes from, a `Provenance`.
    shot : int
        Number of the shot, from 0.
    features : ndarray of float32 [k, D]
        Samples of the face's feature spread over the sequence, at most 32, so that hours of video
        fit in memory.
    feature_frames : ndarray of int32 [k]
        The frames of these samples.
    feature_quality : ndarray of float32 [k]
        Their quality: the larger, the more a sample counts.
    kind : Kind
        What it follows.
    """

    frames: Ints
    boxes: Floats
    scores: Floats
    provenance: NDArray[np.uint8]
    shot: int = 0
    feature_frames: Ints = field(default_factory=lambda: np.zeros(0, np.int32))
    feature_quality: Floats = field(default_factory=lambda: _empty(0))
    features: Floats = field(default_factory=lambda: _empty(0, 0))
    kind: Kind = Kind.FACE

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def first(self) -> int:
        return int(self.frames[0])

    @property
    def last(self) -> int:
        return int(self.frames[-1])

    def overlaps(self, other: FaceSequence) -> bool:
        """Whether both have a box on the same frame, which makes them two people."""
        if self.last < other.first or other.last < self.first:
            return False
        return bool(np.isin(self.frames, other.frames, assume_unique=True).any())

    def box_at(self, frame: int) -> Floats | None:
        """Return the box float32 [4] on a frame, or None where the sequence has none."""
        index = int(np.searchsorted(self.frames, frame))
        if index < len(self.frames) and self.frames[index] == frame:
            box: Floats = self.boxes[index]
            return box
        return None

    def with_boxes(self, frames: Ints, boxes: Floats, provenance: Provenance) -> FaceSequence:
        """Return the sequence with boxes on more frames.

        Parameters
        ----------
        frames : ndarray of int32 [m]
            Frames on which the sequence has no box yet, in any order.
        boxes : ndarray of float32 [m, 4]
            The boxes on these frames; they get score 0.
        provenance : Provenance
            Where all of these boxes come from.
        """
        count = len(frames)
        order = np.argsort(np.concatenate([self.frames, frames]))
        origins = np.concatenate([self.provenance, np.full(count, provenance, np.uint8)])
        return replace(
            self,
            frames=np.concatenate([self.frames, frames])[order],
            boxes=np.concatenate([self.boxes, boxes])[order].astype(np.float32, copy=False),
            scores=np.concatenate([self.scores, np.zeros(count, np.float32)])[order],
            provenance=origins[order],
        )


@dataclass(frozen=True, slots=True, eq=False)
class DetectionLog:
    """Every accepted detection of a video, before any smoothing: what coverage is checked against.

    Attributes
    ----------
    frames : ndarray of int32 [m]
    boxes : ndarray of float32 [m, 4]
        Pixels of the upright frame.
    sequence : ndarray of int32 [m]
        Index of the sequence that holds the detection, -1 for none: such a face is always veiled.
    """

    frames: Ints
    boxes: Floats
    sequence: Ints

    def __len__(self) -> int:
        return len(self.frames)

    def joined(self, other: DetectionLog, sequences: int) -> DetectionLog:
        """Return both logs as one, where the other's sequences follow `sequences` of this one."""
        numbers = np.where(other.sequence < 0, -1, other.sequence + sequences)
        frames = np.concatenate([self.frames, other.frames])
        order = np.argsort(frames, kind="stable")
        return DetectionLog(
            frames[order],
            np.concatenate([self.boxes, other.boxes])[order],
            np.concatenate([self.sequence, numbers.astype(np.int32)])[order],
        )
