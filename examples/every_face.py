"""Veil every face of a video: the three calls that everything else builds on.

python examples/every_face.py talk.mp4 veiled.mp4
"""

import sys
from pathlib import Path

from faceveil.detect.analyzer import build_analyzer
from faceveil.media.open import open_sink, open_source
from faceveil.pipeline import analyse, decide, render


def main(video: Path, output: Path) -> None:
    source = open_source(video)
    found = analyse(source, build_analyzer())
    analysis = decide(found, source)
    with open_sink(output, source) as sink:
        coverage = render(source, analysis, sink)
    print(f"{coverage.checked} detected faces, all of them under a veil")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
