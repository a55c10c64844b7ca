"""What each step of detection adds, in faces and in time, frame by frame; and what was left out.

    python -m benchmarks.quality.steps [report.md]

Every eighth frame of the clips of quality.py, each on its own: nothing is followed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import process_time

import cv2
import numpy as np

from benchmarks.quality.clips import clips
from benchmarks.report import machine, publish, table
from faceveil.detect.added import AddedLooks
from faceveil.detect.build import UNION_CENTERFACE, UNION_THRESHOLDS, UNION_TIMES_SMALLEST
from faceveil.detect.centerface import CenterFace
from faceveil.detect.detector import Detected
from faceveil.detect.mtcnn import MTCNN, MTCNNNetworks
from faceveil.detect.pyramid import Pyramid
from faceveil.detect.thorough import RolledCenterFace, ThoroughCenterFace, TurnedCenterFace
from faceveil.detect.union import PyramidDetector, UnionDetector
from faceveil.detect.upright import UprightLook
from faceveil.evaluation.coverage import coverage_of_boxes, match, on_ignored
from faceveil.evaluation.truth import Truth
from faceveil.faces import LOW_SCORE, Image
from faceveil.veils.region import core
from faceveil.veils.styles import VeilStyle
from faceveil.weights.session import open_session
from faceveil.weights.store import locate

EVERY = 8
BORDER = 0.12
STYLE = VeilStyle()


class OneSize(CenterFace):
    """CenterFace without its look at half the size."""

    def _candidates(self, view: Image, lowest: float) -> Detected:
        if view.shape[0] == self.height:
            return super()._candidates(view, lowest)
        return Detected(*(np.zeros((0, *row), np.float32) for row in ((4,), (), (5, 2))))

    def detect_in(self, pyramid: Pyramid, lowest: float = LOW_SCORE) -> Detected:
        self.height = pyramid.height
        return super().detect_in(pyramid, lowest)


@dataclass(frozen=True)
class Also:
    """A detector, and the same once more on the picture changed: `change` returns a picture and
    the shift and scale that bring points back.
    """

    detector: CenterFace
    change: Callable[[Image], tuple[Image, float, float]]
    name: str = "centerface"

    @property
    def accept_score(self) -> float:
        return self.detector.accept_score

    def detect(self, image: Image) -> Detected:
        return self.detect_in(Pyramid(image))

    def detect_in(self, pyramid: Pyramid) -> Detected:
        picture, shift, scale = self.change(pyramid.levels[0])
        more = self.detector.detect(picture).moved(shift, shift)
        more = Detected(more.boxes * scale, more.scores, more.landmarks * scale)
        both = Detected.joined([self.detector.detect_in(pyramid), more])
        return both.select(np.argsort(-both.scores, kind="stable"))


def _mirrored_border(image: Image) -> tuple[Image, float, float]:
    wide = round(BORDER * min(image.shape[:2]))
    return cv2.copyMakeBorder(image, *[wide] * 4, cv2.BORDER_REFLECT), -wide, 1.0


def _larger(image: Image) -> tuple[Image, float, float]:
    return cv2.resize(image, None, fx=1.5, fy=1.5), 0.0, 1 / 1.5


def detectors() -> dict[str, PyramidDetector]:
    """Each step on top of those above it, then each that was left out on top of "default"."""
    files = locate("mtcnn", "detector").files
    networks = MTCNNNetworks(*(open_session(files[name]) for name in ("pnet", "rnet", "onet")))
    session = open_session(locate("centerface", "detector").files["model"])
    all_sizes = MTCNN(networks, None, UNION_THRESHOLDS)
    mtcnn = MTCNN(networks, None, UNION_THRESHOLDS, times_smallest=UNION_TIMES_SMALLEST)
    one, both = (kind(session, None, UNION_CENTERFACE) for kind in (OneSize, CenterFace))
    again = UnionDetector([mtcnn, ThoroughCenterFace(both)])
    upright = UprightLook(again, RolledCenterFace(both))
    turned = TurnedCenterFace(both)
    small = MTCNN(networks, None, UNION_THRESHOLDS, below_times_smallest=UNION_TIMES_SMALLEST)
    return {
        "MTCNN and CenterFace, once each": UnionDetector([all_sizes, one]),
        "CenterFace at half the size too": UnionDetector([all_sizes, both]),
        "MTCNN from twice the size (fast)": UnionDetector([mtcnn, both]),
        "without MTCNN": UnionDetector([both]),
        "doubtful places nearer, mirrored and turned": again,
        "the whole upright where faces lie (default)": upright,
        "the whole mirrored and turned (high-recall)": AddedLooks(upright, [turned, small]),
        "left out: a mirrored border of 12 %": UnionDetector([mtcnn, Also(both, _mirrored_border)]),
        "left out: the whole 1.5 times as large": UnionDetector([mtcnn, Also(both, _larger)]),
    }


@dataclass
class Count:
    """Faces to find, those missed, boxes on nothing; frames, and their processor seconds."""

    faces: int = 0
    missed: int = 0
    wrong: int = 0
    frames: int = 0
    seconds: float = 0.0


def measure() -> dict[str, Count]:
    cv2.setNumThreads(1)
    steps = detectors()
    counts = {name: Count() for name in steps}
    for clip in clips():
        for number in range(0, clip.footage.frame_count, EVERY):
            truth = clip.footage.truth.select(clip.footage.truth.frames == number)
            picture = clip.footage.frame(number)
            for name, detector in steps.items():
                start = process_time()
                found = detector.detect(picture)
                counts[name].seconds += process_time() - start
                _add(counts[name], truth, number, found, detector.accept_score)
    return counts


def _add(count: Count, truth: Truth, number: int, found: Detected, accept: float) -> None:
    boxes = found.boxes[found.scores >= np.float32(accept)]
    frames = np.full(len(boxes), number, np.int32)
    regions = core(boxes, STYLE).astype(np.float32)
    wanted = (truth.visible >= 0.5) & ~truth.ignore
    covered = coverage_of_boxes(truth, frames, regions, "ellipse") >= 0.9
    on_nothing = (match(truth, frames, boxes, 0.15) < 0) & ~on_ignored(truth, frames, boxes)
    count.faces += int(wanted.sum())
    count.missed += int((wanted & ~covered).sum())
    count.wrong += int(on_nothing.sum())
    count.frames += 1


def report() -> str:
    counts = measure()
    first = next(iter(counts.values()))
    lines = [
        "# What each step of detection adds",
        "",
        f"`python -m benchmarks.quality.steps`: {first.frames} frames with {first.faces} faces, "
        "each frame on its own, of pictures 192 to 960 pixels wide under the conditions of "
        "quality.md. A face is missed when less than 0.9 of it would be veiled.",
        "",
        machine(),
        "",
        *table(
            ("", "faces missed", "boxes on nothing", "milliseconds of processor time a frame"),
            [
                (
                    name,
                    f"{count.missed} ({count.missed / count.faces:.1%})",
                    count.wrong,
                    f"{1000 * count.seconds / count.frames:.0f}",
                )
                for name, count in counts.items()
            ],
        ),
        "",
        "A mirrored border makes faces at the edge whole, but they are found without it; its "
        "reflections are found as faces too. Looking at more of the picture in a larger size "
        "finds small faces, most of which the second look finds for less.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    publish(report, needs_data=False)
