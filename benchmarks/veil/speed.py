"""What veiling a frame costs, beside the master's thesis's way of doing it.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.veil.speed [report.md]

The thesis's round blur blurs the whole frame, draws a filled circle per face into a mask and
composes both with the mask: 69 ms on a 1080p frame on its machine. Its way runs here with both of
OpenCV's usual blurs. All ways run on the same frames in turns, on one thread; the least time of
each counts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import publish, table
from faceveil.faces import Floats, Image
from faceveil.media.frames import Planes
from faceveil.veils.render import veil_frame
from faceveil.veils.styles import STYLE_NAMES, VeilStyle

WIDTH, HEIGHT = 1920, 1080
FACE_SIZES = {1: 160, 4: 120, 12: 80}
"""Faces in the frame, and their size in pixels."""
ROUNDS = 15

Blur = Callable[[Image], Any]
THESIS: dict[str, Blur] = {
    "thesis's way, Gaussian blur": lambda frame: cv2.GaussianBlur(frame, (51, 51), 0),
    "thesis's way, box blur": lambda frame: cv2.blur(frame, (50, 50)),
}


def thesis_round_blur(frame: Image, boxes: Floats, blur: Blur) -> Image:
    """The whole frame blurred, a mask of circles, and a choice between both for every pixel."""
    blurred = blur(frame)
    mask = np.zeros(frame.shape, np.uint8)
    for x1, y1, x2, y2 in boxes.tolist():
        centre = round((x1 + x2) / 2), round((y1 + y2) / 2)
        cv2.circle(mask, centre, round(max(x2 - x1, y2 - y1) / 2), (255, 255, 255), -1)
    return np.where(mask > 0, blurred, frame)


def frame_with_boxes(faces: int, size: int) -> tuple[Image, Floats]:
    """A 1080p frame of texture and the boxes of faces spread over it."""
    random = np.random.default_rng(faces)
    coarse = random.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    frame = np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)
    columns = -(-faces // 3)
    place = np.arange(faces)
    left = (place % columns + 0.5) * WIDTH / columns - size / 2
    top = (place // columns + 0.5) * HEIGHT / -(-faces // columns) - size / 2
    boxes = np.stack([left, top, left + size, top + 1.2 * size], axis=1).astype(np.float32)
    return frame, boxes


def as_planes(frame: Image) -> dict[str, Planes]:
    """The frame as a picture holds it and as a video frame does."""
    stacked = cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420)
    luma, chroma = stacked[:HEIGHT], stacked[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
    return {"RGB": Planes((frame.copy(),), 255), "YUV 4:2:0": Planes((luma, *chroma), 255)}


def least_times(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Milliseconds of each way: the least of several rounds, the ways in turns."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = perf_counter()
            way()
            times[name].append((perf_counter() - start) * 1000)
    return {name: min(values) for name, values in times.items()}


def measure(faces: int, size: int) -> dict[str, float]:
    frame, boxes = frame_with_boxes(faces, size)
    seeds: NDArray[np.int64] = np.arange(faces, dtype=np.int64)
    ways: dict[str, Callable[[], object]] = {
        name: partial(thesis_round_blur, frame, boxes, blur) for name, blur in THESIS.items()
    }
    for layout, planes in as_planes(frame).items():
        for name in STYLE_NAMES:
            ways[f"{name}, {layout}"] = partial(veil_frame, planes, boxes, seeds, VeilStyle(name))
    return least_times(ways)


def report() -> str:
    """The measurements as Markdown."""
    columns = {
        f"{faces} face{'s' * (faces > 1)} of {size} px": measure(faces, size)
        for faces, size in FACE_SIZES.items()
    }
    lines = [
        "# What a veil costs",
        "",
        "Repeat with `OPENBLAS_NUM_THREADS=1 python -m benchmarks.veil.speed report.md`.",
        "",
        "1920x1080, one thread, milliseconds a frame (least of several rounds, the ways in turns).",
        "In brackets: how many times faster than the thesis's way on the same frame, with a",
        "Gaussian blur and with a box blur. The thesis names 69 ms for its own, on its machine.",
        "",
        *table(
            ("way", *columns),
            [
                (way, *(_cell(times, way) for times in columns.values()))
                for way in next(iter(columns.values()))
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def _cell(times: dict[str, float], way: str) -> str:
    if way in THESIS:
        return f"{times[way]:.2f}"
    faster = ", ".join(f"{times[baseline] / times[way]:.0f}x" for baseline in THESIS)
    return f"{times[way]:.2f} ({faster})"


if __name__ == "__main__":
    cv2.setNumThreads(1)
    publish(report, needs_data=False)
