"""Pictures of the people who are kept, cut out of the output, for the report.

They are taken from veiled frames, so that they show no more than the output does: a veiled person
beside one who is kept is veiled in the picture, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import cv2
import numpy as np

from faceveil.analysis import Analysis
from faceveil.assure.contact_sheet import best_boxes, face_crop
from faceveil.faces import FaceSequence, Floats, Image

MOST_PEOPLE = 100
PER_PERSON = 3
SIZE = 128
"""Width and height in pixels."""
_JPEG_QUALITY = 85


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """A picture of a person who is kept.

    Attributes
    ----------
    identity, frame : int
    jpeg : bytes
    """

    identity: int
    frame: int
    jpeg: bytes

    def to_dict(self) -> dict[str, str | int]:
        """Return what report.json says of it: the picture itself is only in report.html."""
        digest = f"sha256:{sha256(self.jpeg).hexdigest()}"
        return {"identity": self.identity, "frame": self.frame, "digest": digest}


class KeptPictures:
    """Collects the pictures while the output is rendered.

    Parameters
    ----------
    analysis : Analysis

    Notes
    -----
    At most 100 people, those kept for the longest, with 3 pictures each: memory stays below 10 MB.
    """

    def __init__(self, analysis: Analysis) -> None:
        people: dict[int, list[FaceSequence]] = {}
        for index in np.flatnonzero(~analysis.veiled).tolist():
            number = int(analysis.identities[index])
            people.setdefault(number, []).append(analysis.sequences[index])
        longest = sorted(people, key=lambda number: (-sum(map(len, people[number])), number))
        self._wanted: dict[int, list[tuple[int, Floats]]] = {}
        for number in longest[:MOST_PEOPLE]:
            for frame, box in best_boxes(people[number], PER_PERSON).items():
                self._wanted.setdefault(frame, []).append((number, box))
        self._pictures: list[KeptPicture] = []

    @property
    def wanted_frames(self) -> frozenset[int]:
        """The frames that `add` is to be called with."""
        return frozenset(self._wanted)

    def add(self, frame: int, picture: Image) -> None:
        """Cut the faces out of one of `wanted_frames` of the output, RGB uint8 [H, W, 3]."""
        for identity, box in self._wanted.get(frame, ()):
            face = face_crop(picture, box, SIZE)
            quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
            jpeg = cv2.imencode(".jpg", face[..., ::-1], quality)[1]
            self._pictures.append(KeptPicture(identity, frame, jpeg.tobytes()))

    @property
    def pictures(self) -> list[KeptPicture]:
        """The pictures so far, by identity and frame."""
        return sorted(self._pictures, key=lambda item: (item.identity, item.frame))
