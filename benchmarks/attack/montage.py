"""A picture of the ways of hiding that the attack audit compares, on public-domain portraits."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from benchmarks.attack.ways import all_ways
from faceveil.faces import Floats, Image
from faceveil.media.pictures import read_picture
from testkit.portraits import PORTRAITS, portrait_path

SIDE = 170
_AROUND = 2.4
"""Side of a tile in heights of its face."""
_PEOPLE = ("astronaut", "obama", "biden")
_DARK = 0.3
"""Light of the last row: how veils look at night."""


def montage() -> Image:
    """RGB uint8: a row per portrait, the last one once more in the dark; a column per way."""
    tiles = [_tile(name) for name in _PEOPLE]
    picture, box = tiles[-1]
    tiles.append((np.asarray(picture * _DARK, np.uint8), box))
    ways = [way for way in all_ways() if way.name != "no veil"]
    rows = []
    for number, (picture, box) in enumerate(tiles):
        shown = [picture]
        for way in ways:
            hidden = picture.copy()
            way.hide(hidden, box, number)
            shown.append(hidden)
        rows.append(np.hstack(shown))
    return np.vstack(rows)


def _tile(name: str) -> tuple[Image, Floats]:
    """A portrait around its face, and the face's box [4] in it."""
    box = np.array(PORTRAITS[name].face, np.float32)
    side = _AROUND * (box[3] - box[1])
    start = (box[:2] + box[2:]) / 2 - side * np.array([0.5, 0.45])
    zoom = SIDE / side
    picture = read_picture(portrait_path(name))
    small = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    place = np.array([[1, 0, -start[0] * zoom], [0, 1, -start[1] * zoom]])
    tile = cv2.warpAffine(small, place, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    moved = (box.reshape(2, 2) - start) * zoom
    return np.asarray(tile, np.uint8), moved.reshape(4).astype(np.float32)


def write_montage(path: Path) -> None:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 85]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(montage(), cv2.COLOR_RGB2BGR), quality)
    assert done
    path.write_bytes(data.tobytes())
