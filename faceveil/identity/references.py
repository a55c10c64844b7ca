"""References: photos of known people, and the features that sequences are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import numpy as np

from faceveil.boxes import sides, sizes
from faceveil.errors import InputError
from faceveil.faces import Floats, FrameFaces, Image, Ints, Kind
from faceveil.identity.templates import CLEAR_SCORE, MIN_FACE_SIZE, normalise
from faceveil.media.folder import SUFFIXES

PHOTO_SUFFIXES = frozenset(SUFFIXES)

BYSTANDER_SIZE = 0.5
"""A face smaller than this share of the largest one is in the background of a photo."""

SAME_PERSON_SIMILARITY = 0.2
"""A photo less similar than this to the other photos of its person shows a different person."""


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """Known people, as columns.

    Features never appear in the repr.

    Attributes
    ----------
    names : tuple of str [p]
        One a person.
    features : ndarray of float32 [m, D]
        One a photo, L2-normalised.
    person : ndarray of int32 [m]
        The person each photo shows, an index of `names`.
    photos : tuple of PurePath [m]
        Where each photo came from.
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
    """Read the photos of known people.

    A photo shows one person. Faces smaller than half that person's face are ignored.

    Parameters
    ----------
    paths : sequence of Path
        Photos and folders of photos; see `photos_by_person`.
    analyzer : callable
        Detects and recognises the faces of a picture, RGB uint8 [H, W, 3].

    Returns
    -------
    References

    Raises
    ------
    InputError
        For a photo that is unreadable, shows no face or several, or a face too small or too unclear
        to be recognised, and for photos of one person that show two. The message names the photo
        and what to do.
    """
    return describe(photos_by_person(paths), lambda photo: analyzer(_picture(photo)))


def describe(
    people: Mapping[str, Sequence[PurePath]], detect: Callable[[PurePath], FrameFaces]
) -> References:
    """Return the references of people by name, given the photos of each.

    `detect` returns the faces of a photo. Raises InputError as `load_references` does.
    """
    rows: list[Floats] = []
    for name, photos in people.items():
        features = np.stack(
            [_photo_feature(photo, detect(photo).of_kind(Kind.FACE)) for photo in photos]
        )
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
    """Return the photos of each person by name.

    A photo is a person named after the file, a folder of photos a person named after the folder. A
    folder of such folders is one person for each. Where two have the same name, the name of the
    parent folder is put before it.

    Raises
    ------
    InputError
        For a path that does not exist, and for a folder that holds no photos, or both photos and
        folders of photos.
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
            f"reference photo {photo} shows {several} faces of similar size, so it is not clear "
            "who is meant; crop it to the one person"
        )
    shorter = float(sides(faces.boxes[main]).min())
    if shorter < MIN_FACE_SIZE:
        raise InputError(
            f"the face in reference photo {photo} is {shorter:.0f} pixels wide, too "
            f"small to be recognised; use a photo where it has {MIN_FACE_SIZE:.0f} pixels "
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
