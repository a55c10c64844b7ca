"""A clip whose truth is known, its analysis with planted faults, and `faceveil review` over it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from faceveil import open_source, write_analysis
from faceveil.analysis import Analysis
from faceveil.decisions import Decision
from faceveil.faces import DetectionLog
from testkit.clips import Actor, Clip, Scene
from testkit.truth import Truth
from testkit.veil_removal import analysis_of, true_sequences

KEPT, MISSED = "Barack Obama", "Joe Biden"
TWO_PEOPLE = (
    Scene(
        share=1.0,
        colours=((150, 130, 105), (60, 75, 90)),
        actors=(
            Actor("obama", ((0, 0.24, 0.40, 0.30), (1, 0.28, 0.42, 0.32))),
            Actor("biden", ((0, 0.78, 0.44, 0.34), (0.5, 0.68, 0.40, 0.36), (1, 0.74, 0.46, 0.32))),
        ),
    ),
)
"""One shot in which two people move and never meet."""
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\?token=\S+")


def true_analysis(clip: Clip, video: Path, keep: Sequence[str] = (KEPT,)) -> Analysis:
    """The analysis that a perfect detector would make: a sequence for each person and shot."""
    truth = clip.truth
    sequences = true_sequences(truth)
    people = [person_of(truth, sequence.first, sequence.boxes[0]) for sequence in sequences]
    analysis = analysis_of(sequences, open_source(video), clip.frame_count)
    return replace(
        analysis,
        shot_starts=truth.shot_starts,
        identities=np.array(people, np.int32),
        decisions=[
            Decision(False, "kept by name") if truth.people[person] in keep else Decision(True, "")
            for person in people
        ],
    )


def without(analysis: Analysis, index: int) -> Analysis:
    """The analysis as it is where a sequence was missed, detections included."""
    log = analysis.detections
    others = log.sequence != index
    left = [number for number in range(len(analysis.sequences)) if number != index]
    return replace(
        analysis,
        sequences=[analysis.sequences[number] for number in left],
        identities=analysis.identities[left],
        decisions=[analysis.decisions[number] for number in left],
        detections=DetectionLog(
            log.frames[others],
            log.boxes[others],
            np.where(log.sequence > index, log.sequence - 1, log.sequence)[others],
        ),
    )


def person_of(truth: Truth, frame: int, box: np.ndarray) -> int:
    """Whose true box this is."""
    rows = np.flatnonzero(truth.frames == frame)
    distances = np.abs(truth.boxes[rows] - box).sum(axis=1)
    return int(truth.person[rows[distances.argmin()]])


@contextmanager
def review_studio(video: Path, analysis: Analysis) -> Iterator[str]:
    """The address that `faceveil review` prints, with its token, while it runs."""
    path = video.with_suffix(".analysis.json")
    write_analysis(analysis, path)
    command = [sys.executable, "-m", "faceveil", "review", str(video), "--analysis", str(path)]
    command += ["--no-browser", "--port", "0", "--reviewer", "Ada"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        lines = []
        try:
            for line in server.stdout:
                lines.append(line)
                if found := _ADDRESS.search(line):
                    yield found.group()
                    return
            raise RuntimeError("faceveil review printed no address:\n" + "".join(lines))
        finally:
            server.terminate()
            server.wait(20)
