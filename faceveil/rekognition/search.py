"""A face search in a video that lies in S3: started, waited for, and its answers collected."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from faceveil.aws.clients import S3Uri
from faceveil.aws.rekognition_errors import translated
from faceveil.errors import InputError, OutputError
from faceveil.progress import Progress

if TYPE_CHECKING:
    from types_boto3_rekognition import RekognitionClient
    from types_boto3_rekognition.type_defs import GetFaceSearchResponseTypeDef

PAGE = 1000
"""Most answers of one page."""
_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 2.0, 30.0, 1.5
LONGEST_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Channel:
    """Where Rekognition tells that a search has ended: an SNS topic, and the role with which it may
    publish there."""

    topic_arn: str
    role_arn: str


@dataclass(frozen=True, slots=True)
class FaceSearch:
    """One search: for the faces of a collection, in one video.

    name: of this search alone, at most 64 letters, digits and hyphens: however often the request
    is sent, one search comes of it, and the notification carries the name. least_similarity: in
    percent, from which a match is answered.
    """

    client: RekognitionClient
    name: str
    video: S3Uri
    collection: str
    least_similarity: float
    channel: Channel | None = None

    def run(self, progress: Progress) -> Iterator[GetFaceSearchResponseTypeDef]:
        """The pages of answers, in order of time, after the search has ended.

        Raises InputError when Rekognition cannot search the video, OutputError when it cannot be
        asked or does not end.
        """
        job = self._start()
        self._wait(job, progress)
        token = ""
        while True:
            page = self._get(job, PAGE, token)
            yield page
            token = page.get("NextToken", "")
            if not token:
                return

    def _start(self) -> str:
        options: dict[str, Any] = {}
        if self.channel is not None:
            options["NotificationChannel"] = {
                "SNSTopicArn": self.channel.topic_arn,
                "RoleArn": self.channel.role_arn,
            }
        with translated(self.video, InputError):
            return self.client.start_face_search(
                Video={"S3Object": {"Bucket": self.video.bucket, "Name": self.video.key}},
                CollectionId=self.collection,
                FaceMatchThreshold=self.least_similarity,
                ClientRequestToken=self.name,
                JobTag=self.name,
                **options,
            )["JobId"]

    def _wait(self, job: str, progress: Progress) -> None:
        deadline = time.monotonic() + LONGEST_SECONDS
        pause = _FIRST_PAUSE
        with progress.stage("search", None) as stage:
            while self._get(job, 1)["JobStatus"] == "IN_PROGRESS":
                if time.monotonic() > deadline:
                    raise OutputError(f"{self.video}: Rekognition did not end search {job}")
                time.sleep(pause)
                pause = min(pause * _GROWTH, _LONGEST_PAUSE)
                stage.advance()

    def _get(self, job: str, most: int, token: str = "") -> GetFaceSearchResponseTypeDef:
        options: dict[str, Any] = {"NextToken": token} if token else {}
        with translated(f"{self.video}: search {job}", OutputError):
            page = self.client.get_face_search(
                JobId=job, MaxResults=most, SortBy="TIMESTAMP", **options
            )
        if page["JobStatus"] == "FAILED":
            why = page.get("StatusMessage", "it does not say why")
            raise InputError(f"{self.video}: Rekognition could not search the video: {why}")
        return page
