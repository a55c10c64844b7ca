"""A Rekognition that answers face searches from the truth of a synthetic clip.

It keeps collections and jobs as the real one does, pages its answers, and needs some time. What it
answers is of the documented shape (checked by rekognition_service); no picture is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from faceveil.evaluation.truth import Truth
from testkit.servers.rekognition_service import (
    Answer,
    Fault,
    RekognitionService,
    Request,
    face_detail,
)

FACE_ID = "11111111-2222-3333-4444-555555555555"
RATE = 25


def look(
    milliseconds: int,
    index: int,
    box: ArrayLike | None,
    size: tuple[int, int],
    matches: Mapping[str, float] | None = None,
    confidence: float = 99.9,
) -> Answer:
    """A PersonMatch: matches are the similarities in percent by ExternalImageId."""
    person: dict[str, Any] = {
        "Index": index,
        "BoundingBox": {"Left": 0.1, "Top": 0.1, "Width": 0.5, "Height": 0.9},
    }
    if box is not None:
        person["Face"] = face_detail(box, *size, confidence=confidence)
    answer: Answer = {"Timestamp": milliseconds, "Person": person}
    if matches is not None:
        answer["FaceMatches"] = [
            {
                "Similarity": similarity,
                "Face": {"FaceId": FACE_ID, "ExternalImageId": name, "Confidence": 99.9},
            }
            for name, similarity in matches.items()
        ]
    return answer


def looks_at(
    truth: Truth,
    interval: int,
    matches: Mapping[str, Mapping[str, float]],
    least_seen: float = 0.3,
) -> list[Answer]:
    """What Rekognition sees of a clip's truth, every `interval` frames.

    matches: the FaceMatches of each person of the truth, others have none.
    """
    seen = truth.seen.mean(axis=(1, 2)) / 0.785 >= least_seen
    rows = np.flatnonzero(seen & (truth.frames % interval == 0))
    size = truth.width, truth.height
    return [
        look(
            round(1000 * int(truth.frames[row]) / RATE),
            int(truth.track[row]),
            truth.boxes[row],
            size,
            matches.get(truth.people[truth.person[row]]),
        )
        for row in rows
    ]


class MadeRekognition(RekognitionService):
    """Keeps collections and searches.

    Parameters
    ----------
    looks
        What a search answers, one PersonMatch each.
    size
        Width and height of the video.
    busy
        How many times a search is in progress before it has ended.
    status, message
        How it ends.
    options
        Those of `RekognitionService`.

    Attributes
    ----------
    indexed
        Whether the face of a photo is indexed.
    unindexed
        The UnindexedFaces of each photo.
    """

    def __init__(
        self,
        looks: Sequence[Answer],
        size: tuple[int, int],
        *,
        busy: int = 2,
        status: str = "SUCCEEDED",
        message: str | None = None,
        **options: Any,
    ) -> None:
        self.looks, self.size = looks, size
        self.busy, self.status, self.message = busy, status, message
        self.collections: dict[str, list[str]] = {}
        self.jobs: dict[str, str] = {}
        self.indexed = True
        self.unindexed: list[Answer] = []
        super().__init__(
            CreateCollection=self.create,
            DeleteCollection=self.delete,
            IndexFaces=self.index,
            StartFaceSearch=self.start,
            GetFaceSearch=self.get,
            **options,
        )

    def create(self, request: Request) -> Answer:
        self.collections[request["CollectionId"]] = []
        return {"StatusCode": 200, "FaceModelVersion": "7.0"}

    def delete(self, request: Request) -> Answer | Fault:
        if self.collections.pop(request["CollectionId"], None) is None:
            return Fault(400, "ResourceNotFoundException")
        return {"StatusCode": 200}

    def index(self, request: Request) -> Answer:
        person = request["ExternalImageId"]
        self.collections[request["CollectionId"]].append(person)
        face = {
            "FaceId": FACE_ID,
            "ExternalImageId": person,
            "BoundingBox": {"Left": 0.2, "Top": 0.2, "Width": 0.4, "Height": 0.5},
        }
        records = [{"Face": face}] if self.indexed else []
        return {"FaceRecords": records, "UnindexedFaces": self.unindexed}

    def start(self, request: Request) -> Answer | Fault:
        if not self.collections.get(request["CollectionId"]):
            return Fault(400, "ResourceNotFoundException", "no such collection, or an empty one")
        job = self.jobs.setdefault(request["ClientRequestToken"], f"job{len(self.jobs)}")
        return {"JobId": job}

    def get(self, request: Request) -> Answer:
        if self.busy > 0:
            self.busy -= 1
            return {"JobStatus": "IN_PROGRESS"}
        if self.status == "FAILED":
            return {"JobStatus": "FAILED", "StatusMessage": self.message}
        first = int(request.get("NextToken", 0))
        end = first + request["MaxResults"]
        metadata: Answer = {"Codec": "h264", "FrameRate": 25.0, "DurationMillis": 4000}
        metadata |= {"FrameWidth": self.size[0], "FrameHeight": self.size[1]}
        more = {"NextToken": str(end)} if end < len(self.looks) else {}
        return {
            "JobStatus": "SUCCEEDED",
            "Persons": self.looks[first:end],
            "VideoMetadata": metadata,
            **more,
        }
