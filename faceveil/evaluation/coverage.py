"""Which true faces an output covers, and on which face each of its boxes lies."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import centres, grown, iou, share_of_smaller, sides
from faceveil.evaluation.output import Output
from faceveil.evaluation.truth import Truth, grid_points
from faceveil.faces import Floats, Ints

_CHUNK = 1 << 12

Bools = NDArray[np.bool_]
Shape = Literal["ellipse", "box"]


def pairs_by_frame(frames: Ints, others: Ints) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return every pair of rows of two columns of rising frames that share a frame."""
    first = np.searchsorted(others, frames, side="left")
    count = np.searchsorted(others, frames, side="right") - first
    rows = np.repeat(np.arange(len(frames)), count)
    offset = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    return rows, first[rows] + offset


def covered_points(truth: Truth, frames: Ints, regions: Floats, shape: Shape) -> Bools:
    """Return bool [n, GRID, GRID]: the sample points of true faces under opaque regions."""
    order = np.argsort(frames, kind="stable")
    opaque = np.asarray(regions, np.float64)[order]
    covered = np.zeros(truth.seen.shape, bool)
    rows, others = pairs_by_frame(truth.frames, np.asarray(frames)[order])
    for start in range(0, len(rows), _CHUNK):
        row, region = rows[start : start + _CHUNK], opaque[others[start : start + _CHUNK]]
        region = region[:, None, None, :]
        offset = grid_points(truth.boxes[row]) - centres(region)
        offset /= sides(region) / 2
        inside = (
            (offset**2).sum(axis=-1) <= 1
            if shape == "ellipse"
            else (np.abs(offset) <= 1).all(axis=-1)
        )
        np.logical_or.at(covered, row, inside)
    return covered


def share_covered(truth: Truth, covered: Bools) -> Floats:
    """Return float32 [n]: the covered share of the visible part of each face."""
    seen = truth.seen.sum(axis=(1, 2))
    hit = (truth.seen & covered).sum(axis=(1, 2))
    return np.asarray(hit / np.maximum(seen, 1), np.float32)


def coverage_of_boxes(truth: Truth, frames: Ints, boxes: Floats, shape: Shape = "box") -> Floats:
    """Return how much of the visible part of each true face is covered by regions together.

    Parameters
    ----------
    truth : Truth
    frames : ndarray of int32 [m]
    boxes : ndarray of float32 [m, 4]
        The regions in pixels, margin included.
    shape : {"box", "ellipse"}
        "ellipse" takes the ellipse inscribed in each box, as a round veil does.

    Returns
    -------
    ndarray of float32 [n]
        Shares from 0 to 1.
    """
    return share_covered(truth, covered_points(truth, frames, boxes, shape))


def coverage_of_output(truth: Truth, output: Output) -> Floats:
    """Return the share float32 [n] of the visible part of each true face that an output covers.

    It does not matter of which kind a veil is.
    """
    covered = np.zeros(truth.seen.shape, bool)
    shapes: tuple[Shape, ...] = ("box", "ellipse")
    for shape, mine in zip(shapes, (~output.round_rows, output.round_rows), strict=True):
        rows = output.veiled & mine
        if rows.any():
            covered |= covered_points(truth, output.frames[rows], output.regions[rows], shape)
    coverage = share_covered(truth, covered)
    coverage[np.isin(truth.frames, output.whole_frames)] = 1
    return coverage


def near_veiled(truth: Truth, kept: Bools, margin: float) -> Bools:
    """Return bool [n]: kept rows that touch the box of a veiled person grown by `margin`."""
    near = np.zeros(len(truth), bool)
    mine, others = np.flatnonzero(kept), np.flatnonzero(~kept)
    row, other = pairs_by_frame(truth.frames[mine], truth.frames[others])
    boxes, veils = truth.boxes[mine[row]], grown(truth.boxes[others[other]], margin)
    touching = (veils[:, :2] < boxes[:, 2:]) & (veils[:, 2:] > boxes[:, :2])
    near[mine[row[touching.all(axis=1)]]] = True
    return near


def match(
    truth: Truth,
    frames: Ints,
    boxes: Floats,
    min_overlap: float = 0.4,
    *,
    rows: Bools | None = None,
) -> Ints:
    """Return the true face on which each box lies.

    Parameters
    ----------
    truth : Truth
    frames : ndarray of int32 [m]
    boxes : ndarray of float32 [m, 4]
    min_overlap : float
        Least intersection over union.
    rows : ndarray of bool [n], optional
        Only these true rows are considered.

    Returns
    -------
    ndarray of int32 [m]
        The true row with the best overlap, -1 for none.
    """
    order = np.argsort(frames, kind="stable")
    allowed = np.arange(len(truth)) if rows is None else np.flatnonzero(rows)
    box, face = pairs_by_frame(np.asarray(frames)[order], truth.frames[allowed])
    box, face = order[box], allowed[face]
    overlap = iou(np.asarray(boxes, np.float32)[box], truth.boxes[face])
    found = np.full(len(frames), -1, np.int32)
    rising = np.argsort(overlap, kind="stable")
    rising = rising[overlap[rising] >= min_overlap]
    found[box[rising]] = face[rising]  # the best one comes last and overwrites the others
    return found


def on_ignored(truth: Truth, frames: Ints, boxes: Floats) -> Bools:
    """Return bool [m]: boxes of which at least half lies in an ignored face."""
    hit = np.zeros(len(frames), bool)
    ignored = np.flatnonzero(truth.ignore)
    box, face = pairs_by_frame(frames, truth.frames[ignored])
    mine, other = boxes[box], truth.boxes[ignored[face]]
    hit[box[share_of_smaller(mine, other) >= 0.5]] = True
    return hit
