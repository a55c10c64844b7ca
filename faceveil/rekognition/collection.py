"""The collection of a search: the people that Rekognition searches for. It holds biometric data,
so it exists no longer than the search does."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil.aws.rekognition_errors import translated
from faceveil.detect.rekognition import jpeg
from faceveil.errors import InputError, OutputError
from faceveil.identity.references import BYSTANDER_SIZE
from faceveil.media.pictures import read_picture
from faceveil.rekognition.undo import undone_afterwards

if TYPE_CHECKING:
    from types_boto3_rekognition import RekognitionClient
    from types_boto3_rekognition.type_defs import (
        IndexFacesResponseTypeDef,
        UnindexedFaceTypeDef,
    )

PERSON = "person-"
"""What a face of a collection is called, with its person's number: names stay on this machine."""


@contextmanager
def reference_collection(
    client: RekognitionClient, name: str, people: Mapping[str, Sequence[Path]]
) -> Iterator[str]:
    """A new collection of the people in photos, deleted when the block ends, however it ends.

    people: the photos of each person; person number k is `person-k` there. Yields the version of
    Rekognition's face model. Raises InputError for a photo that cannot be used, OutputError when
    the collection cannot be made, or not be deleted after all went well.
    """
    with translated(f"collection {name}", OutputError):
        version = client.create_collection(CollectionId=name)["FaceModelVersion"]
    with undone_afterwards(lambda: _delete(client, name)):
        for number, photos in enumerate(people.values()):
            for photo in photos:
                _index(client, name, f"{PERSON}{number}", photo)
        yield version


def _delete(client: RekognitionClient, name: str) -> None:
    where = (
        f"collection {name} holds biometric data and could not be deleted: delete it with "
        f"`aws rekognition delete-collection --collection-id {name}`"
    )
    with translated(where, OutputError):
        client.delete_collection(CollectionId=name)


def _index(client: RekognitionClient, collection: str, person: str, photo: Path) -> None:
    """Put the one face of a photo into the collection. Raises InputError where it shows none, or
    several of like size."""
    try:
        picture = jpeg(read_picture(photo))
    except InputError as error:
        raise InputError(f"reference photo cannot be used: {error}") from error
    with translated(f"reference photo {photo}", InputError):
        answer = client.index_faces(
            CollectionId=collection,
            Image={"Bytes": picture},
            ExternalImageId=person,
            MaxFaces=1,
            QualityFilter="AUTO",
        )
    _check(answer, photo)


def _check(answer: IndexFacesResponseTypeDef, photo: Path) -> None:
    left_out = answer.get("UnindexedFaces", [])
    reasons = _reasons(left_out)
    if not answer["FaceRecords"]:
        raise InputError(
            f"reference photo {photo} shows no face that Rekognition can use "
            f"({reasons or 'it saw none'}); use a sharp photo of the person's face, seen from the "
            "front"
        )
    areas = [
        face["BoundingBox"]["Width"] * face["BoundingBox"]["Height"]
        for face in (answer["FaceRecords"][0]["Face"], *(one["FaceDetail"] for one in left_out))
    ]
    if len(areas) > 1 and max(areas[1:]) >= BYSTANDER_SIZE**2 * areas[0]:
        raise InputError(
            f"reference photo {photo} shows {len(areas)} faces, two of them of like size, so it is "
            "not clear who is meant; crop it to the one person"
        )
    if left_out:
        logging.getLogger(__name__).warning(
            "%s: %d smaller faces were left out (%s)", photo, len(left_out), reasons
        )


def _reasons(faces: Sequence[UnindexedFaceTypeDef]) -> str:
    return ", ".join(sorted({reason for face in faces for reason in face.get("Reasons", [])}))
