"""In which frames a face is recognised: where its feature decides something.

A sequence keeps at most 32 features, and between frames in which a face hardly changes one more
feature says nothing new. A face is recognised when it is new, when it is close to another one,
when it suddenly looks different, and every few frames. Two features of a face that contradict each
other are a doubt: the face is then recognised in all frames between them as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import compress
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import centres, sides, sizes
from faceveil.detect.analyzer import Unrecognised
from faceveil.faces import Floats, FrameFaces, Image
from faceveil.identity.templates import CLEAR_SCORE, MIN_FACE_SIZE

INTERVALS = ((32, 4), (128, 8))
"""Of a face followed for fewer frames than the first number, how many frames lie between two
features; the samples of a sequence are as far apart (`FeatureSamples`)."""
LONGEST_INTERVAL = 16
LONGEST_ABSENCE = 12
"""For so many frames a face that is no longer seen may still be followed (`SequenceOptions`)."""
NEAR, SIZE_FACTOR = 1.25, 2.0
"""Face sizes between two centres, and the ratio of two sizes, up to which two faces may be one: a
little more than what following allows (`MotionDistance`)."""
FAR = 3.0
"""Face sizes between two centres beyond which two faces have nothing to do with each other."""
MARGIN, MARGIN_PER_MOTION = 0.5, 3.0
"""How far away every other face must be, in face sizes, and how much farther for each face size
that the face has moved: where a fast face goes next is uncertain."""
LOOKS_ALIKE = 0.8
"""Correlation of two aligned crops from which they show the same face. From one frame to the next
it is 0.97 in the middle; of two people in one frame of a real clip 0.77 in 99 of 100 cases."""
OTHER_PICTURE = 20.0
"""Grey levels by which thumbnails of two frames differ from which a cut may lie between them: with
people who move fast 8 are usual."""
BEFORE_A_DOUBT = 3
"""How many faces before a doubt are recognised, for following to remember who was there."""
AGREES = 0.5
"""The cosine of two features of one face from which they do not contradict each other."""
_LOOK = 16
_MIDDLE = 0.7
"""The share of a crop's sides that is compared: little but the face."""


@runtime_checkable
class DetectsFirst(Protocol):
    """An analyzer that detects faces and recognises them apart, both from several threads."""

    def detect(self, image: Image) -> Unrecognised:
        """Return the faces of a picture, RGB uint8 [H, W, 3], with features of zeros."""
        ...

    def recognise(self, crops: Image) -> Floats:
        """Return the features float32 [n, D] of crops uint8 [n, S, S, 3]."""
        ...


@dataclass(slots=True, eq=False)
class _Face:
    """A face of one frame that is worth recognising; `row` is its place in the frame."""

    frame: Unrecognised
    at: int
    box: Floats
    look: Floats
    is_clear: bool

    @property
    def crop(self) -> Image:
        crop: Image = self.frame.crops[self.at]
        return crop

    @property
    def feature(self) -> Floats:
        feature: Floats = self.frame.faces.features[self.frame.rows[self.at]]
        return feature


@dataclass(slots=True, eq=False)
class _Known:
    """A face that is followed: where and how it was last seen, and when it was recognised.

    `skipped` are its faces since it was last recognised. Up to the frame `doubted` it is recognised
    in every frame, since another face that was in its place may still be followed.
    """

    first: int
    frame: int
    face: _Face
    recognised: int
    recognised_clearly: int
    feature: Floats
    doubted: int = -1
    skipped: list[_Face] = field(default_factory=list)

    def is_due(self, frame: int, is_clear: bool) -> bool:
        age = frame - self.first
        interval = next((step for below, step in INTERVALS if age < below), LONGEST_INTERVAL)
        since = self.recognised_clearly if is_clear else self.recognised
        return frame <= self.doubted or frame - since >= interval


def recognise_seldom(
    frames: Iterable[tuple[int, Unrecognised]], analyzer: DetectsFirst
) -> Iterator[tuple[int, FrameFaces]]:
    """Yield the faces of successive frames, with features where they decide something.

    Parameters
    ----------
    frames : iterable of (int, Unrecognised)
        Frame numbers in order, and the faces that the analyzer detected.
    analyzer : DetectsFirst

    Notes
    -----
    Frames come up to `LONGEST_INTERVAL` frames late. Faces with a side shorter than
    `MIN_FACE_SIZE` are never recognised, since no feature of them is trusted.
    """
    following = _Following(analyzer)
    held: deque[tuple[int, FrameFaces]] = deque()
    for number, frame in frames:
        following.push(number, frame)
        held.append((number, frame.faces))
        if len(held) > LONGEST_INTERVAL:
            yield held.popleft()
    yield from held


def recognise_trusted(analyzer: DetectsFirst, image: Image) -> FrameFaces:
    """Return the faces of a picture, RGB uint8 [H, W, 3], with features of those that are large
    enough for these to be trusted."""
    frame = analyzer.detect(image)
    at = _large(frame)
    frame.faces.features[frame.rows[at]] = analyzer.recognise(frame.crops[at])
    return frame.faces


class _Following:
    """Follows faces from frame to frame by place and look, as far as both are beyond doubt."""

    def __init__(self, analyzer: DetectsFirst) -> None:
        self._analyzer = analyzer
        self._known: list[_Known] = []
        self._thumbnail: Image | None = None

    def push(self, number: int, frame: Unrecognised) -> None:
        """Take the faces of the next frame, and recognise those for which it is time."""
        if self._may_be_cut(frame.faces.thumbnail):
            self._known = []
        self._known = [one for one in self._known if number - one.frame <= LONGEST_ABSENCE]
        faces = _worth_recognising(frame)
        same, doubted = self._followed(frame, faces)
        is_due = [
            known is None
            or known.is_due(number, face.is_clear)
            or float(known.face.look @ face.look) < LOOKS_ALIKE
            for face, known in zip(faces, same, strict=True)
        ]
        self._recognise(list(compress(faces, is_due)))
        for face, known, is_recognised, is_doubted in zip(
            faces, same, is_due, doubted.tolist(), strict=True
        ):
            self._update(number, face, known, is_recognised, is_doubted)

    def _may_be_cut(self, thumbnail: Image | None) -> bool:
        before, self._thumbnail = self._thumbnail, thumbnail
        if before is None or thumbnail is None:
            return True
        return float(cv2.absdiff(before, thumbnail).mean()) >= OTHER_PICTURE

    def _followed(
        self, frame: Unrecognised, faces: list[_Face]
    ) -> tuple[list[_Known | None], NDArray[np.bool_]]:
        """The known face in the place of each face, and where several may be meant.

        These are forgotten, and their last faces recognised.
        """
        boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
        before = np.array([one.face.box for one in self._known], np.float32).reshape(-1, 4)
        away = _away(before, boxes)
        _, next_face = _two_least(_away(frame.faces.boxes[frame.rows], boxes))  # after itself
        nearest, next_known = _two_least(away)
        _, next_of_known = _two_least(away.T)
        found: list[_Known | None] = []
        free, doubted = np.ones(len(self._known), bool), np.zeros(len(faces), bool)
        for column in range(len(faces)):
            known = None
            margin = MARGIN + MARGIN_PER_MOTION * nearest[column]
            if nearest[column] <= NEAR:
                row = int(away[:, column].argmin())
                rivals = (next_known[column], next_of_known[row], next_face[column])
                if min(*rivals, FAR) >= min(margin, FAR):
                    known = self._known[row]
                    free[row] = False
                else:
                    doubted[column] = True
                    doubtful = np.flatnonzero(away[:, column] <= min(margin, NEAR))
                    free[doubtful] = False
                    for one in doubtful.tolist():
                        self._recognise(self._known[one].skipped[-BEFORE_A_DOUBT:])
                        self._known[one].skipped.clear()
            found.append(known)
        self._known = list(compress(self._known, free.tolist()))
        return found, doubted

    def _update(
        self,
        number: int,
        face: _Face,
        known: _Known | None,
        is_recognised: bool,
        is_doubted: bool,
    ) -> None:
        if known is not None and is_recognised:
            if float(known.feature @ face.feature) < AGREES:
                self._recognise(known.skipped)
                known, is_doubted = None, True
            else:
                known.recognised, known.feature = number, face.feature
                known.skipped.clear()
                if face.is_clear:
                    known.recognised_clearly = number
        elif known is not None:
            known.skipped.append(face)
        if known is None:
            clearly = number if face.is_clear else number - LONGEST_INTERVAL
            known = _Known(number, number, face, number, clearly, face.feature)
            if is_doubted:
                known.doubted = number + LONGEST_ABSENCE
        known.frame, known.face = number, face
        self._known.append(known)

    def _recognise(self, faces: list[_Face]) -> None:
        if not faces:
            return
        features = self._analyzer.recognise(np.stack([face.crop for face in faces]))
        for face, feature in zip(faces, features, strict=True):
            face.feature[:] = feature


def _worth_recognising(frame: Unrecognised) -> list[_Face]:
    """The accepted faces that are large enough for their features to be trusted."""
    boxes, scores = frame.faces.boxes[frame.rows], frame.faces.scores[frame.rows]
    return [
        _Face(frame, at, boxes[at], _look(frame.crops[at]), bool(scores[at] >= CLEAR_SCORE))
        for at in _large(frame).tolist()
    ]


def _large(frame: Unrecognised) -> NDArray[np.intp]:
    """Which of the crops show faces that are large enough for their features to be trusted."""
    shorter = sides(frame.faces.boxes[frame.rows]).min(axis=1)
    return np.flatnonzero(shorter >= np.float32(MIN_FACE_SIZE))


def _look(crop: Image) -> Floats:
    """The middle of a crop as a small grey picture of mean 0 and length 1, flat float32."""
    edge = round(len(crop) * (1 - _MIDDLE) / 2)
    middle = np.ascontiguousarray(crop[edge : len(crop) - edge, edge : len(crop) - edge, 1])
    small = cv2.resize(middle, (_LOOK, _LOOK), interpolation=cv2.INTER_AREA)
    flat = small.ravel().astype(np.float32)
    flat -= flat.mean()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-6), np.float32)


def _away(first: Floats, second: Floats) -> Floats:
    """Face sizes between the centres of boxes, float32 [m, n]; infinite where they are far away."""
    away = np.linalg.norm(centres(first)[:, None] - centres(second)[None], axis=-1)
    size, other = sizes(first)[:, None], sizes(second)[None]
    alike = np.maximum(size, other) <= SIZE_FACTOR * np.minimum(size, other)
    away = away / ((size + other) / 2)
    return np.where(alike & (away <= FAR), away, np.inf).astype(np.float32)


def _two_least(values: Floats) -> tuple[Floats, Floats]:
    """The least and the next value of each column of [m, n], infinite where there is none."""
    padded = np.concatenate([values, np.full((2, values.shape[1]), np.inf, np.float32)])
    least = np.sort(padded, axis=0)
    return least[0], least[1]
