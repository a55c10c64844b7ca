"""Exact numbers on clips whose truth is known: who was veiled, who was kept, and who was who.

    python -m benchmarks.quality.synthetic_truth [report.md]

Clips of testkit/clips.py in several sizes and with several seeds. Each is analysed once with the
default options, and rendered with everyone veiled and with each person kept by a photo in turn.
What is veiled is measured twice, by testkit/truth.py: from the plan, and from the pixels of the
encoded video. It needs no data from beside the project.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from benchmarks.report import machine, publish, table
from faceveil import finding, pipeline
from faceveil.analysis import Analysis
from faceveil.detect.analyzer import FaceAnalyzer
from faceveil.detect.build import build_analyzer
from faceveil.evaluation.output import planned_boxes
from faceveil.faces import Image
from faceveil.identity.references import load_references
from faceveil.identity.select import Selection
from faceveil.media.open import open_sink, open_source
from faceveil.veiling import render_frames
from faceveil.veils.styles import VeilStyle
from testkit.clips import make_clip, write_video
from testkit.portraits import PORTRAITS, portrait_path
from testkit.truth import (
    ENCODED,
    Evaluation,
    Truth,
    coverage_of_analysis,
    coverage_of_pixels,
    evaluate,
    identity_errors,
    match,
)

CLIPS = (
    (640, 360, 250, 0),
    (640, 360, 250, 1),
    (640, 360, 250, 2),
    (960, 540, 200, 3),
    (1280, 720, 200, 4),
    (1920, 1080, 200, 5),
)
"""Width, height, frames, seed."""
PHOTOS = {PORTRAITS[name].person: portrait_path(name) for name in ("obama3", "biden", "astronaut")}
"""A photo of each person. That of Obama is in no clip; of the others there is only the one."""


@dataclass(frozen=True)
class Outcome:
    """What became of one clip with one person kept, or no one."""

    clip: str
    kept: str
    plan: Evaluation
    pixels: Evaluation
    wrong_kept: int
    """Boxes left visible that lie on a face other than the kept person's."""

    def row(self) -> tuple[object, ...]:
        missed, veiled = len(self.pixels.missed), len(self.pixels.kept_veiled)
        return (
            self.clip,
            self.kept,
            self.pixels.faces,
            f"{self.plan.recall:.4f}",
            f"{self.pixels.recall:.4f}",
            missed,
            len(self.pixels.untouched),
            self.wrong_kept,
            self.pixels.kept_faces,
            f"{veiled} ({self.pixels.kept_veiled_share:.1%})",
        )


def outcomes(
    title: str, video: Path, truth: Truth, analyzer: FaceAnalyzer
) -> Iterator[tuple[Outcome, Analysis]]:
    """Everyone veiled, then each person kept, each with its analysis."""
    source = open_source(video)
    found = finding.analyse(source, analyzer)
    for person in (None, *truth.people):
        selection = Selection()
        if person is not None:
            references = load_references([PHOTOS[person]], analyzer)
            selection = Selection("keep", references=references)
        analysis = pipeline.decide(found, source, selection)
        output = video.with_name("veiled.mp4")
        with open_sink(output, source) as sink:
            render_frames(source, analysis, sink)
        kept = [] if person is None else [person]
        plan = coverage_of_analysis(truth, analysis, VeilStyle())
        pixels = coverage_of_pixels(truth, pictures(video), pictures(output), ENCODED)
        yield (
            Outcome(
                title,
                person or "no one",
                evaluate(truth, plan, kept),
                evaluate(truth, pixels, kept),
                wrong_kept(truth, analysis, kept),
            ),
            analysis,
        )


def wrong_kept(truth: Truth, analysis: Analysis, kept: list[str]) -> int:
    frames, boxes, sequence = planned_boxes(analysis.sequences)
    left = ~analysis.veiled[sequence]
    rows = match(truth, frames[left], boxes[left])
    return int((~truth.rows_of(kept)[rows[rows >= 0]]).sum())


def pictures(path: Path) -> Iterator[Image]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def identity_row(title: str, truth: Truth, analysis: Analysis) -> tuple[object, ...]:
    frames, boxes, sequence = planned_boxes(analysis.sequences)
    errors = identity_errors(truth, frames, boxes, analysis.identities[sequence])
    people = len(np.unique(analysis.identities))
    return (
        title,
        len(truth.people),
        people,
        len(analysis.sequences),
        errors.boxes,
        errors.mixed,
        errors.split,
        errors.unmatched,
    )


def report() -> str:
    analyzer = build_analyzer()
    results, identities = [], []
    for width, height, frame_count, seed in CLIPS:
        clip = make_clip(width, height, frame_count, seed)
        title = f"{width}x{height}, seed {seed}"
        with tempfile.TemporaryDirectory() as folder:
            video = Path(folder) / "clip.mp4"
            write_video(clip, video)
            for outcome, analysis in outcomes(title, video, clip.truth, analyzer):
                results.append(outcome)
                if outcome.kept == "no one":
                    identities.append(identity_row(title, clip.truth, analysis))
    return "\n".join([*summary(results), *tables(results, identities)]) + "\n"


def summary(results: list[Outcome]) -> list[str]:
    faces = sum(outcome.pixels.faces for outcome in results)
    recalls = [
        1 - sum(len(getattr(outcome, way).missed) for outcome in results) / faces
        for way in ("plan", "pixels")
    ]
    kept = sum(outcome.pixels.kept_faces for outcome in results)
    veiled = sum(len(outcome.pixels.kept_veiled) for outcome in results)
    rows = [
        (
            "faces to veil that are veiled, by the plan",
            ">= 0.995",
            f"{recalls[0]:.4f} of {faces}",
            f"{min(outcome.plan.recall for outcome in results):.4f}",
        ),
        (
            "the same, by the pixels of the output",
            ">= 0.995",
            f"{recalls[1]:.4f} of {faces}",
            f"{min(outcome.pixels.recall for outcome in results):.4f}",
        ),
        (
            "frames of a wrong person kept",
            0,
            sum(outcome.wrong_kept for outcome in results),
            max(outcome.wrong_kept for outcome in results),
        ),
        (
            "frames of the kept person veiled",
            "<= 2 %",
            f"{veiled} of {kept}, {veiled / max(kept, 1):.2%}",
            f"{max(outcome.pixels.kept_veiled_share for outcome in results):.2%}",
        ),
    ]
    return [
        "# Exact numbers on synthetic clips",
        "",
        "`python -m benchmarks.quality.synthetic_truth`: everything by default; each person kept "
        "in turn by one photo.",
        "",
        machine(),
        "",
        *table(("", "wanted", "all clips and choices together", "worst of them"), rows),
        "",
        "A face counts when at least half of it can be seen, and is veiled when at least 0.9 of "
        "what can be seen is covered; a kept person is veiled when more than 0.3 of her face is "
        "(frames in which a veiled person is within a veil's margin of her are left out).",
        "",
        "What these clips cannot show: portraits do not turn their heads or change their "
        "expression, and of two of the three people the only photo is the one in the clip. "
        "hamilton.md shows real people.",
        "",
    ]


VEIL_COLUMNS = (
    "clip",
    "kept",
    "faces to veil",
    "veiled, plan",
    "veiled, pixels",
    "missed, pixels",
    "of them not veiled at all",
    "wrong person kept",
    "kept person's frames",
    "veiled",
)
IDENTITY_COLUMNS = (
    "clip",
    "people",
    "identities",
    "sequences",
    "boxes on faces",
    "mixed",
    "split",
    "on no face",
)


def tables(results: list[Outcome], identities: list[tuple[object, ...]]) -> list[str]:
    return [
        "## Veils",
        "",
        *table(VEIL_COLUMNS, [outcome.row() for outcome in results]),
        "",
        "## Identities",
        "",
        "mixed: boxes whose identity is mostly another person's. split: identities more than "
        "people. on no face: boxes that overlap no true face by 0.4 (extensions, parts of faces).",
        "",
        *table(IDENTITY_COLUMNS, identities),
    ]


if __name__ == "__main__":
    publish(report, needs_data=False)
