"""Who is missed, for how long, and under which conditions: faceveil, its steps, the thesis, deface.

    python -m benchmarks.quality.conditions [report.md]

Synthetic clips with exact truth (testkit/scenes.py) and real clips with hand-checked labels
(labels/), these also made harder. Detections are kept in the user's cache folder, so that a
second run takes a minute or two. Everyone is to be veiled, in the default style.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.quality.clips import REAL, REAL_HARDER, SYNTHETIC, clips
from benchmarks.quality.detections import Detectors, Shown, deface
from benchmarks.quality.keeping import Kept, keep_each, summary
from benchmarks.quality.models import Example, Filled, compare, models_table
from benchmarks.quality.picture import write_picture
from benchmarks.quality.source import HeldSource
from benchmarks.quality.variants import VARIANTS
from benchmarks.report import machine, publish, table
from faceveil.evaluation.judging import Evaluation, Share, evaluate

GROUPS = (SYNTHETIC, REAL, REAL_HARDER)
DEFACE = "deface 1.5"
CONDITION_COLUMNS = (
    "faceveil, every frame",
    "faceveil, adaptive",
    "faceveil, high-recall",
    "faceveil, MTCNN alone",
    DEFACE,
)
PICTURE = "quality.jpg"
PICTURE_TEXT = (
    "Green: found by the default profile; red: by one look alone (fast). Synthetic frames, from "
    "the portraits of testkit/portraits.py."
)
WORST_RUNS = 40
MODELS_TEXT = [
    "Over all clips, after detections were taken away for stretches of 3 to 12 frames, two fifths "
    "of all frames; by boxes alone, without tracking. Errors are of boxes on faces that are wholly "
    "seen."
]
LEAST_SIZE = 24
"""Height in pixels from which no face may stay uncovered for more than two frames."""


@dataclass(frozen=True, eq=False)
class Result:
    """One variant on one clip."""

    variant: str
    group: str
    condition: str
    clip: str
    evaluation: Evaluation
    frames: int
    seconds: float


def measure() -> tuple[list[Result], dict[str, list[Filled]], list[Kept]]:
    """Every variant and deface over every clip; every model over the same."""
    detectors, results, examples, kept = Detectors(), [], [], []
    for clip in clips():
        footage, truth, shown = clip.footage, clip.footage.truth, Shown(clip.footage)
        source = HeldSource(footage)
        starts, search = source.shot_starts()
        made = {
            variant.name: variant.output(detectors(variant.detector, shown), source, starts)
            for variant in VARIANTS
        }
        outputs = {name: (output, seconds + search) for name, (output, seconds) in made.items()}
        outputs[DEFACE] = deface(shown)
        results += [
            Result(
                name,
                clip.group,
                clip.condition,
                clip.clip,
                evaluate(truth, output),
                footage.frame_count,
                seconds,
            )
            for name, (output, seconds) in outputs.items()
        ]
        detections = detectors(VARIANTS[0].detector, shown)
        examples.append(Example(detections, truth, starts))
        if clip.group == SYNTHETIC or clip.clip.startswith("hamilton"):
            kept += keep_each(clip.clip, truth, VARIANTS[0].found(detections, source, starts))
        print(f"{clip.group}: {clip.clip}", file=sys.stderr, flush=True)
    return results, compare(examples), kept


def total(shares: Iterable[Share]) -> Share:
    shares = list(shares)
    return Share(sum(share.faces for share in shares), sum(share.hits for share in shares))


def mean(values: Iterable[tuple[float, float]]) -> float:
    """Of (value, weight)."""
    pairs = np.array(list(values)).reshape(-1, 2)
    return float((pairs[:, 0] * pairs[:, 1]).sum() / max(pairs[:, 1].sum(), 1e-9))


COLUMNS = (
    "",
    "faces veiled",
    "of 24 px and more, longest exposed run",
    "longest exposed run",
    "tracks ever exposed",
    "veils on a face",
    "identities mixed, split",
    "area on no face",
    "jitter, centre and size",
    "frames a second",
)


def variants_table(results: Sequence[Result]) -> list[str]:
    """One row per variant, over some clips."""
    by_variant: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_variant[result.variant].append(result)
    return table(COLUMNS, [_variant_row(name, rows) for name, rows in by_variant.items()])


def _variant_row(name: str, rows: Sequence[Result]) -> tuple[object, ...]:
    each = [row.evaluation for row in rows]
    tracks = total(e.tracks for e in each)
    known = [e.identities for e in each if e.identities is not None]
    identities = "-"
    if known:
        identities = f"{sum(e.mixed for e in known)}, {sum(e.split for e in known)}"
    centre, size = (
        np.sqrt(mean((getattr(e.jitter, part) ** 2, e.jitter.steps) for e in each))
        for part in ("centre", "size")
    )
    speed = sum(row.frames for row in rows) / sum(row.seconds for row in rows)
    return (
        name,
        f"{total(e.veils for e in each).recall:.4f}",
        max(e.longest_run(LEAST_SIZE) for e in each),
        max(e.longest_run() for e in each),
        f"{tracks.faces - tracks.hits} of {tracks.faces}",
        f"{total(e.boxes for e in each).recall:.3f}",
        identities,
        f"{mean((e.area.wasted, row.frames) for e, row in zip(each, rows, strict=True)):.1%}",
        f"{centre:.4f}, {size:.4f}",
        f"{speed:.1f}",
    )


def conditions(results: Sequence[Result]) -> list[str]:
    """Recall of veils and the longest run under each condition, a few variants side by side."""
    columns = ["condition", "faces"]
    for name in CONDITION_COLUMNS:
        columns += [f"{name}: veiled", "run"]
    rows = []
    keys = dict.fromkeys((row.group, row.condition) for row in results)
    for group, condition in keys:
        cells: list[object] = []
        faces = 0
        for name in CONDITION_COLUMNS:
            each = [
                row.evaluation
                for row in results
                if (row.variant, row.group, row.condition) == (name, group, condition)
            ]
            veils = total(e.veils for e in each)
            faces = veils.faces
            cells += [f"{veils.recall:.3f}", max(e.longest_run() for e in each)]
        rows.append((f"{group}: {condition}", faces, *cells))
    return table(columns, rows)


def exposed(results: Sequence[Result]) -> list[str]:
    """The longest uncovered runs of the default, one by one."""
    runs = [
        (run, row)
        for row in results
        if row.variant == VARIANTS[0].name
        for run in row.evaluation.runs
    ]
    runs.sort(key=lambda pair: -pair[0].frames)
    rows = [
        (
            f"{row.group}: {row.clip}",
            run.person,
            f"{run.first}-{run.last}",
            run.frames,
            f"{run.size:.0f}",
            f"{run.coverage:.2f}",
        )
        for run, row in runs[:WORST_RUNS]
    ]
    return [
        f"{len(runs)} runs; the longest {min(WORST_RUNS, len(runs))}:",
        "",
        *table(("condition", "person", "frames", "how many", "height", "least covered"), rows),
    ]


def report() -> str:
    results, filled, kept = measure()
    lines = [
        "# Who is missed, and for how long",
        "",
        "`python -m benchmarks.quality.conditions`: everyone is to be veiled, in the default "
        "style; nothing is tuned for a clip.",
        "",
        machine(),
        "",
        "A face counts when at least half of it can be seen, and is veiled when at least 0.9 of "
        "what can be seen is covered, frame by frame. Frames a second are processor time on one "
        "thread: detection, features, shots, following, tracking and identities of faceveil, "
        "without reading and writing; of deface its detector alone. Jitter is the root mean square "
        "of the second difference of box minus true box, in face sizes and as a logarithm; on real "
        "clips the labels' own trembling is in it.",
        "",
    ]
    lines += [*reached(results), "", f"![What the second look finds]({PICTURE})", ""]
    lines += [PICTURE_TEXT, ""]
    for group in GROUPS:
        rows = [row for row in results if row.group == group]
        if rows:
            count = len({row.clip for row in rows})
            lines += [
                f"## {group[0].upper()}{group[1:]}: {count} clips",
                "",
                *variants_table(rows),
                "",
            ]
    lines += ["## Which condition costs recall", "", *conditions(results), ""]
    lines += ["## Keeping one person by photo", "", *summary(kept), ""]
    lines += ["## Which model fills gaps best", "", *MODELS_TEXT, "", *models_table(filled), ""]
    lines += ["## What the default leaves exposed", "", *exposed(results), ""]
    return "\n".join(lines)


def reached(results: Sequence[Result]) -> list[str]:
    """The targets, and what the profiles reach."""
    targets = {SYNTHETIC: 0.995, REAL: 0.98, REAL_HARDER: None}
    table_rows = []
    for group, target in targets.items():
        rows = [row for row in results if row.group == group]
        recalls = [
            total(row.evaluation.veils for row in rows if row.variant == name).recall
            for name in CONDITION_COLUMNS
        ]
        runs = [
            f"{row.clip}: {run.frames}"
            for row in rows
            for run in row.evaluation.runs
            if row.variant == VARIANTS[0].name and run.size >= LEAST_SIZE and run.frames > 2
        ]
        cells = [f"{recall:.4f}" for recall in recalls]
        table_rows.append((group, target or "-", *cells, "; ".join(runs) or "none"))
    columns = (
        "",
        "recall of veils, target",
        *CONDITION_COLUMNS,
        "exposed runs over 2 frames on faces of 24 px and more, default",
    )
    return table(columns, table_rows)


if __name__ == "__main__":
    if target := publish(report, needs_data=False):
        write_picture(target.with_name(PICTURE))
