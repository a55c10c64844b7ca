"""What a face search answers, as columns: who was seen when and where, and whom they resemble."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceveil.detect.rekognition import relative_box
from faceveil.errors import InputError
from faceveil.faces import Floats
from faceveil.rekognition.collection import PERSON

if TYPE_CHECKING:
    from types_boto3_rekognition.type_defs import (
        GetFaceSearchResponseTypeDef,
        PersonMatchTypeDef,
    )

Longs = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """Faces seen by a search, one a row, in order of time.

    milliseconds int64 [n] from the start of the video; index int64 [n]: whom Rekognition takes for
    one person; boxes float32 [n, 4]: x1, y1, x2, y2 as shares of the picture, which may reach over
    its edges; scores float32 [n], 0 to 1; similarity float32 [n, p], 0 to 1: the best to a photo of
    each person searched for, 0 where none matches. size: width and height of the frames as
    Rekognition has them, None where it does not say.
    """

    milliseconds: Longs
    index: Longs
    boxes: Floats
    scores: Floats
    similarity: Floats
    size: tuple[int, int] | None

    def __len__(self) -> int:
        return len(self.index)


def read_sightings(pages: Iterable[GetFaceSearchResponseTypeDef], people: int) -> Sightings:
    """The faces of all pages, for so many people searched for.

    A body without a face is left out: there is nothing to veil. Raises InputError for an answer
    about faces that were not searched for.
    """
    size = None
    times: list[int] = []
    numbers: list[int] = []
    table: list[tuple[float, ...]] = []
    for page in pages:
        video = page.get("VideoMetadata", {})
        if size is None and "FrameWidth" in video and "FrameHeight" in video:
            size = video["FrameWidth"], video["FrameHeight"]
        for match in page.get("Persons", []):
            person = match["Person"]
            if "Face" not in person:
                continue
            times.append(match["Timestamp"])
            numbers.append(person["Index"])
            box = relative_box(person["Face"]["BoundingBox"])
            score = person["Face"]["Confidence"] / 100
            table.append((*box, score, *_similarity(match, people)))
    columns = np.array(table, np.float32).reshape(len(table), 5 + people)
    order = np.argsort(times, kind="stable")
    return Sightings(
        milliseconds=np.array(times, np.int64)[order],
        index=np.array(numbers, np.int64)[order],
        boxes=columns[order, :4],
        scores=columns[order, 4],
        similarity=columns[order, 5:],
        size=size,
    )


def _similarity(match: PersonMatchTypeDef, people: int) -> list[float]:
    best = [0.0] * people
    for face in match.get("FaceMatches", []):
        name = face["Face"].get("ExternalImageId", "")
        number = name.removeprefix(PERSON)
        if not number.isdecimal() or int(number) >= people:
            raise InputError(
                f"Rekognition answers about a face {name!r} that was not searched for: another "
                "program wrote into the collection; search again"
            )
        best[int(number)] = max(best[int(number)], face["Similarity"] / 100)
    return best
