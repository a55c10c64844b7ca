"""Photos of known people -> the features that sequences are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import numpy as np

from faceveil.boxes import sides, sizes
from faceveil.errors import InputError
from faceveil.faces import Floats, FrameFaces, Image, Ints
from faceveil.identity.templates import CLEAR_SCORE, MIN_FACE_SIZE, normalise

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})

BYSTANDER_SIZE = 0.5
"""A face under this part of the largest one's size stands in the background of a photo."""

SAME_PERSON_SIMILARITY = 0.2
"""Photos of one person that resemble the others less than this show somebody else."""


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """Known people, as columns.

    names: one per person; features float32 [m, D], L2-normalised, one per photo; person int32
    [m]: whose photo it is; photos: where each came from. Features never appear in its repr
    (DESIGN policy 6).
    """

    names: tuple[str, ...]
    features: Floats = field(repr=False)
    person: Ints = field(repr=False)
    photos: tuple[PurePath, ...] = field(repr=False)

    @property
    def templates(self) -> Floats:
        """float32 [p, D]: the mean feature of each person, L2-normalised."""
        sums = np.zeros((len(self.names), self.features.shape[1]), np.float32)
        np.add.at(sums, self.person, self.features)
        return normalise(sums)


def load_references(paths: Sequence[Path], analyzer: Callable[[Image], FrameFaces]) -> References:
    """The people shown by photos and folders of photos (see `photos_by_person`).

    `analyzer` finds the faces of an RGB picture uint8 [H, W, 3]. A photo shows one person: other
    faces must be smaller than half its size (they are ignored). Raises InputError, naming the
    photo and what to do, for a photo that is unreadable, shows no face or several, or a face too
    small or too unclear to be recognised, and for photos of one person that show two.
    """
    return describe(photos_by_person(paths), lambda photo: analyzer(_picture(photo)))


def describe(
    people: Mapping[str, Sequence[PurePath]], look: Callable[[PurePath], FrameFaces]
) -> References:
    """The people named in `people`, by the photos of each; `look` finds the faces in a photo.

    Raises InputError as `load_references` does.
    """
    rows: list[Floats] = []
    for name, photos in people.items():
        features = np.stack([_photo_feature(photo, look(photo)) for photo in photos])
        _check_same_person(name, photos, features)
        rows.append(features)
    person = np.repeat(np.arange(len(people)), [len(photos) for photos in people.values()])
    return References(
        names=tuple(people),
        features=np.concatenate(rows) if rows else np.zeros((0, 0), np.float32),
        person=person.astype(np.int32),
        photos=tuple(photo for photos in people.values() for photo in photos),
    )


def photos_by_person(paths: Sequence[Path]) -> Mapping[str, Sequence[Path]]:
    """Whose photos lie where.

    A photo is a person named by the file's stem. A folder of photos is one person named by the
    folder. A folder of folders is one person for each of them. Where two share a name, the
    folder they lie in is put before it. Raises InputError for a path that does not exist and a
    folder that holds no photos, or both photos and folders of photos.
    """
    people: dict[str, list[Path]] = {}
    for path in dict.fromkeys(paths):
        for owner, photos in _people_at(path):
            name = owner.stem if owner.is_file() else owner.resolve().name
            if name in people:
                name = f"{owner.resolve().parent.name}/{name}"
            people.setdefault(name, []).extend(photos)
    return people


def _people_at(path: Path) -> list[tuple[Path, list[Path]]]:
    if path.is_file():
        return [(path, [path])]
    if not path.is_dir():
        raise InputError(f"reference {path} does not exist; name a photo or a folder of photos")
    photos = _photos_in(path)
    folders = [folder for folder in sorted(path.iterdir()) if folder.is_dir()]
    people = [(folder, found) for folder in folders if (found := _photos_in(folder))]
    if photos and people:
        raise InputError(
            f"reference folder {path} holds photos ({photos[0].name}, …) beside folders of photos "
            f"({people[0][0].name}, …); put each person's photos in a folder of their own"
        )
    if photos:
        return [(path, photos)]
    if not people:
        raise InputError(
            f"reference folder {path} holds no photos; put at least one there "
            f"({', '.join(sorted(PHOTO_SUFFIXES))})"
        )
    return people


def _photos_in(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in PHOTO_SUFFIXES and not path.name.startswith(".")
    ]


def _picture(photo: PurePath) -> Image:
    from faceveil.media.pictures import read_picture

    try:
        return read_picture(Path(photo))
    except InputError as error:
        raise InputError(f"reference photo cannot be used: {error}") from error


def _photo_feature(photo: PurePath, found: FrameFaces) -> Floats:
    """The feature float32 [D] of the one person in a photo."""
    faces = found.select(found.accepted)
    if not (faces.scores >= CLEAR_SCORE).any():
        unclear = f"only an unclear one (score {found.scores.max():.2f})" if len(found) else "none"
        raise InputError(
            f"reference photo {photo} should show a face, but has {unclear}; "
            "use a sharp photo of the person's face, seen from the front"
        )
    size = sizes(faces.boxes)
    main = int(np.where(faces.scores >= CLEAR_SCORE, size, 0).argmax())
    several = int((size >= BYSTANDER_SIZE * size[main]).sum())
    if several > 1:
        raise InputError(
            f"reference photo {photo} shows {several} faces of like size, so it is not clear who "
            "is meant; crop it to the one person"
        )
    shorter = float(sides(faces.boxes[main]).min())
    if shorter < MIN_FACE_SIZE:
        raise InputError(
            f"the face in reference photo {photo} is {shorter:.0f} pixels wide, too "
            f"small to recognise anybody by; use a photo where it has {MIN_FACE_SIZE:.0f} pixels "
            "at the very least, better 100"
        )
    feature = faces.features[main : main + 1]
    if not feature.any():
        raise InputError(
            f"the face in reference photo {photo} cannot be described; use a photo of the "
            "person's face seen from the front"
        )
    row: Floats = normalise(feature)[0]
    return row


def _check_same_person(name: str, photos: Sequence[PurePath], features: Floats) -> None:
    if len(photos) < 2:
        return
    others = normalise(features.sum(axis=0) - features)
    similarity = (features * others).sum(axis=1)
    worst = int(similarity.argmin())
    if similarity[worst] < SAME_PERSON_SIMILARITY:
        raise InputError(
            f"reference photo {photos[worst]} does not show the same person as the other photos "
            f"of {name} (similarity {similarity[worst]:.2f}); take it out, or put it in a folder "
            "of its own if both people are meant"
        )
