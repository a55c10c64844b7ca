"""Who stays visible with `faceveil live --keep-foreground`: the subject, or a bystander?

    python -m benchmarks.live.foreground [report.md]

Interviews made from portraits, in which one person sits in front and others stand behind or pass
by, and a real clip with cuts. Frames leave as soon as they are ready, so that the machine does not
matter; faces are detected in every fourth frame.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.live.numbered import Judged, Numbered, judged
from benchmarks.quality.clips import labelled
from benchmarks.report import machine, publish, table
from faceveil.detect.build import FAST, AnalyzerOptions, build_analyzer
from faceveil.live.load import LoadControl
from faceveil.live.options import LiveOptions
from faceveil.live.run import LiveRun
from faceveil.live.sinks import SinkOptions, open_sink
from faceveil.live.sources import LiveSource
from testkit import SHARED_DATA
from testkit.clips import Actor, Scene, make_clip
from testkit.scenes_footage import Footage

FRAMES = 270
GREY, GREEN = (120, 125, 130), (70, 85, 70)
BEHIND = (
    Actor("obama", ((0, 0.12, 0.34, 0.13), (1, 0.16, 0.34, 0.13))),
    Actor("astronaut", ((0, 0.86, 0.36, 0.12), (1, 0.80, 0.36, 0.13))),
)
SCENES = {
    "two stand behind": Scene(
        1, (GREY, GREEN), (*BEHIND, Actor("biden", ((0, 0.50, 0.48, 0.38), (1, 0.53, 0.48, 0.40))))
    ),
    "two walk past behind": Scene(
        1,
        (GREEN, GREY),
        (
            Actor("obama", ((0, -0.15, 0.36, 0.22), (0.7, 1.15, 0.36, 0.22), (1, 1.3, 0.36, 0.22))),
            Actor("astronaut", ((0, 1.4, 0.40, 0.2), (0.3, 1.1, 0.40, 0.2), (1, -0.15, 0.4, 0.2))),
            Actor("biden", ((0, 0.46, 0.50, 0.40), (1, 0.50, 0.50, 0.40))),
        ),
    ),
    "one walks past in front": Scene(
        1,
        (GREY, GREEN),
        (
            Actor("biden", ((0, 0.52, 0.46, 0.34), (1, 0.48, 0.46, 0.36))),
            Actor("obama2", ((0, -0.3, 0.5, 0.42), (0.5, -0.2, 0.5, 0.42), (0.8, 1.3, 0.5, 0.42),
                             (1, 1.4, 0.5, 0.42))),
        ),
    ),
    "one comes in and stops beside": Scene(
        1,
        (GREEN, GREY),
        (
            Actor("obama", ((0, 1.2, 0.42, 0.20), (0.5, 0.86, 0.42, 0.22), (1, 0.85, 0.42, 0.22))),
            Actor("biden", ((0, 0.42, 0.48, 0.42), (1, 0.40, 0.48, 0.42))),
        ),
    ),
}  # fmt: skip
SUBJECT = "Joe Biden"
REAL_SUBJECTS = ("Lin-Manuel Miranda",)


class EveryFourth(LoadControl):
    """Detects in every fourth frame, at full size."""

    def __init__(self) -> None:
        super().__init__(1)
        self._stride = 4

    def looked(self, seconds: float, rate: float, now: float) -> None:
        return


def outcome(footage: Footage, keep: tuple[str, ...], folder: Path) -> Judged:
    source = Numbered(footage).write(folder / "in.mp4")
    output = folder / "out.mkv"
    LiveRun(
        LiveSource(str(source)),
        open_sink(str(output), SinkOptions(overwrite=True)),
        partial(build_analyzer, AnalyzerOptions(profile=FAST)),
        LiveOptions(keep_foreground=True),
        paced=False,
        load=EveryFourth(),
    ).run()
    return judged(footage, source, output, keep=keep)


def rows(folder: Path) -> list[tuple[object, ...]]:
    """A row for each clip."""
    made: dict[str, tuple[Callable[[], Footage], tuple[str, ...]]] = {
        name: (partial(make_clip, 1280, 720, FRAMES, 3, (scene,)), (SUBJECT,))
        for name, scene in SCENES.items()
    }
    if SHARED_DATA.is_dir():
        made["hamilton (real)"] = (partial(labelled, "hamilton"), REAL_SUBJECTS)
    table_rows: list[tuple[object, ...]] = []
    for name, (make, keep) in made.items():
        found = outcome(make(), keep, folder)
        table_rows.append(
            (
                name,
                found.faces,
                found.missed,
                found.longest,
                found.kept,
                f"{1 - found.kept_veiled / max(found.kept, 1):.2f}",
            )
        )
    return table_rows


def section(folder: Path) -> list[str]:
    """The lines of a report."""
    return [
        "Subjects are Joe Biden in the interviews and Lin-Manuel Miranda in hamilton; all others "
        "are bystanders. A bystander counts as kept where less than nine tenths of the face that "
        "can be seen is veiled. A subject becomes visible after two seconds at the earliest.",
        "",
        *table(
            ("clip", "faces of bystanders", "kept", "longest run in frames", "of the subject",
             "share visible"),
            rows(folder),
        ),
    ]  # fmt: skip


def report() -> str:
    with tempfile.TemporaryDirectory() as folder:
        lines = section(Path(folder))
    return "\n".join(["# Foreground of a live stream", "", machine(), "", *lines, ""])


if __name__ == "__main__":
    publish(report, needs_data=False)
