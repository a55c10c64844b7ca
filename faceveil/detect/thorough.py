"""CenterFace applied again: to doubtful places, enlarged, mirrored and rotated; to the whole.

A place with a score far below acceptance is often a head: on its side or upside down, small, noisy.
Cut out, enlarged and rotated upright it is detected clearly, and all crops of a picture together
cost less than the whole picture once more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import centres, overlaps, sides, suppress
from faceveil.detect.added import add
from faceveil.detect.centerface import CenterFace
from faceveil.detect.detector import Detected, rescale
from faceveil.detect.pyramid import Pyramid
from faceveil.faces import LOW_SCORE, Floats, Image

_DOUBT = 0.08
"""Score from which a place is doubtful. Nearly all faces missed at first reach it."""
_MOST = 6
"""How many doubtful places of a picture are examined, those with the best scores."""
_WIDE, _TILE, _STRIDE = 2.5, 80, 96
"""Sides of a crop in sides of the face, in pixels, and with the black gap to the next one."""
_COLUMNS = 8
_KNOWN_IOU = 0.3
_MIRROR = np.diag([-1.0, 1.0])
_TURNS = [np.array([[c, -s], [s, c]], float) for c, s in ((0, 1), (-1, 0), (0, -1))]
"""Rotations by a quarter, a half and three quarters."""
_MIRRORED_ACCEPT, _TURNED_ACCEPT = 0.6, 0.7
"""Scores from which a face counts in such a view: hands and cloth resemble faces more often when
they are rotated."""
_ROLLED_ACCEPT = 0.5
"""The same in a picture of which another face shows that it is to be rotated."""
_SWAPPED = [1, 0, 2, 4, 3]
"""Order of the landmarks of a mirrored face."""


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """The faces of one view, and the score from which they count."""

    found: Detected
    accept: float


class ThoroughCenterFace:
    """CenterFace with a second pass over up to 6 doubtful places of a picture.

    Parameters
    ----------
    detector : CenterFace
    """

    name = "centerface"

    def __init__(self, detector: CenterFace) -> None:
        self._detector = detector
        self.accept_score = detector.accept_score

    def detect(self, image: Image) -> Detected:
        """Return the faces of a picture, RGB uint8 [H, W, 3], best score first."""
        return self.detect_in(Pyramid(image))

    def detect_in(self, pyramid: Pyramid) -> Detected:
        """Return the faces of a picture."""
        first = self._detector.detect_in(pyramid, _DOUBT)
        found = first.select(first.scores >= np.float32(LOW_SCORE))
        known = first.boxes[first.scores >= np.float32(self.accept_score)]
        doubtful = self._doubtful(first, known)
        if len(doubtful):
            closer = _joined(self._closer(pyramid, doubtful), self.accept_score)
            found = add(found, closer, self.accept_score)
        return found

    def _doubtful(self, first: Detected, known: Floats) -> Floats:
        """Boxes [n, 4] that are not accepted but may be faces, best score first."""
        boxes = first.boxes[first.scores < np.float32(self.accept_score)]
        free: Floats = boxes[overlaps(boxes, known).max(axis=1, initial=0) < _KNOWN_IOU]
        return free[:_MOST]

    def _closer(self, pyramid: Pyramid, boxes: Floats) -> list[_View]:
        """Faces in the boxes [n, 4]: each cut out mirrored and rotated, all in one mosaic."""
        ways = np.array([_MIRROR, *_TURNS])
        centre = np.repeat(centres(boxes), len(ways), axis=0)
        side = np.repeat(sides(boxes).max(axis=1), len(ways))
        turns = np.tile(ways, (len(boxes), 1, 1)) * (side * _WIDE / _TILE)[:, None, None]
        corner = centre - turns.sum(axis=2) * _TILE / 2
        matrices = np.concatenate([turns, corner[:, :, None]], axis=2).astype(np.float32)
        found = self._detector.detect_view(_mosaic(pyramid.warp(matrices, _TILE)))
        column, row = (centres(found.boxes) // _STRIDE).T.astype(int)
        tile = row * _COLUMNS + column
        origin = np.stack([column, row], axis=1).astype(np.float32) * _STRIDE
        boxes = found.boxes - np.tile(origin, 2)
        cut = Detected(boxes, found.scores, found.landmarks - origin[:, None])
        # A face at the edge of its crop is not the one in doubt.
        whole = (tile < len(matrices)) & (boxes > -2).all(axis=1) & (boxes < _TILE + 2).all(axis=1)
        mirrored = tile % len(ways) == 0
        return [
            _View(_in_picture(cut.select(rows), matrices[tile[rows]]), accept)
            for rows, accept in (
                (np.flatnonzero(whole & mirrored), _MIRRORED_ACCEPT),
                (np.flatnonzero(whole & ~mirrored), _TURNED_ACCEPT),
            )
        ]


class TurnedCenterFace:
    """CenterFace on the whole picture mirrored and rotated, for heads that are not even doubtful.

    Parameters
    ----------
    detector : CenterFace
    """

    name = "centerface"
    accept_score = _TURNED_ACCEPT

    def __init__(self, detector: CenterFace) -> None:
        self._detector = detector

    def detect(self, image: Image) -> Detected:
        """Return the faces of a picture, RGB uint8 [H, W, 3], best score first."""
        return self.detect_in(Pyramid(image))

    def detect_in(self, pyramid: Pyramid) -> Detected:
        """Return the faces of a picture."""
        image = pyramid.levels[0]
        mirrored = _whole_view(self._detector, image, _MIRROR, image[:, ::-1])
        views = [_View(mirrored, _MIRRORED_ACCEPT)]
        views += [_View(_turned(self._detector, image, n), _TURNED_ACCEPT) for n in (1, 2, 3)]
        return _joined(views, self.accept_score)


class RolledCenterFace:
    """CenterFace on the whole picture rotated, where faces were seen to lie that way.

    Parameters
    ----------
    detector : CenterFace
    """

    accept_score = _ROLLED_ACCEPT

    def __init__(self, detector: CenterFace) -> None:
        self._detector = detector

    def detect_turned(self, pyramid: Pyramid, quarters: int) -> Detected:
        """Return the faces of a picture rotated by 1 to 3 quarters, as `numpy.rot90` counts."""
        return _turned(self._detector, pyramid.levels[0], quarters)


def _joined(views: list[_View], accept_score: float) -> Detected:
    """Each face once, as in the view with its best score, best score first."""
    raw = Detected.joined([view.found for view in views])
    scores = np.concatenate(
        [rescale(view.found.scores, view.accept, accept_score) for view in views]
    )
    accepted = scores >= np.float32(accept_score)
    kept = suppress(raw.boxes, raw.scores + accepted, _KNOWN_IOU)
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    return Detected(raw.boxes[kept], scores[kept], raw.landmarks[kept])


def _turned(detector: CenterFace, image: Image, quarters: int) -> Detected:
    """Faces of the whole picture rotated by so many quarters."""
    return _whole_view(detector, image, _TURNS[quarters - 1], np.rot90(image, quarters))


def _whole_view(
    detector: CenterFace, image: Image, turn: NDArray[np.float64], view: Image
) -> Detected:
    """Faces of a mirrored or rotated view [h, w, 3] of the whole picture, in pixels of it.

    turn float64 [2, 2] maps directions of the view to directions of the picture.
    """
    middles = [np.array(picture.shape[1::-1]) / 2 for picture in (image, view)]
    corner = middles[0] - turn @ middles[1]
    matrix = np.concatenate([turn, corner[:, None]], axis=1).astype(np.float32)
    found = detector.detect(np.ascontiguousarray(view))
    return _in_picture(found, np.tile(matrix, (len(found), 1, 1)))


def _in_picture(found: Detected, matrices: Floats) -> Detected:
    """Faces of views in pixels of the picture.

    matrices float32 [n, 2, 3] map points of each face's view to points of the picture.
    """
    corners = np.stack([found.boxes[:, :2], found.boxes[:, 2:]], axis=1)
    corners, landmarks = (_mapped(points, matrices) for points in (corners, found.landmarks))
    mirrored = np.linalg.det(matrices[:, :, :2]) < 0
    landmarks[mirrored] = landmarks[mirrored][:, _SWAPPED]
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return Detected(boxes, found.scores, landmarks)


def _mapped(points: Floats, matrices: Floats) -> Floats:
    """Points float32 [n, k, 2] moved by matrices [n, 2, 3]."""
    turned = np.einsum("nij,nkj->nki", matrices[:, :, :2], points)
    return np.asarray(turned + matrices[:, None, :, 2], np.float32)


def _mosaic(crops: Image) -> Image:
    """Crops uint8 [n, S, S, 3] side by side in rows of `_COLUMNS`, with black between them."""
    rows = -(-len(crops) // _COLUMNS)
    columns = min(len(crops), _COLUMNS)
    mosaic = np.zeros((rows, columns, _STRIDE, _STRIDE, 3), np.uint8)
    row, column = np.divmod(np.arange(len(crops)), _COLUMNS)
    mosaic[row, column, :_TILE, :_TILE] = crops
    return mosaic.swapaxes(1, 2).reshape(rows * _STRIDE, columns * _STRIDE, 3)
