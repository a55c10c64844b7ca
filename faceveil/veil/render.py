"""Veils drawn into the stored samples of a frame, plane by plane (DESIGN policy 3).

Work is done on the regions alone, so the cost follows the veiled area and not the frame. Each plane
is veiled at its own resolution: a chroma sample is veiled when the region touches any part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats
from faceveil.media.frames import Planes
from faceveil.veil.region import SOFT_EDGE, Geometry, core, grid, outer
from faceveil.veil.styles import VeilStyle, axis, channel_noise, veil_samples


def veil_frame(planes: Planes, boxes: Floats, seeds: NDArray[np.int64], style: VeilStyle) -> bool:
    """Veil the boxes float32 [n, 4] (pixels of the upright frame) in place.

    seeds int64 [n], not negative, fix each sequence's noise. Samples outside the veils, and the
    transparency of RGBA, keep their exact values. Returns whether any sample was written to: not
    when every box lies outside the frame.
    """
    cores = core(boxes, style)
    regions = list(zip(cores, outer(cores, style), grid(cores, style), strict=True))
    changed = False
    for layer in _layers(planes, style):
        for region, seed in zip(regions, seeds.tolist(), strict=True):
            changed |= _cover(layer, _Region(*region, style.is_round), seed, style)
    return changed


def veil_whole(planes: Planes, seed: int, style: VeilStyle) -> None:
    """Veil the whole frame in place: where nobody knows what it shows (policy 1)."""
    height, width = planes.planes[0].shape[:2]
    frame = np.array([0, 0, width, height], np.float64)
    for layer in _layers(planes, style):
        _cover(layer, _Region(frame, frame, frame, is_round=False), seed, style)


@dataclass(frozen=True, slots=True, eq=False)
class _Region:
    """A veil on a frame: its opaque core, all it may touch and where its cells lie, each [4]."""

    core: Geometry
    touched: Geometry
    grid: Geometry
    is_round: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """A plane to veil: its channels [h, w] (views), and how many pixels a sample spans in x and y.

    `fill` holds each channel's value of a solid veil, None for the other styles.
    """

    channels: tuple[NDArray[Any], ...]
    span: tuple[int, int]
    first_channel: int
    peak: int
    fill: tuple[int, ...] | None


def _layers(planes: Planes, style: VeilStyle) -> list[_Layer]:
    fills = planes.colour(style.colour) if style.name == "solid" else None
    layers = []
    for number, (plane, span) in enumerate(zip(planes.planes, planes.subsampling, strict=True)):
        channels = _colour_channels(plane)
        fill = None
        if fills is not None:
            fill = tuple(np.atleast_1d(fills[number])[: len(channels)].tolist())
        layers.append(_Layer(channels, span, number, planes.peak, fill))
    return layers


def _colour_channels(plane: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """The channels of a plane as views [h, w], without transparency."""
    if plane.ndim == 2:
        return (plane,)
    count = plane.shape[2]
    return tuple(plane[:, :, channel] for channel in range(count - (count in (2, 4))))


def _cover(layer: _Layer, region: _Region, seed: int, style: VeilStyle) -> bool:
    """Veil a region of one plane; False where all of it lies outside the frame."""
    span = np.array(layer.span * 2)
    # A sample counts when a round core touches any part of it, not only its middle.
    pad = np.array([-1.0, -1.0, 1.0, 1.0]) * region.is_round
    left, top, right, bottom = (region.touched / span + pad).tolist()
    height, width = layer.channels[0].shape
    x1, x2 = max(floor(left), 0), min(ceil(right), width)
    y1, y2 = max(floor(top), 0), min(ceil(bottom), height)
    if x1 >= x2 or y1 >= y2:
        return False
    if layer.fill is not None:
        for samples, value in zip(layer.channels, layer.fill, strict=True):
            samples[y1:y2, x1:x2] = value
        return True
    cells_left, cells_top, cells_right, cells_bottom = (region.grid / span + pad).tolist()
    rows = axis(cells_top, cells_bottom, y1, y2, style)
    columns = axis(cells_left, cells_right, x1, x2, style)
    opacity = None
    if region.is_round:
        opacity = _opacity(region.core / span + pad, np.arange(x1, x2), np.arange(y1, y2))
    for channel, samples in enumerate(layer.channels, layer.first_channel):
        original = samples[y1:y2, x1:x2].astype(np.float32, order="C")
        noise = channel_noise(
            seed, channel, chroma=layer.first_channel > 0, style=style, peak=layer.peak
        )
        veil = veil_samples(original, rows, columns, noise, layer.peak)
        if opacity is not None:
            # Exact at both ends: nothing of the original where opaque, all of it where clear.
            veil *= opacity
            original *= 1 - opacity
            veil += original
        veil += np.float32(0.5)
        samples[y1:y2, x1:x2] = veil.astype(samples.dtype)
    return True


def _opacity(ellipse: Geometry, columns: NDArray[Any], rows: NDArray[Any]) -> Floats:
    """How opaque a round veil is at each sample, float32 [rows, columns].

    1 inside the ellipse (the rectangle [4] around it, in samples), falling smoothly to 0 at the
    outer end of the soft edge.
    """
    x1, y1, x2, y2 = ellipse.tolist()
    x = ((columns + 0.5 - (x1 + x2) / 2) / ((x2 - x1) / 2)).astype(np.float32)
    y = ((rows + 0.5 - (y1 + y2) / 2) / ((y2 - y1) / 2)).astype(np.float32)
    radius = np.sqrt((x**2)[None, :] + (y**2)[:, None])
    opacity: Floats = np.clip((1 + SOFT_EDGE - radius) * np.float32(1 / SOFT_EDGE), 0, 1)
    opacity *= opacity * (3 - 2 * opacity)
    return opacity
