"""Replace a stage by your own: here shots come from an edit list instead of from the pictures.

python examples/own_stage.py talk.mp4 veiled.mp4 120 348 …    (first frame of each new shot)
"""

import sys
from pathlib import Path

from faceveil.detect.analyzer import build_analyzer
from faceveil.faces import Image
from faceveil.media.open import open_sink, open_source
from faceveil.pipeline import analyse, decide, render


class EditList:
    """Says that a shot starts where the editor cut."""

    def __init__(self, cuts: set[int]) -> None:
        self._cuts = cuts
        self._frame = -1

    def push(self, thumbnail: Image | None) -> list[bool]:
        """Asked once a frame, in order; the answers may also come some frames later."""
        self._frame += 1
        return [self._frame in self._cuts]

    def finish(self) -> list[bool]:
        """The answers that are still owed."""
        return []


def main(video: Path, output: Path, *cuts: int) -> None:
    source = open_source(video)
    found = analyse(source, build_analyzer(), shots=EditList(set(cuts)))
    print(f"shots start at {found.shot_starts.tolist()}")
    with open_sink(output, source) as sink:
        render(source, decide(found, source), sink)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
