"""Named conditions under which faces are hard to find, each as footage with its truth.

for name, make in CONDITIONS.items():
    footage = make(seed)               # 640x360, 60 to 100 frames
    footage.frame(0), footage.truth
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice

import numpy as np

from testkit.clips import STANDARD, Actor, Clip, Scene, make_clip
from testkit.scenes_effects import Effect, compression, darkness, grain, low_resolution, motion_blur
from testkit.scenes_footage import (
    Altered,
    Footage,
    Hidden,
    Joined,
    Part,
    Transition,
    rolled,
    window,
)

WIDTH, HEIGHT, FRAMES = 640, 360, 80
GREY, GREEN, BROWN = (120, 125, 130), (70, 85, 70), (110, 90, 75)
PORTRAITS = ("obama", "biden", "astronaut", "obama2")

SMALL = Scene(
    1,
    (GREY, GREEN),
    (
        Actor("obama", ((0, 0.10, 0.40, 0.040), (1, 0.30, 0.42, 0.048))),
        Actor("biden", ((0, 0.45, 0.55, 0.050), (1, 0.52, 0.50, 0.058))),
        Actor("astronaut", ((0, 0.92, 0.45, 0.066), (1, 0.70, 0.47, 0.060))),
        Actor("obama2", ((0, 0.70, 0.75, 0.045), (1, 0.85, 0.72, 0.062))),
    ),
)
"""Faces of 14 to 24 pixels."""

LARGE = Scene(1, (BROWN, GREY), (Actor("biden", ((0, 0.50, 0.55, 0.55), (1, 0.52, 0.50, 1.35))),))
"""One face, which comes so near that it fills the frame and more."""

EDGES = Scene(
    1,
    (GREEN, BROWN),
    (
        Actor("obama", ((0, 0.01, 0.55, 0.30), (0.5, 0.04, 0.55, 0.30), (1, 0.005, 0.5, 0.30))),
        Actor("biden", ((0, 0.985, 0.60, 0.34), (0.5, 1.02, 0.58, 0.34), (1, 0.98, 0.60, 0.34))),
        Actor("astronaut", ((0, 0.40, 0.03, 0.26), (1, 0.55, 0.02, 0.26))),
        Actor("obama2", ((0, 0.60, 0.97, 0.36), (1, 0.45, 0.95, 0.36))),
    ),
)
"""Four people, each at one edge of the frame, about half of the face inside."""

PASSERS = Scene(
    1,
    (GREY, BROWN),
    (
        Actor("obama", ((0, -0.2, 0.45, 0.25), (1, 1.2, 0.45, 0.25))),
        Actor("biden", ((0, 1.3, 0.55, 0.32), (0.7, -0.3, 0.55, 0.32), (1, -0.3, 0.55, 0.32))),
        Actor("astronaut", ((0, -0.1, 0.35, 0.14), (0.4, -0.1, 0.35, 0.14), (1, 1.1, 0.4, 0.18))),
    ),
)
"""People who enter at one edge, cross and leave at the other, in front of one another."""


def _crowd() -> Scene:
    places = [(x, y) for y in (0.22, 0.42, 0.66) for x in np.linspace(0.08, 0.92, 7)]
    return Scene(
        1,
        (GREY, GREEN),
        tuple(
            Actor(name, ((0, x, y, 0.08 + 0.06 * y), (1, x + 0.03, y, 0.08 + 0.06 * y)))
            for name, (x, y) in zip(islice(cycle(PORTRAITS), len(places)), places, strict=True)
        ),
    )


def _standard(seed: int) -> Clip:
    return make_clip(WIDTH, HEIGHT, FRAMES, seed)


def _scene(scene: Scene) -> Callable[[int], Footage]:
    return lambda seed: make_clip(WIDTH, HEIGHT, FRAMES, seed, scenes=(scene,))


def _altered(effect: Effect) -> Callable[[int], Footage]:
    return lambda seed: Altered(_standard(seed), effect, seed)


def _rolled(degrees: float) -> Callable[[int], Footage]:
    return lambda seed: rolled(_standard(seed), np.full(FRAMES, degrees))


def _rolling(seed: int) -> Footage:
    """The camera turns once around itself."""
    return rolled(_standard(seed), np.linspace(0, 360, FRAMES))


def _pole(seed: int) -> Footage:
    """Two poles pass in front of everyone."""
    left = np.linspace(-60, WIDTH, FRAMES)
    poles = [
        np.stack([x, np.zeros(FRAMES), x + wide, np.full(FRAMES, HEIGHT)], axis=1)
        for x, wide in ((left, 36), (left[::-1], 52))
    ]
    return Hidden(_standard(seed), np.array(poles), (GREEN, GREY))


def _lower_half(seed: int) -> Footage:
    """Something is held before the lower half of the largest face for a third of each shot."""
    clip = _standard(seed)
    truth, things = clip.truth, np.zeros((1, FRAMES, 4))
    ends = np.append(truth.shot_starts[1:], FRAMES)
    for first, end in zip(truth.shot_starts, ends, strict=True):
        for number in range(first + (end - first) // 3, first + 2 * (end - first) // 3):
            boxes = truth.boxes[truth.frames == number]
            x1, y1, x2, y2 = boxes[(boxes[:, 3] - boxes[:, 1]).argmax()]
            things[0, number] = (x1 - 4, y1 + 0.55 * (y2 - y1), x2 + 4, y2 + 6)
    return Hidden(clip, things, ((196, 150, 120),))


def _whip_pan(seed: int) -> Footage:
    """The camera stands, sweeps over the scene in 10 frames, blurred, and sweeps back."""
    wide = make_clip(2 * WIDTH, HEIGHT, FRAMES, seed, scenes=(STANDARD[3],))
    key = np.interp(np.arange(FRAMES), [0, 20, 30, 50, 60, FRAMES], [0, 0, 1, 1, 0, 0])
    left = np.stack([key * WIDTH, np.zeros(FRAMES)], axis=1)
    view = window(wide, WIDTH, HEIGHT, left)
    moving = np.abs(np.gradient(left[:, 0])) > 1
    return Altered(view, motion_blur(0.12), where=moving)


def _edited(
    transition: Transition, frames: int, length: int, count: int
) -> Callable[[int], Footage]:
    """Parts of `length` frames, each of another scene, joined by that transition."""

    def make(seed: int) -> Footage:
        scenes = islice(cycle(STANDARD), count)
        clips = [
            make_clip(WIDTH, HEIGHT, length, seed + 10 * at, scenes=(scene,))
            for at, scene in enumerate(scenes)
        ]
        return Joined([Part(clip, transition, frames) for clip in clips])

    return make


CONDITIONS: dict[str, Callable[[int], Footage]] = {
    "plain": _standard,
    "small, 14-24 px": _scene(SMALL),
    "full frame": _scene(LARGE),
    "at the edges": _scene(EDGES),
    "entering, crossing, leaving": _scene(PASSERS),
    "crowd of 21": _scene(_crowd()),
    "rolled 20 degrees": _rolled(20),
    "rolled 45 degrees": _rolled(45),
    "rolled 90 degrees": _rolled(90),
    "upside down": _rolled(180),
    "camera rolling once": _rolling,
    "motion blur 3 % of height": _altered(motion_blur(0.03)),
    "motion blur 6 % of height": _altered(motion_blur(0.06)),
    "dark, 20 % of the light": _altered(darkness(0.2, 3)),
    "dark, 8 % of the light": _altered(darkness(0.08, 3)),
    "noise 25 grey levels": _altered(grain(25)),
    "noise 60 grey levels": _altered(grain(60)),
    "JPEG quality 10": _altered(compression(10)),
    "JPEG quality 4": _altered(compression(4)),
    "a third of the resolution": _altered(low_resolution(1 / 3)),
    "poles passing": _pole,
    "lower half hidden": _lower_half,
    "whip pan": _whip_pan,
    "cuts every 8 frames": _edited("cut", 0, 8, 10),
    "dissolves": _edited("dissolve", 12, 26, 4),
    "wipes": _edited("wipe", 12, 26, 4),
    "fades": _edited("fade", 12, 24, 4),
}
