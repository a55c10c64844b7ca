"""Heads: what veils cover of their outline, what they waste, and how long once a face turns away.

    python -m benchmarks.quality.heads [report.md]

The outlines of 36 heads are labelled (labels/heads/); made heads turn away and back again, so that
their outline is known in every frame (testkit.turning_head).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from benchmarks.quality.clips import LABELS, labelled
from benchmarks.quality.detections import ANALYZERS, Detections, Detectors, Shown
from benchmarks.quality.source import HeldSource, KnownShots
from benchmarks.report import machine, publish, table
from faceveil.boxes import centres, sides
from faceveil.detect.build import build_analyzer
from faceveil.evaluation.coverage import coverage_of_boxes, covered_points
from faceveil.evaluation.output import planned_boxes
from faceveil.evaluation.truth import ELLIPSE
from faceveil.faces import FaceSequence, Floats, Image, Ints
from faceveil.finding import analyse
from faceveil.sequence import finish as finishing
from faceveil.tracking.track import TrackOptions
from faceveil.veils.region import core
from faceveil.veils.styles import VeilStyle
from testkit import SHARED_DATA
from testkit.turning_head import RATE, TurningHead

STYLES = ("round", "head", "square")
TILTS = (0, -30, 30)
COVERED = 0.9
"""A head is covered from this share on, as a face is."""
TURNS = (
    TurningHead("obama", turn=0.6, away=1),
    TurningHead("astronaut", turn=1.2, away=6),
)
_EDGE = np.linspace(0, 2 * np.pi, 360, endpoint=False)


def heads() -> Iterator[tuple[Image, Floats]]:
    """The labelled heads: a picture and the rectangle [4] around the head."""
    for entry in json.loads((LABELS / "heads" / "heads.json").read_text(encoding="utf-8"))["heads"]:
        if "clip" in entry:
            picture = labelled(entry["clip"]).frame(entry["frame"])
        else:
            with Picture.open(SHARED_DATA / entry["picture"]) as opened:
                picture = np.asarray(opened.convert("RGB"))
        yield picture, np.array(entry["head"], np.float32)


def tilted(head: Floats, about: Floats, degrees: float) -> NDArray[np.float64]:
    """The rim of a head, float64 [360, 2], turned about the middle of the face box [4]."""
    rim = centres(head) + sides(head) / 2 * np.stack([np.cos(_EDGE), np.sin(_EDGE)], axis=1)
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(centres(about) + (rim - centres(about)) @ turn.T)


def outlines() -> list[tuple[object, ...]]:
    """A row for each style over the labelled heads."""
    analyzer = build_analyzer(ANALYZERS["default"])
    found = []
    for picture, head in heads():
        faces = analyzer(picture)
        boxes = faces.boxes[faces.accepted]
        apart = np.linalg.norm(centres(boxes) - centres(head), axis=1)
        found.append((head, boxes[int(apart.argmin())]))
    head, box = (np.stack(column) for column in zip(*found, strict=True))
    rows = []
    for name in STYLES:
        style = VeilStyle(name)
        region = core(box, style)
        whole, shares = [], []
        for tilt in TILTS:
            held = [
                _inside(tilted(one, of, tilt), veil, style).mean()
                for one, of, veil in zip(head, box, region, strict=True)
            ]
            whole.append(sum(share == 1 for share in held))
            shares.append(np.mean(held))
        area = sides(region).prod(axis=1) * (np.pi / 4 if style.is_round else 1)
        heads_area = sides(head).prod(axis=1) * np.pi / 4
        rows.append(
            (
                name,
                f"{whole[0]} of {len(head)}",
                f"{sum(whole[1:]) / 2:.0f} of {len(head)}",
                f"{shares[0]:.4f}",
                f"{np.mean(area / heads_area):.2f}",
                f"{np.mean((area - heads_area) / area):.0%}",
            )
        )
    return rows


def _inside(
    points: NDArray[np.float64], veil: NDArray[np.float64], style: VeilStyle
) -> NDArray[np.bool_]:
    offset = (points - centres(veil)) / (sides(veil) / 2)
    if style.is_round:
        return np.asarray((offset**2).sum(axis=1) <= 1)
    return np.asarray((np.abs(offset) <= 1).all(axis=1))


@dataclass(frozen=True)
class Way:
    """How far a face is followed after its last detection."""

    name: str
    tracking: TrackOptions | None
    earned: bool = True

    def sequences(
        self, source: HeldSource, detections: Detections, starts: list[bool]
    ) -> Sequence[FaceSequence]:
        """What the pipeline makes of these detections."""
        with ExitStack() as stack:
            if not self.earned:
                stack.enter_context(patch.object(finishing, "reach", _two_seconds))
            found = analyse(
                source,
                source.remembered(detections),
                shots=KnownShots(starts),
                tracking=self.tracking,
                workers=1,
            )
        return found.sequences


def _two_seconds(sequence: FaceSequence, _: Ints | None = None) -> tuple[int, int]:
    """As far as every face was followed before that had to be earned."""
    return sequence.first - 2 * RATE, sequence.last + 2 * RATE


WAYS = (
    Way("by boxes alone", None),
    Way("2 s, whatever was detected", TrackOptions(seconds=2), earned=False),
    Way("as far as detections have earned, up to 5 s (default)", TrackOptions()),
)


def turning() -> list[tuple[object, ...]]:
    """A row for each head that turns, way of following and style."""
    detectors, rows = Detectors(), []
    for head in TURNS:
        source = HeldSource(head)
        detections = detectors("default", Shown(head))
        starts, _ = source.shot_starts()
        seen = np.array([faces.accepted.any() for faces in detections.frames])
        unseen = _longest_run(~seen)
        for way in WAYS:
            frames, boxes, _ = planned_boxes(way.sequences(source, detections, starts))
            for name in ("round", "head"):
                style = VeilStyle(name)
                regions = core(boxes, style).astype(np.float32)
                share = coverage_of_boxes(head.truth, frames, regions, "ellipse")
                covered = covered_points(head.truth, frames, regions, "ellipse")
                hidden = (covered & ELLIPSE)[unseen[0] : unseen[1]].mean() / ELLIPSE.mean()
                after = share[unseen[0] : unseen[1]] >= COVERED
                rows.append(
                    (
                        f"{head.portrait}, {head.size:.0f} px, turns in {head.turn} s, "
                        f"away for {head.away} s",
                        unseen[1] - unseen[0],
                        way.name,
                        name,
                        int(np.append(after, False).argmin()),
                        int(after.sum()),
                        f"{hidden:.2f}",
                    )
                )
    return rows


def _longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """First and end of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    runs = edges.reshape(-1, 2)
    first, end = runs[int((runs[:, 1] - runs[:, 0]).argmax())].tolist()
    return first, end


def report() -> str:
    return "\n".join(
        [
            "# Heads",
            "",
            "Repeat with `python -m benchmarks heads`.",
            "",
            machine(),
            "",
            "## What a veil covers of a head",
            "",
            "The outlines of 36 heads in pictures of LFW and frames of real clips, set by eye: "
            "ellipses around hair, ears and chin. The face box is that of the default networks. "
            "Tilted: the same heads turned by 30 degrees about their faces, with the upright box. "
            "All have short hair.",
            "",
            *table(
                (
                    "veil",
                    "whole heads",
                    "tilted by 30 degrees",
                    "of the rim",
                    "area, in heads",
                    "of it beside the head",
                ),
                outlines(),
            ),
            "",
            "## When a face turns away",
            "",
            "A made head turns away from the camera and back again. Counted are the frames from "
            "the last detection before to the first one after. A head is covered where 0.9 of its "
            "outline lies under veils.",
            "",
            "Following by pixels does not hold on to a head that turns: the box stays with what is "
            "seen of the face, goes to the rim of the head with it, and is left beside the head. "
            "Already in a profile the box lies on the front of the head; which way a face looks "
            "is not known of a box, so that the back of the head shows beside either veil.",
            "",
            *table(
                (
                    "head",
                    "frames without detection",
                    "followed",
                    "veil",
                    "covered at first, without a break",
                    "covered in all",
                    "mean share covered",
                ),
                turning(),
            ),
            "",
        ]
    )


if __name__ == "__main__":
    publish(report)
