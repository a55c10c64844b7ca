"""Analyse once, then choose by a click: only the person at a place in a frame stays visible.

python examples/pick_by_point.py talk.mp4 out.mp4 1500 640 300
"""

import sys
from pathlib import Path

from faceveil import Point, Selection, analyse, decide, decide_again, open_sink, open_source, render

path, target, frame, x, y = sys.argv[1:]
source = open_source(Path(path))
analysis = decide(analyse(source), source)  # everyone is veiled

clicked = Selection("keep", points=(Point(int(frame), float(x), float(y)),))
chosen = decide_again(analysis, clicked)  # nothing is detected again

render(source, chosen, open_sink(Path(target), source))
print(f"{(~chosen.veiled).sum()} of {len(chosen.veiled)} sequences kept")
