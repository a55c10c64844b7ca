"""Pictures of at most 256 colours, for GIF: exact where nothing is veiled, as long as they fit."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from faceveil.media.frames import Loss
from faceveil.media.pictures import StoredPicture

_MOST = 256
_OPAQUE_FROM = 128
_LOST = Loss("some shades", "GIF holds 256 colours and the picture has more")


class FewColours(NamedTuple):
    """A GIF of one picture, whether it shows what is behind it, and what it does not keep."""

    content: bytes
    transparent: bool
    losses: tuple[Loss, ...] = ()


def to_few_colours(picture: StoredPicture) -> FewColours:
    """The samples as a GIF.

    The colours of pixels that did not change are kept exactly where they are at most 256; those
    that changed get the nearest ones, and new ones as far as there is room.
    """
    codes, opaque = _codes(picture.samples)
    before = codes if picture.original is None else _codes(picture.original[0])[0]
    room = _MOST - int(not opaque.all())
    exact = np.unique(codes[opaque & (codes == before)])
    if len(exact) > room:
        exact = exact[:0]
    table, lossless = _table(codes[opaque], exact, room)
    places = np.searchsorted(table, codes) if lossless else _nearest(table, codes)
    index = places.astype(np.uint8)
    transparent = not opaque.all()
    if transparent:
        index[~opaque] = len(table)
    losses = () if lossless or len(exact) else (_LOST,)
    return FewColours(_gif(index, table, transparent), transparent, losses)


def _codes(samples: NDArray[Any]) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """Each pixel's RGB in one number, and which pixels are opaque."""
    colours = np.atleast_3d(samples)
    channels = colours.shape[2]
    opaque = np.ones(colours.shape[:2], bool)
    if channels in (2, 4):
        opaque = colours[..., -1] >= _OPAQUE_FROM
    rgb = colours[..., :3] if channels > 2 else colours[..., :1].repeat(3, axis=2)
    wide = rgb.astype(np.uint32)
    weights = np.array([1 << 16, 1 << 8, 1], np.uint32)
    codes: NDArray[np.uint32] = (wide * weights).sum(axis=-1, dtype=np.uint32)
    return codes, opaque


def _table(
    codes: NDArray[np.uint32], exact: NDArray[np.uint32], room: int
) -> tuple[NDArray[np.uint32], bool]:
    """At most `room` colours, the exact ones among them, and whether they are all there are."""
    every = np.unique(codes)
    if len(every) <= room:
        return every, True
    others = codes[~np.isin(codes, exact)]
    more = room - len(exact)
    if more:
        pixels = PillowImage.fromarray(_rgb(others)[None])
        palette = pixels.quantize(more, PillowImage.Quantize.MEDIANCUT).getpalette() or []
        chosen, _ = _codes(np.array(palette, np.uint8).reshape(1, -1, 3))
        exact = np.unique(np.concatenate([exact, chosen.ravel()]))[:room]
    return exact, False


def _nearest(table: NDArray[np.uint32], codes: NDArray[np.uint32]) -> NDArray[np.intp]:
    from scipy.spatial import cKDTree

    every, inverse = np.unique(codes, return_inverse=True)
    _, index = cKDTree(_rgb(table).astype(np.float32)).query(_rgb(every).astype(np.float32))
    return np.asarray(index)[inverse].reshape(codes.shape)


def _rgb(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8)


def _gif(index: NDArray[np.uint8], table: NDArray[np.uint32], transparent: bool) -> bytes:
    image = PillowImage.fromarray(index, "P")
    image.putpalette(_rgb(table).tobytes() + bytes(3 * (_MOST - len(table))))
    options = {"transparency": len(table)} if transparent else {}
    stream = io.BytesIO()
    image.save(stream, "GIF", optimize=False, **options)
    return stream.getvalue()
