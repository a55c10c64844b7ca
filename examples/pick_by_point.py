"""Pick a person by a place in the picture; change the choice without detecting again.

python examples/pick_by_point.py talk.mp4 veiled.mp4 1500 640 300
"""

import sys
from dataclasses import replace
from pathlib import Path

from faceveil.detect.analyzer import build_analyzer
from faceveil.identity.points import Point
from faceveil.identity.select import Selection
from faceveil.identity.select import decide as decide_again
from faceveil.media.open import open_sink, open_source
from faceveil.pipeline import analyse, decide, render


def main(video: Path, output: Path, frame: int, x: float, y: float) -> None:
    source = open_source(video)
    found = analyse(source, build_analyzer())
    everyone = decide(found, source)

    selection = Selection("keep", points=(Point(frame, x, y),))
    decisions = decide_again(found.sequences, everyone.identities, selection)
    print(f"{sum(not decision.veil for decision in decisions)} of {len(decisions)} sequences kept")
    with open_sink(output, source) as sink:
        render(source, replace(everyone, decisions=decisions), sink)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), *map(float, sys.argv[4:6]))
