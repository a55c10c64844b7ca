"""The centre that is taken off dlib's descriptors (feature_centre in manifest.toml), and its price.

    python -m benchmarks.detection.dlib_centre

prints the centre: `SHARE` of the mean over people of the mean descriptor of each, from the real
photos and clips of ../shared/data and the portraits of the tests. What it costs to compare
directions from there, and not distances as dlib does, is measured on LFW, with the two people of
each pair left out of the centre.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from benchmarks.detection.recognition import area_under_curve
from benchmarks.report import table
from faceveil.detect.align import aligned
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.detect.dlib_resnet import DlibResNet, directions
from faceveil.detect.pyramid import Pyramid
from faceveil.faces import FrameFaces, Image
from faceveil.identity.templates import CLEAR_SCORE
from faceveil.media.open import open_source
from faceveil.media.pictures import read_picture
from faceveil.weights.store import locate
from testkit import SHARED_DATA
from testkit.portraits import PORTRAITS, portrait_path

Descriptors = NDArray[np.float64]
SHARE = 0.9
SHARES = (0.0, 0.6, 0.8, SHARE, 1.0)
EVERY = 12
"""Of the frames of a clip one in so many is looked at."""
SMALLEST = 36
SAME = 0.45
"""Cosine of ArcFace from which two faces are taken for one person, when people have no names."""


@dataclass(frozen=True, eq=False)
class Faces:
    """Descriptors [n, 128] and whose they are, int [n]."""

    descriptors: Descriptors
    person: NDArray[np.intp]

    @property
    def means(self) -> Descriptors:
        """The mean descriptor of each person [p, 128]."""
        return np.array([self.descriptors[self.person == one].mean(0) for one in self.people])

    @property
    def people(self) -> NDArray[np.intp]:
        return np.unique(self.person)


class Looker:
    """Finds faces with the default detectors and describes them with dlib."""

    def __init__(self) -> None:
        self._analyzer = build_analyzer(AnalyzerOptions(profile="fast"))
        files = locate("dlib-resnet", "recognizer").files
        self._dlib = DlibResNet(files["model"], np.zeros(128).tolist())

    def faces(self, picture: Image) -> FrameFaces:
        seen = self._analyzer(picture)
        return seen.select(seen.accepted)

    def describe(self, picture: Image, faces: FrameFaces) -> Descriptors:
        return self._dlib.descriptors(
            aligned(Pyramid(picture), faces.landmarks, self._dlib.alignment)
        )


@cache
def named() -> Faces:
    """The ten people of LFW: of each picture the face nearest to its middle."""
    looker, rows, person = Looker(), [], []
    for number, folder in enumerate(
        sorted(path for path in SHARED_DATA.glob("lfw/*") if path.is_dir())
    ):
        for path in sorted(folder.glob("*.jpg")):
            picture = read_picture(path)
            seen = looker.faces(picture)
            middle = (seen.boxes[:, :2] + seen.boxes[:, 2:]) / 2 - picture.shape[0] / 2
            rows.append(looker.describe(picture, seen.select([np.abs(middle).sum(1).argmin()]))[0])
            person.append(number)
    return Faces(np.array(rows), np.array(person))


@cache
def nameless() -> Faces:
    """Everyone else, told apart by ArcFace."""
    looker, rows, features = Looker(), [], []
    for picture in _pictures():
        seen = looker.faces(picture)
        large = (seen.boxes[:, 2:] - seen.boxes[:, :2]).min(axis=1, initial=np.inf) >= SMALLEST
        seen = seen.select(large & (seen.scores > CLEAR_SCORE))
        rows += list(looker.describe(picture, seen))
        features += list(seen.features.astype(np.float64))
    tree = linkage(np.array(features), "average", metric="cosine")
    return Faces(np.array(rows), fcluster(tree, 1 - SAME, "distance") - 1)


def _pictures() -> Iterator[Image]:
    photos = [path for kind in ("*.jpg", "*.png") for path in SHARED_DATA.glob(f"[hp]*/{kind}")]
    for photo in [*sorted(photos), *(Path(portrait_path(name)) for name in PORTRAITS)]:
        yield read_picture(photo)
    for kind in ("intel/*.gif", "hamilton/*.mp4", "pyfeat/*.m*"):
        for clip in sorted(SHARED_DATA.glob(kind)):
            for frame in open_source(clip):
                if frame.number % EVERY == 0:
                    yield frame.rgb()


def centre() -> Descriptors:
    """What belongs in the manifest, [128]."""
    return SHARE * np.concatenate([named().means, nameless().means]).mean(axis=0)


def people_count() -> int:
    return len(named().people) + len(nameless().people)


def prices_table() -> list[str]:
    """The table of dlib's own distance and of each share of the mean that is taken off."""
    faces = named()
    first, second = np.triu_indices(len(faces.person), 1)
    same = faces.person[first] == faces.person[second]
    distance = np.linalg.norm(faces.descriptors[first] - faces.descriptors[second], axis=1)
    rows = [_row("dlib's Euclidean distance (its threshold is 0.6)", -distance, same)]
    for share in SHARES:
        name = f"cosine from {share:g} of the mean" if share else "cosine from the origin"
        rows.append(_row(name, _left_out(faces, share, first, second), same))
    return table(
        ("compared by", "AUC", "same person, lowest 5 %", "different people, highest 1 %"), rows
    )


def _left_out(
    faces: Faces, share: float, first: NDArray[np.intp], second: NDArray[np.intp]
) -> NDArray[np.float64]:
    """The cosine of each pair, from a centre that neither of its people is part of."""
    likeness = np.empty(len(first))
    people = np.stack([faces.person[first], faces.person[second]], axis=1)
    for pair in np.unique(people, axis=0):
        rows = np.flatnonzero((people == pair).all(axis=1))
        others = faces.means[~np.isin(faces.people, pair)]
        mean = np.concatenate([others, nameless().means]).mean(axis=0)
        unit = directions(faces.descriptors, share * mean)
        likeness[rows] = (unit[first[rows]] * unit[second[rows]]).sum(axis=1)
    return likeness


def _row(name: str, likeness: NDArray[np.float64], same: NDArray[np.bool_]) -> tuple[str, ...]:
    low, high = np.percentile(likeness[same], 5), np.percentile(likeness[~same], 99)
    area = area_under_curve(likeness[same], likeness[~same])
    return name, f"{area:.4f}", f"{low:.2f}", f"{high:.2f}"


if __name__ == "__main__":
    print(", ".join(f"{value:.3f}" for value in centre()))
    print("\n".join(prices_table()))
