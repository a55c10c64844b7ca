"""Veil every face in a video.

python examples/every_face.py talk.mp4 out.mp4
"""

import sys

from faceveil import veil

source, target = sys.argv[1:]
result = veil(source, target)
print(f"{result.coverage.checked} detections, all of them under a veil")
