"""Amazon Rekognition DetectFaces as a detector: each frame is a request over the network.

Rekognition finds faces from 40 pixels in a picture of 1920 x 1080, in proportion in larger ones,
and returns the 100 largest of a picture.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from faceveil.aws.clients import rekognition_client
from faceveil.aws.rekognition_errors import translated
from faceveil.boxes import centres, suppress
from faceveil.detect.detector import Detected
from faceveil.errors import InputError
from faceveil.faces import Floats, Image

if TYPE_CHECKING:
    from types_boto3_rekognition import RekognitionClient
    from types_boto3_rekognition.type_defs import FaceDetailTypeDef

NAME = "rekognition"
MOST_BYTES = 5 * 1024 * 1024
"""The largest picture that can be sent with a request."""
LEAST_SIDE = 80
"""Rekognition refuses pictures of less width or height."""
MOST_FACES = 100
"""Only the largest 100 faces of a picture are returned."""
LANDMARKS = ("eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight")
"""In the order of `FrameFaces.landmarks`; in both left and right are those of the picture."""
_QUALITIES = (95, 85, 75)
_PART = 0.6
"""Width and height of the four overlapping parts of a picture with many faces."""
_MOST_HALVINGS = 3
_SAME_FACE_IOU = 0.5


class RekognitionDetector:
    """Detector that asks Rekognition. Safe to call from several threads.

    A picture with 100 faces may have more, so its four quarters are sent too, and theirs. Every
    face returned counts: Rekognition leaves out doubtful ones.
    """

    name = NAME

    def __init__(self, client: RekognitionClient | None = None, accept_score: float = 0.5) -> None:
        self.accept_score = accept_score
        self._client = client or rekognition_client(None)

    def detect(self, image: Image) -> Detected:
        """Return the faces of a picture, RGB uint8 [H, W, 3], best score first.

        Raises
        ------
        InputError
            When Rekognition refuses, stays busy after several attempts or cannot be reached, and
            when even small parts of the picture have 100 faces.
        """
        return self._detect_in_parts(image, _MOST_HALVINGS)

    def _detect_in_parts(self, image: Image, halvings: int) -> Detected:
        height, width = image.shape[:2]
        found = self._request(image)
        if len(found) < MOST_FACES:
            return found
        if not halvings or min(height, width) < 2 * LEAST_SIDE:
            raise InputError(
                f"Rekognition finds {MOST_FACES} faces or more in {width} x {height} pixels and "
                "answers no more than that: use a detector of faceveil for such crowds"
            )
        logging.getLogger(__name__).warning(
            "Rekognition answered %d faces, the most it does, for a picture of %d x %d: looking at "
            "its quarters for more",
            MOST_FACES,
            width,
            height,
        )
        parts = [found]
        for top in (0, height - round(_PART * height)):
            for left in (0, width - round(_PART * width)):
                part = image[top : top + round(_PART * height), left : left + round(_PART * width)]
                parts.append(self._detect_in_parts(part, halvings - 1).moved(left, top))
        found = Detected.joined(parts)
        return found.select(suppress(found.boxes, found.scores, _SAME_FACE_IOU))

    def _request(self, image: Image) -> Detected:
        height, width = image.shape[:2]
        # Black on the right and at the bottom moves no face.
        room = max(LEAST_SIDE - height, 0), max(LEAST_SIDE - width, 0)
        if any(room):
            image = np.pad(image, ((0, room[0]), (0, room[1]), (0, 0)))
        with translated(f"a picture of {width} x {height} pixels", InputError):
            answer = self._client.detect_faces(Image={"Bytes": jpeg(image)})
        return detected(answer["FaceDetails"], image.shape[1], image.shape[0])


def detected(details: Sequence[FaceDetailTypeDef], width: int, height: int) -> Detected:
    """Return Rekognition's faces in pixels of a picture; boxes may reach over its edges."""
    boxes = np.array([relative_box(face["BoundingBox"]) for face in details], np.float32)
    boxes = boxes.reshape(-1, 4) * np.array([width, height] * 2, np.float32)
    scores = np.array([face["Confidence"] / 100 for face in details], np.float32)
    # A landmark that was not returned lies in the centre.
    points: Floats = np.repeat(centres(boxes)[:, None], len(LANDMARKS), axis=1)
    for row, face in enumerate(details):
        for landmark in face.get("Landmarks", []):
            if landmark["Type"] in LANDMARKS:
                place = landmark["X"] * width, landmark["Y"] * height
                points[row, LANDMARKS.index(landmark["Type"])] = place
    order = np.argsort(-scores, kind="stable")
    return Detected(boxes, scores, points).select(order)


def relative_box(box: Any) -> tuple[float, float, float, float]:  # noqa: ANN401, in and out differ
    """Return x1, y1, x2, y2 of a BoundingBox, as shares of the picture."""
    return box["Left"], box["Top"], box["Left"] + box["Width"], box["Top"] + box["Height"]


def jpeg(image: Image) -> bytes:
    """Return a picture RGB uint8 [H, W, 3] as a JPEG of at most 5 MB: coarser, then smaller."""
    picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    while True:
        for quality in _QUALITIES:
            _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if len(encoded) <= MOST_BYTES:
                return encoded.tobytes()
        picture = cv2.resize(picture, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
