"""Leave the people of some photos visible, veil everybody else, and say what was decided.

python examples/keep_by_photo.py talk.mp4 veiled.mp4 anchor.jpg …
"""

import sys
from pathlib import Path

from faceveil.detect.analyzer import build_analyzer
from faceveil.identity.references import load_references
from faceveil.identity.select import Selection
from faceveil.media.open import open_sink, open_source
from faceveil.pipeline import analyse, decide, render


def main(video: Path, output: Path, *photos: Path) -> None:
    analyzer = build_analyzer()
    selection = Selection("keep", references=load_references(photos, analyzer))
    source = open_source(video)
    analysis = decide(analyse(source, analyzer), source, selection)
    for sequence, decision in zip(analysis.sequences, analysis.decisions, strict=True):
        fate = "veiled" if decision.veil else "kept"
        print(f"frames {sequence.first}-{sequence.last}: {fate}, {decision.reason}")
    with open_sink(output, source) as sink:
        render(source, analysis, sink)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
