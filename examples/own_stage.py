"""Replace a stage by your own: here shots come from an edit list instead of from the pictures.

python examples/own_stage.py talk.mp4 out.mp4 120 348 …    (first frame of each new shot)
"""

import sys
from pathlib import Path

from faceveil import analyse, decide, open_sink, open_source, render
from faceveil.faces import Image


class EditList:
    """Says that a shot starts where the editor cut."""

    def __init__(self, cuts: set[int]) -> None:
        self._cuts = cuts
        self._frame = -1

    def push(self, thumbnail: Image | None) -> list[bool]:
        """Called once a frame, in order; the answers may also come some frames later."""
        self._frame += 1
        return [self._frame in self._cuts]

    def finish(self) -> list[bool]:
        """Return the answers that are still owed."""
        return []


path, target, *cuts = sys.argv[1:]
source = open_source(Path(path))
found = analyse(source, shots=EditList(set(map(int, cuts))))
print(f"shots start at {found.shot_starts.tolist()}")
render(source, decide(found, source), open_sink(Path(target), source))
