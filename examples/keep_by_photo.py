"""Veil everyone but the people in photos.

python examples/keep_by_photo.py talk.mp4 out.mp4 anchor.jpg photos/guest/
"""

import sys

from faceveil import veil

source, target, *photos = sys.argv[1:]
result = veil(source, target, keep=photos)
for sequence, decision in zip(result.analysis.sequences, result.analysis.decisions, strict=True):
    fate = "veiled" if decision.veil else "kept"
    print(f"frames {sequence.first}-{sequence.last}: {fate}, {decision.reason}")
