"""A picture for the report: synthetic frames in which the second look finds who was overlooked."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from benchmarks.quality.detections import Detections, Detectors, Shown
from faceveil.boxes import overlaps
from faceveil.evaluation.truth import Truth
from faceveil.faces import Floats, Image
from testkit.scenes import CONDITIONS
from testkit.scenes_footage import Footage

SHOWN = ("upside down", "rolled 90 degrees", "noise 60 grey levels", "whip pan")
LOOKS = {"fast": (235, 60, 50), "default": (60, 220, 90)}
"""Colours RGB of what is found without and with the second look."""
SAME_IOU = 0.3


def write_picture(path: Path) -> None:
    """One frame of each of some conditions, side by side, with the boxes of both profiles."""
    detectors = Detectors()
    pictures = []
    for name in SHOWN:
        footage = CONDITIONS[name](0)
        found = {look: detectors(look, Shown(footage)) for look in LOOKS}
        pictures.append(_titled(_drawn(footage, found), name))
    rows = [np.hstack(pictures[at : at + 2]) for at in range(0, len(pictures), 2)]
    small = cv2.resize(np.vstack(rows), None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])


def _drawn(footage: Footage, found: dict[str, Detections]) -> Image:
    """The frame in which the second look adds most."""
    truth, (once, again) = footage.truth, found.values()
    gain = [
        _faces(truth, number, _accepted(again, number))
        - _faces(truth, number, _accepted(once, number))
        for number in range(footage.frame_count)
    ]
    number = int(np.argmax(gain))
    picture = footage.frame(number)
    for width, (look, colour) in zip((4, 1), reversed(LOOKS.items()), strict=True):
        for x1, y1, x2, y2 in np.rint(_accepted(found[look], number)).astype(int).tolist():
            cv2.rectangle(picture, (x1, y1), (x2, y2), colour, width)
    return picture


def _accepted(detections: Detections, number: int) -> Floats:
    faces = detections.frames[number]
    return faces.boxes[faces.accepted]


def _faces(truth: Truth, number: int, boxes: Floats) -> int:
    """How many true faces of a frame have a box on them."""
    rows = (truth.frames == number) & (truth.visible >= 0.5)
    return int((overlaps(truth.boxes[rows], boxes).max(axis=1, initial=0) >= SAME_IOU).sum())


def _titled(picture: Image, title: str) -> Image:
    cv2.putText(picture, title, (10, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 4, cv2.LINE_AA)
    cv2.putText(
        picture, title, (10, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 1, cv2.LINE_AA
    )
    return picture
