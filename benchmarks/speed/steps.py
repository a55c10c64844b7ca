"""What each step to make the command faster gains, and what it costs in recall.

Each step can be taken back: a run without any of them, one with each alone, and one with each
added to those before. Recall is that of the quality benchmark's real clips and some harder ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any
from unittest.mock import patch

from benchmarks.quality.clips import REAL_HARDER, SYNTHETIC, clips
from benchmarks.quality.detections import Detectors, Shown
from benchmarks.quality.source import HeldSource
from benchmarks.quality.variants import Variant
from benchmarks.report import table
from faceveil.evaluation.judging import Evaluation, evaluate
from faceveil.sampling import detection
from faceveil.sampling.adaptive import SamplingOptions, halving
from faceveil.sampling.agreement import Agreement
from faceveil.weights.engines import ONNXRUNTIME
from testkit import SHARED_DATA

ADAPTIVE = SamplingOptions()


@dataclass(frozen=True)
class Profile:
    """Processor seconds of each stage, "the rest" and "all" included, and counts of work done."""

    spent: Mapping[str, float]
    frames: int
    looked_at: int
    decoded: int
    recognised: int


@dataclass(frozen=True)
class Way:
    """How the command is run: by default as it is, with every frame analysed.

    reads_twice: adaptive sampling finds the shots in a pass of its own. halves: it halves a
    stretch until the boxes at its ends agree.
    """

    sampling: SamplingOptions | None = None
    engine: str = "auto"
    recognises_all: bool = False
    reads_twice: bool = False
    halves: bool = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        """The parts that no option switches off are taken back while the block runs."""
        with ExitStack() as stack:
            if self.reads_twice:
                stack.enter_context(patch.object(detection, "_reader", lambda source: None))
            if self.halves:
                by_boxes = partial(halving, Agreement())
                stack.enter_context(patch.object(detection, "NextByPixels", by_boxes))
            yield


@dataclass(frozen=True)
class Step:
    """A step, what a run without it has otherwise, and the samplings in which it matters."""

    name: str
    without: Mapping[str, Any]
    samplings: tuple[str, ...]


SAMPLINGS = {"every frame": None, "adaptive": ADAPTIVE}
STEPS = (
    Step("1 engine: the fastest that detects as well", {"engine": ONNXRUNTIME}, ("every frame",)),
    Step("2 recognise less", {"recognises_all": True}, ("every frame",)),
    Step("3 pass less: shots in the pass of detection", {"reads_twice": True}, ("adaptive",)),
    Step("4 look less: follow faces between detections", {"halves": True}, ("adaptive",)),
)
RECALLS = {
    "every frame, all recognised": Way(recognises_all=True),
    "every frame": Way(),
    "adaptive, halving": Way(sampling=ADAPTIVE, halves=True),
    "adaptive": Way(sampling=ADAPTIVE),
}
HARDER_OF = "classroom"
"""Whose harder versions are measured: in these, detections come and go most."""
ELSEWHERE = (
    "Step 5 (encode) left the preset as it was (presets.md); gop_copy.md has what copying gains. "
    "Steps 6 (GPU) and 7 (server) are not in this command: the GPU is unmeasured, and serving.md "
    "has the server. Step 8 (start) comes before the first frame and is not in these figures."
)


def steps_table(profile: Callable[[Way], Profile]) -> list[str]:
    """The lines of all tables; `profile` runs the command on a 1080p clip."""
    remembered = cache(profile)
    lines = ["## Steps, at 1080p", ""]
    for title in SAMPLINGS:
        columns = (title, "ms a frame, alone", "gain", "ms, with those before", "gain")
        lines += [*table(columns, _rows(title, remembered)), ""]
    return [*lines, ELSEWHERE, "", *recall_table()]


def _rows(title: str, profile: Callable[[Way], Profile]) -> Iterator[tuple[str, ...]]:
    steps = [step for step in STEPS if title in step.samplings]
    as_it_is = Way(SAMPLINGS[title])
    base = profile(_lacking(as_it_is, steps))
    yield "without any of them", _milliseconds(base), "", "", ""
    for count, step in enumerate(steps, 1):
        alone = profile(_lacking(as_it_is, [other for other in steps if other is not step]))
        together = profile(_lacking(as_it_is, steps[count:]))
        yield (
            step.name,
            _milliseconds(alone),
            _gain(base, alone),
            _milliseconds(together),
            _gain(base, together),
        )


def _lacking(way: Way, steps: Sequence[Step]) -> Way:
    for step in steps:
        way = replace(way, **step.without)
    return way


def _milliseconds(profile: Profile) -> str:
    return f"{profile.spent['all'] / profile.frames * 1e3:.1f}"


def _gain(base: Profile, faster: Profile) -> str:
    ratio = base.spent["all"] / base.frames / (faster.spent["all"] / faster.frames)
    return f"{ratio:.2f}x"


def recall_table() -> list[str]:
    """What steps 2 to 4 cost: faces veiled, longest exposed run, share of frames analysed."""
    if not SHARED_DATA.is_dir():
        return ["Recall is not measured: ../shared/data is absent."]
    detectors = Detectors()
    results: dict[tuple[str, str], list[tuple[Evaluation, int, int]]] = defaultdict(list)
    for clip in clips():
        if clip.group == SYNTHETIC or (clip.group == REAL_HARDER and HARDER_OF not in clip.clip):
            continue
        source = HeldSource(clip.footage)
        detections = detectors("default", Shown(clip.footage))
        starts, _ = source.shot_starts()
        for name, way in RECALLS.items():
            variant = Variant(name, sampling=way.sampling, recognises_all=way.recognises_all)
            with way.taken():
                output, analysed = variant.veiled(detections, source, starts)
            judged = evaluate(clip.footage.truth, output)
            results[clip.group, name].append((judged, analysed, source.frame_count or 0))
    rows = []
    for (group, name), each in results.items():
        faces, hits = (
            sum(getattr(judged.veils, part) for judged, *_ in each) for part in ("faces", "hits")
        )
        frames = sum(count for *_, count in each) / sum(analysed for _, analysed, _ in each)
        run = max(judged.longest_run() for judged, *_ in each)
        rows.append((group, name, f"{hits / faces:.4f} of {faces}", run, f"1 of {frames:.1f}"))
    return table(("clips", "way", "faces veiled", "longest exposed run", "frames analysed"), rows)
