"""Which shot transitions are found, and at what cost: the union and each of its parts alone.

    python -m benchmarks.detection.shots [report.md]

Edits are made of stretches of single shots (../shared/data, and synthetic clips), joined by cuts,
dissolves, wipes and fades through black of 6 to 24 frames, so that every transition is known
exactly. A transition counts as found when a shot starts in it, or two frames beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from time import process_time

import av
import cv2
import numpy as np

from benchmarks.report import machine, publish, table
from faceveil.faces import THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, Image
from faceveil.shots.cuts import ShotDetector
from faceveil.shots.transitions import LIKELY, WINDOW, TransitionDetector, mark_shots
from faceveil.shots.transnet import TransNet
from testkit import SHARED_DATA
from testkit.clips import make_clip

SIZE = (THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT)
SINGLE_SHOTS = {  # file: first and last frame + 1 of its single shots
    "intel/face-demographics-walking.gif": [(0, 200)],
    "intel/face-demographics-walking-and-pause.gif": [(0, 200)],
    "intel/classroom.gif": [(0, 200)],
    "intel/head-pose-face-detection-male.gif": [(0, 200)],
    "pyfeat/single_face.mp4": [(0, 200)],
    "hamilton/short_hamilton_clip.mp4": [(22, 80), (84, 209), (213, 275)],
}
MADE = 6
LEAST = 30
WHOLE = 1000
EDITS, SHOTS_AN_EDIT = 6, 25
KINDS = ("cut", "cut", "cut", "dissolve", "dissolve", "wipe", "fade")
BESIDE = 2

Spans = list[tuple[str, int, int]]
"""Kind, last frame before and first frame after each transition."""


def stretches() -> list[Image]:
    """Thumbnails uint8 [n, 27, 48, 3] of single shots."""
    found = []
    for name, spans in SINGLE_SHOTS.items():
        with av.open(str(SHARED_DATA / name)) as container:
            frames = [small(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
        found += [np.stack(frames[first:last]) for first, last in spans]
    for seed in range(MADE):
        clip = make_clip(seed=seed)
        starts = [*clip.truth.shot_starts.tolist(), len(clip)]
        frames = [small(picture) for picture in clip]
        found += [np.stack(frames[a:b]) for a, b in pairwise(starts)]
    return [stretch for stretch in found if len(stretch) >= LEAST]


def whole_clips() -> Iterator[Image]:
    """Thumbnails of the real clips as they are, each there and back, to about 1000 frames."""
    for name in SINGLE_SHOTS:
        with av.open(str(SHARED_DATA / name)) as container:
            frames = [small(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
        there_and_back = np.stack(frames + frames[-2:0:-1])
        repeats = max(1, WHOLE // len(there_and_back))
        yield np.concatenate([there_and_back] * repeats)


def small(picture: Image) -> Image:
    return np.asarray(cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA), np.uint8)


def edit(shots: list[Image], random: np.random.Generator) -> tuple[Image, Spans]:
    """One video of many shots, as thumbnails, and its transitions."""
    frames: list[Image] = []
    spans: Spans = []
    last = -1
    for _ in range(SHOTS_AN_EDIT):
        which = int(random.choice([i for i in range(len(shots)) if i != last]))
        shot, last = shots[which], which
        length = int(random.integers(28, 60))
        start = int(random.integers(0, max(1, len(shot) - length)))
        part = list(shot[start : start + length])
        if frames:
            kind = str(random.choice(KINDS))
            count = 0 if kind == "cut" else int(random.integers(6, 25))
            count = min(count, len(part) - 4)
            spans.append((kind, len(frames) - 1, len(frames) + count))
            frames += BETWEEN[kind](frames[-1], part[:count], random)
            part = part[count // 2 :] if kind == "fade" else part[count:]
        frames += part
    return np.stack(frames), spans


def dissolve(before: Image, after: list[Image], random: np.random.Generator) -> list[Image]:
    shares = np.arange(1, len(after) + 1) / (len(after) + 1)
    return [blend(before, new, share) for new, share in zip(after, shares, strict=True)]


def wipe(before: Image, after: list[Image], random: np.random.Generator) -> list[Image]:
    axis, backwards = int(random.integers(2)), bool(random.integers(2))
    frames = []
    for step, new in enumerate(after, 1):
        place = np.arange(before.shape[axis]) / before.shape[axis]
        shown = (place[::-1] if backwards else place) < step / (len(after) + 1)
        frames.append(np.where(np.expand_dims(shown, (1 - axis, 2)), new, before))
    return frames


def fade(before: Image, after: list[Image], random: np.random.Generator) -> list[Image]:
    down = max(len(after) // 2, 1)
    dark = np.zeros_like(before)
    out = [blend(before, dark, step / down) for step in range(1, down + 1)]
    up = len(after) - down
    return out + [blend(dark, after[0], step / (up + 1)) for step in range(1, up + 1)]


def blend(one: Image, other: Image, share: float) -> Image:
    return np.asarray(np.rint((1 - share) * one + share * other), np.uint8)


BETWEEN: dict[str, Callable[..., list[Image]]] = {
    "cut": lambda before, after, random: [],
    "dissolve": dissolve,
    "wipe": wipe,
    "fade": fade,
}


class Counted:
    """TransNetV2, with how many windows it was shown."""

    def __init__(self) -> None:
        self.network, self.windows = TransNet(), 0

    def __call__(self, thumbnails: Image) -> np.ndarray:
        self.windows += 1
        return self.network(thumbnails)


def by_union(frames: Image, network: Counted) -> list[int]:
    marked = mark_shots(((None, frame) for frame in frames), TransitionDetector(network))
    return [number for number, (_, starts) in enumerate(marked) if starts]


def by_pictures(frames: Image, network: Counted) -> list[int]:
    marked = mark_shots(((None, frame) for frame in frames), TransitionDetector())
    return [number for number, (_, starts) in enumerate(marked) if starts]


def by_content(frames: Image, network: Counted) -> list[int]:
    detector = ShotDetector()
    return [number for number, frame in enumerate(frames) if detector.push(frame)]


def by_network(frames: Image, network: Counted) -> list[int]:
    """TransNetV2 as published: windows of 100 frames, the 50 in the middle of each count."""
    edge = WINDOW // 4
    padded = np.concatenate([frames[:1].repeat(edge, 0), frames, frames[-1:].repeat(WINDOW, 0)])
    step = WINDOW // 2
    likely = np.concatenate(
        [
            network(padded[at : at + WINDOW])[edge : edge + step]
            for at in range(0, len(frames), step)
        ]
    )[: len(frames)]
    over = likely > LIKELY
    ends = np.flatnonzero(over & ~np.append(over[1:], False))
    firsts = np.flatnonzero(over & ~np.insert(over[:-1], 0, False))
    return [(a + b) // 2 + 1 for a, b in zip(firsts.tolist(), ends.tolist(), strict=True)]


WAYS = {
    "union (the default)": by_union,
    "union without TransNetV2": by_pictures,
    "content alone (cuts, fades)": by_content,
    "TransNetV2 alone": by_network,
}


@dataclass
class Score:
    """Counts over all edits: transitions by kind, those found, and starts where there is none."""

    of_kind: dict[str, int]
    found: dict[str, int]
    wrong: int = 0
    seconds: float = 0.0
    windows: int = 0
    frames: int = 0

    def add(self, starts: list[int], spans: Spans) -> None:
        free = set(starts)
        for kind, before, after in spans:
            self.of_kind[kind] += 1
            hits = [at for at in free if before - BESIDE < at <= after + BESIDE]
            if hits:
                self.found[kind] += 1
                free.discard(min(hits))
        self.wrong += len(free)

    @property
    def precision(self) -> float:
        found = sum(self.found.values())
        return found / max(found + self.wrong, 1)

    @property
    def recall(self) -> float:
        return sum(self.found.values()) / max(sum(self.of_kind.values()), 1)

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


def scores_table(scores: dict[str, Score]) -> list[str]:
    kinds = sorted(next(iter(scores.values())).of_kind)
    rows = [
        (
            name,
            f"{score.f1:.3f}",
            f"{score.precision:.3f}",
            f"{score.recall:.3f}",
            *(f"{score.found[kind]} of {score.of_kind[kind]}" for kind in kinds),
            f"{1000 * score.seconds / score.frames:.2f}",
            f"{1000 * score.windows / score.frames:.1f}",
        )
        for name, score in scores.items()
    ]
    return table(("", "F1", "precision", "recall", *kinds, "ms a frame", "windows per 1000"), rows)


def report() -> str:
    shots, random = stretches(), np.random.default_rng(7)
    scores = {name: Score(defaultdict(int), defaultdict(int)) for name in WAYS}
    network = Counted()
    network(np.zeros((WINDOW, THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, 3), np.uint8))
    for _ in range(EDITS):
        frames, spans = edit(shots, random)
        for name, way in WAYS.items():
            score, network.windows, start = scores[name], 0, process_time()
            score.add(way(frames, network), spans)
            score.seconds += process_time() - start
            score.windows += network.windows
            score.frames += len(frames)
    whole = Score(defaultdict(int), defaultdict(int))
    for frames in whole_clips():
        network.windows, start = 0, process_time()
        by_union(frames, network)
        whole.seconds += process_time() - start
        whole.windows += network.windows
        whole.frames += len(frames)
    frames_in_all = next(iter(scores.values())).frames
    lines = [
        "# Shot transitions",
        "",
        "`python -m benchmarks.detection.shots`",
        "",
        machine(),
        "",
        f"{EDITS} edits of {len(shots)} single shots, {frames_in_all} frames, a transition every "
        f"{frames_in_all / sum(next(iter(scores.values())).of_kind.values()):.0f} frames (real "
        "video has fewer, so that the network is asked less often there). Milliseconds are "
        "processor time, without decoding and shrinking.",
        "",
        *scores_table(scores),
        "",
        f"On the real clips as they are ({len(SINGLE_SHOTS)} clips, {whole.frames} frames, people "
        "walking and talking, a few cuts), the union takes "
        f"{1000 * whole.seconds / whole.frames:.2f} ms a frame and shows TransNetV2 "
        f"{1000 * whole.windows / whole.frames:.1f} windows per 1000 frames.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    publish(report)
