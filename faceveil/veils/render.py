"""Veils drawn into the stored samples of a frame, plane by plane ("a veil cannot be undone").

Only the regions are processed, so that the cost depends on the veiled area, not on the frame. Each
plane is veiled at its own resolution: a chroma sample is veiled when the region touches any part of
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats
from faceveil.luma import BLUE, GREEN, RED
from faceveil.media.frames import Planes
from faceveil.veils.membrane import Surroundings
from faceveil.veils.region import SOFT_EDGE, Geometry, core, grid, outer
from faceveil.veils.styles import VeilStyle, enlargement, noisy_cells, veil_noise

_BAND_SAMPLES = 1 << 14


def veil_frame(
    planes: Planes,
    boxes: Floats,
    seeds: NDArray[np.int64],
    style: VeilStyle,
    kept: Floats | None = None,
    *,
    luma_only: bool = False,
) -> bool:
    """Veil boxes in the samples of a frame, in place.

    Parameters
    ----------
    planes : Planes
        The samples of the frame. Those outside the veils, and the transparency of RGBA, keep their
        exact values.
    boxes : ndarray of float32 [n, 4]
        Pixels of the upright frame.
    seeds : ndarray of int64 [n]
        Not negative; they fix the noise of each sequence.
    style : VeilStyle
    kept : ndarray of float32 [k, 4], optional
        The boxes of faces that stay visible, whose colours "blend" does not take into a veil.
    luma_only : bool
        Leave the chroma planes of a video frame as they are, for what looks at brightness alone.

    Returns
    -------
    bool
        Whether any sample was written; False when every box lies outside the frame.
    """
    cores = core(boxes, style)
    regions = [
        _Region(*parts, style.is_round)
        for parts in zip(cores, outer(cores, style), grid(cores, style), strict=True)
    ]
    faces = outer(core(boxes if kept is None else np.concatenate([boxes, kept]), style), style)
    changed = False
    for layer in _layers(planes, style)[: 1 if luma_only else None]:
        around = None
        if style.name == "blend":
            around = Surroundings(
                layer.planes, layer.peak, _in_samples(faces, layer, is_round=True)
            )
        for face, (region, seed) in enumerate(zip(regions, seeds.tolist(), strict=True)):
            changed |= _cover(layer, region, seed, style, around, face)
    return changed


def veil_whole(planes: Planes, seed: int, style: VeilStyle) -> None:
    """Veil the whole frame in place, where its content is unknown ("fail closed")."""
    height, width = planes.planes[0].shape[:2]
    frame = np.array([0, 0, width, height], np.float64)
    for layer in _layers(planes, style):
        _cover(layer, _Region(frame, frame, frame, is_round=False), seed, style)


def veil_opacity(boxes: Floats, style: VeilStyle, width: int, height: int) -> NDArray[np.uint8]:
    """Return how opaque the veils of a frame are.

    Parameters
    ----------
    boxes : ndarray of float32 [n, 4]
        Pixels of the upright frame.
    style : VeilStyle
    width, height : int
        Size of the frame in pixels.

    Returns
    -------
    ndarray of uint8 [height, width]
        255 where nothing is left of the picture, 0 where `veil_frame` leaves the samples of luma or
        RGB as they are, and between on the soft edge of a round veil.
    """
    opacity = np.zeros((height, width), np.uint8)
    layer = _Layer([opacity[:, :, None]], [], (1, 1), chroma=False, peak=255)
    cores = core(boxes, style)
    for inner, touched in zip(cores, outer(cores, style), strict=True):
        region = _Region(inner, touched, touched, style.is_round)
        bounds = _bounds(layer, region)
        if bounds is None:
            continue
        x1, y1, x2, y2 = bounds
        part = opacity[y1:y2, x1:x2]
        if not style.is_round:
            part[...] = 255
            continue
        rows, columns = _edge(_in_samples(region.core, layer, is_round=True), bounds)
        # Rounded towards opaque: no sample that a veil changes is 0.
        part[...] = 255 - np.floor((1 - _opacity(rows, columns)) * (255 - part))
    return opacity


@dataclass(frozen=True, slots=True, eq=False)
class _Region:
    """A veil on a frame: its opaque core, all it may change and where its cells lie, each [4]."""

    core: Geometry
    touched: Geometry
    grid: Geometry
    is_round: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """Planes of one resolution, as views [h, w, channels] without transparency.

    `span` is how many pixels a sample covers in x and y, `fills` the colour of each plane under a
    solid veil; `chroma` is True for chroma planes, False for luma and RGB.
    """

    planes: list[NDArray[Any]]
    fills: list[NDArray[Any]]
    span: tuple[int, int]
    chroma: bool
    peak: int


def _layers(planes: Planes, style: VeilStyle) -> list[_Layer]:
    """Luma and chroma of a video frame, or the one plane of a picture."""
    views = [_colour_channels(plane) for plane in planes.planes]
    fills = [np.atleast_1d(value) for value in planes.colour(style.colour)]
    fills = [fill[: view.shape[2]] for fill, view in zip(fills, views, strict=True)]
    spans = planes.subsampling
    layers = [_Layer(views[:1], fills[:1], spans[0], chroma=False, peak=planes.peak)]
    if len(views) > 1:
        layers.append(_Layer(views[1:], fills[1:], spans[1], chroma=True, peak=planes.peak))
    return layers


def _colour_channels(plane: NDArray[Any]) -> NDArray[Any]:
    if plane.ndim == 2:
        return plane[:, :, None]
    count = plane.shape[2]
    return plane[:, :, : count - (count in (2, 4))]


def _cover(
    layer: _Layer,
    region: _Region,
    seed: int,
    style: VeilStyle,
    around: Surroundings | None = None,
    face: int = 0,
) -> bool:
    """Veil a region of one layer; False where all of it lies outside the frame.

    With `around`, the colours around the `face` fill it.
    """
    bounds = _bounds(layer, region)
    if bounds is None:
        return False
    x1, y1, x2, y2 = bounds
    parts = [plane[y1:y2, x1:x2] for plane in layer.planes]
    if style.name == "solid":
        for part, fill in zip(parts, layer.fills, strict=True):
            part[...] = fill
        return True
    ellipse = _in_samples(region.core, layer, is_round=region.is_round)
    cells_over = _in_samples(region.grid, layer, is_round=region.is_round)
    left, top, right, bottom = cells_over.tolist()
    rows = enlargement(top, bottom, y1, y2, style)
    columns = enlargement(left, right, x1, x2, style)
    shape = len(rows), len(columns)
    noise = veil_noise(seed, style, layer.peak)[: shape[0], : shape[1]]
    if around is not None:
        cells = around.fill(face, ellipse, cells_over, shape)
        brightness = float(cells.mean())
    else:
        brightness = (layer.peak + 1) / 2
        if not layer.chroma and style.name != "blend":
            brightness = _brightness(parts[0])
        cells = np.full((1, *shape), brightness, np.float32)
    if not layer.chroma:
        cells = noisy_cells(cells, brightness, noise, layer.peak)
    # The half makes cutting off decimals round.
    veil = (cells + np.float32(0.5)) @ columns
    edge = _edge(ellipse, bounds) if region.is_round else None
    for band in _bands(parts[0]):
        opacity = None if edge is None else _opacity(edge[0][band], edge[1])
        shown = np.asarray(rows[:, band].T @ veil, np.float32)
        first = 0
        for part in parts:
            _blend(part[band], shown[first:][: part.shape[2]], opacity)
            first += part.shape[2] if len(shown) > 1 else 0
    return True


def _bounds(layer: _Layer, region: _Region) -> tuple[int, int, int, int] | None:
    """The samples of a layer that a veil touches, as x1, y1, x2, y2; None outside the frame."""
    height, width = layer.planes[0].shape[:2]
    left, top, right, bottom = _in_samples(region.touched, layer, is_round=region.is_round).tolist()
    x1, x2 = max(floor(left), 0), min(ceil(right), width)
    y1, y2 = max(floor(top), 0), min(ceil(bottom), height)
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _in_samples(rectangle: Geometry, layer: _Layer, *, is_round: bool) -> Geometry:
    """A rectangle [4] of the frame, or several [n, 4], in samples of a layer.

    A sample counts when a round core touches any part of it, not only its middle.
    """
    pad = np.array([-1.0, -1.0, 1.0, 1.0]) * is_round
    return np.asarray(rectangle / np.array(layer.span * 2) + pad)


def _bands(part: NDArray[Any]) -> list[slice]:
    """Rows processed together: so few samples that intermediate results stay in the cache."""
    height, width = part.shape[:2]
    step = max(1, _BAND_SAMPLES // width)
    return [slice(start, start + step) for start in range(0, height, step)]


def _channels(part: NDArray[Any]) -> Floats:
    """Samples [h, w, channels] as float32 [channels, h, w], contiguous."""
    if part.shape[2] == 1:
        return part.transpose(2, 0, 1).astype(np.float32, order="C")
    return np.asarray(cv2.split(np.ascontiguousarray(part)), np.float32)


def _brightness(part: NDArray[Any]) -> float:
    """The mean brightness of luma or RGB samples [h, w, channels]."""
    mean = cv2.mean(np.ascontiguousarray(part))[: part.shape[2]]
    return mean[0] if len(mean) == 1 else float(np.dot(mean, (RED, GREEN, BLUE)))


def _blend(part: NDArray[Any], veil: Floats, opacity: Floats | None) -> None:
    """Lay a veil float32 [channels, h, w] over the samples [h, w, channels], in place.

    A veil of one channel is grey.
    """
    if opacity is None:
        samples = list(np.broadcast_to(veil.astype(part.dtype), (part.shape[2], *veil.shape[1:])))
    else:
        # Exact at both ends: nothing of the original where opaque, all of it where clear.
        blended = _channels(part)
        blended *= 1 - opacity
        blended += veil * opacity
        samples = list(blended.astype(part.dtype))
    part[...] = samples[0][:, :, None] if len(samples) == 1 else cv2.merge(samples)


def _edge(ellipse: Geometry, bounds: tuple[int, int, int, int]) -> tuple[Floats, Floats]:
    """The terms of a round veil's opacity per row and per column of the bounds x1, y1, x2, y2.

    Their sum falls from 1 on the ellipse (the rectangle [4] around it, in samples) to 0 at the end
    of the soft edge, linear in the squared radius.
    """
    x1, y1, x2, y2 = ellipse.tolist()
    x = (np.arange(bounds[0], bounds[2]) + (0.5 - (x1 + x2) / 2)) / ((x2 - x1) / 2)
    y = (np.arange(bounds[1], bounds[3]) + (0.5 - (y1 + y2) / 2)) / ((y2 - y1) / 2)
    end = (1 + SOFT_EDGE) ** 2
    return (
        ((end - y * y) / (end - 1)).astype(np.float32),
        (x * x / (1 - end)).astype(np.float32),
    )


def _opacity(rows: Floats, columns: Floats) -> Floats:
    """How opaque a round veil is at each sample, float32 [h, w], from the terms of its edge."""
    opacity: Floats = np.add.outer(rows, columns)
    opacity.clip(0, 1, out=opacity)
    opacity *= opacity
    return opacity
