"""A Rekognition that answers face searches from the truth of a synthetic clip.

It keeps collections and jobs as the real one does, pages its answers, and needs some time. What it
answers is of the documented shape (checked by rekognition_service); no picture is looked at.
"""

import numpy as np

from testkit.servers.rekognition_service import Fault, RekognitionService, face_detail

FACE_ID = "11111111-2222-3333-4444-555555555555"
RATE = 25


def look(milliseconds, index, box, size, matches=None, confidence=99.9):
    """A PersonMatch: matches are the similarities in percent by ExternalImageId."""
    person = {
        "Index": index,
        "BoundingBox": {"Left": 0.1, "Top": 0.1, "Width": 0.5, "Height": 0.9},
    }
    if box is not None:
        person["Face"] = face_detail(box, *size, confidence=confidence)
    answer = {"Timestamp": milliseconds, "Person": person}
    if matches is not None:
        answer["FaceMatches"] = [
            {
                "Similarity": similarity,
                "Face": {"FaceId": FACE_ID, "ExternalImageId": name, "Confidence": 99.9},
            }
            for name, similarity in matches.items()
        ]
    return answer


def looks_at(truth, interval, matches, least_seen=0.3):
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
    """looks: what a search answers. busy: how often it is asked before it has ended. status and
    message: how it ends. unindexed: the UnindexedFaces of each photo; indexed: whether its face is.
    """

    def __init__(self, looks, size, *, busy=2, status="SUCCEEDED", message=None, **options):
        self.looks, self.size = looks, size
        self.busy, self.status, self.message = busy, status, message
        self.collections, self.jobs = {}, {}
        self.indexed, self.unindexed = True, []
        super().__init__(
            CreateCollection=self.create,
            DeleteCollection=self.delete,
            IndexFaces=self.index,
            StartFaceSearch=self.start,
            GetFaceSearch=self.get,
            **options,
        )

    def create(self, request):
        self.collections[request["CollectionId"]] = []
        return {"StatusCode": 200, "FaceModelVersion": "7.0"}

    def delete(self, request):
        if self.collections.pop(request["CollectionId"], None) is None:
            return Fault(400, "ResourceNotFoundException")
        return {"StatusCode": 200}

    def index(self, request):
        person = request["ExternalImageId"]
        self.collections[request["CollectionId"]].append(person)
        face = {
            "FaceId": FACE_ID,
            "ExternalImageId": person,
            "BoundingBox": {"Left": 0.2, "Top": 0.2, "Width": 0.4, "Height": 0.5},
        }
        records = [{"Face": face}] if self.indexed else []
        return {"FaceRecords": records, "UnindexedFaces": self.unindexed}

    def start(self, request):
        if not self.collections.get(request["CollectionId"]):
            return Fault(400, "ResourceNotFoundException", "no such collection, or an empty one")
        job = self.jobs.setdefault(request["ClientRequestToken"], f"job{len(self.jobs)}")
        return {"JobId": job}

    def get(self, request):
        if self.busy > 0:
            self.busy -= 1
            return {"JobStatus": "IN_PROGRESS"}
        if self.status == "FAILED":
            return {"JobStatus": "FAILED", "StatusMessage": self.message}
        first = int(request.get("NextToken", 0))
        end = first + request["MaxResults"]
        metadata = {"Codec": "h264", "FrameRate": 25.0, "DurationMillis": 4000}
        metadata |= {"FrameWidth": self.size[0], "FrameHeight": self.size[1]}
        more = {"NextToken": str(end)} if end < len(self.looks) else {}
        return {
            "JobStatus": "SUCCEEDED",
            "Persons": self.looks[first:end],
            "VideoMetadata": metadata,
            **more,
        }
