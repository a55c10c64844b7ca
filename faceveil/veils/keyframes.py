"""The veils of an analysis as keyframes, for editing programs that draw masks of their own.

Between two keyframes a mask moves evenly. As many keyframes are left out as possible: what is drawn
then differs from the veil by less than half a pixel, and is larger by as much, so that it covers
all that the veil covers. The format is keyframes.schema.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from faceveil import __version__
from faceveil.analysis import Analysis
from faceveil.faces import Ints
from faceveil.files import replace_file
from faceveil.veils.kinds import style_of
from faceveil.veils.plan import VeilPlan
from faceveil.veils.region import SOFT_EDGE, Geometry, core
from faceveil.veils.styles import VeilStyle

FORMAT = "faceveil-keyframes"
VERSION = 1
TOLERANCE = 0.5
"""Pixels."""


def write_keyframes(analysis: Analysis, style: VeilStyle, path: Path) -> None:
    """Write the keyframes of an analysis as JSON. Raises OutputError where that fails."""
    replace_file(path, orjson.dumps(to_keyframes(analysis, style), option=orjson.OPT_INDENT_2))


def to_keyframes(analysis: Analysis, style: VeilStyle) -> dict[str, Any]:
    """Return the veils of an analysis as plain data, without names of people.

    Parameters
    ----------
    analysis : Analysis
    style : VeilStyle
        What the veils look like: their shape and margins.

    Returns
    -------
    dict
        As keyframes.schema.json describes it.
    """
    plan = VeilPlan.build(
        analysis.sequences,
        analysis.veiled,
        secret="",
        unknown_frames=analysis.unknown_frames,
    )
    return {
        "format": FORMAT,
        "version": VERSION,
        "faceveil": __version__,
        "source": asdict(analysis.source),
        "shape": "ellipse" if style.is_round else "rectangle",
        "feather": SOFT_EDGE if style.is_round else 0.0,
        "tolerance": TOLERANCE,
        "masks": list(_masks(analysis, style)),
        "whole_frames": [[int(run[0]), int(run[-1])] for run in _runs(plan.whole_frames)],
    }


def _masks(analysis: Analysis, style: VeilStyle) -> Iterator[dict[str, Any]]:
    """One mask for each run of consecutive frames of each veiled sequence."""
    for number in np.flatnonzero(analysis.veiled).tolist():
        sequence = analysis.sequences[number]
        own = style_of(sequence.kind, style)
        regions = core(sequence.boxes, own) + np.array([-1.0, -1.0, 1.0, 1.0]) * TOLERANCE
        start = 0
        for run in _runs(sequence.frames):
            part = regions[start : start + len(run)]
            start += len(run)
            yield {
                "sequence": number,
                "identity": int(analysis.identities[number]),
                "first": int(run[0]),
                "last": int(run[-1]),
                **({} if own == style else {"shape": "rectangle", "feather": 0.0}),
                "keyframes": [
                    _keyframe(int(run[row]), part[row]) for row in _needed(part).tolist()
                ],
            }


def _keyframe(frame: int, region: Geometry) -> dict[str, float]:
    x1, y1, x2, y2 = region.tolist()
    return {
        "frame": frame,
        "x": round((x1 + x2) / 2, 2),
        "y": round((y1 + y2) / 2, 2),
        "width": round(x2 - x1, 2),
        "height": round(y2 - y1, 2),
    }


def _runs(frames: Ints) -> list[Ints]:
    """Frames split where they are not consecutive."""
    runs = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
    return [run for run in runs if len(run)]


def _needed(regions: Geometry) -> NDArray[np.intp]:
    """Rows from which all others are interpolated within the tolerance (Douglas and Peucker)."""
    needed = np.zeros(len(regions), bool)
    needed[[0, -1]] = True
    open_ = [(0, len(regions) - 1)]
    while open_:
        first, last = open_.pop()
        if last - first < 2:
            continue
        share = (np.arange(first + 1, last) - first)[:, None] / (last - first)
        even = regions[first] + share * (regions[last] - regions[first])
        error = np.abs(regions[first + 1 : last] - even).max(axis=1)
        worst = int(error.argmax())
        if error[worst] > TOLERANCE:
            middle = first + 1 + worst
            needed[middle] = True
            open_ += [(first, middle), (middle, last)]
    return np.flatnonzero(needed)
