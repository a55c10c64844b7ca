"""Use a recogniser of your own: an ONNX file by path, or any object with the same three members.

python examples/own_recognizer.py talk.mp4 veiled.mp4 [recogniser.onnx]
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from faceveil.detect.analyzer import AnalyzerOptions, FaceAnalyzer, build_analyzer
from faceveil.faces import Floats, Image
from faceveil.media.open import open_sink, open_source
from faceveil.pipeline import analyse, decide, render


class ColourHistogram:
    """A toy: represents a face by its colours. Good enough to tell a red mask from a blue one."""

    name = "colour-histogram"
    feature_size = 64

    def features(self, crops: Image) -> Floats:
        """Unit rows float32 [n, 64] of faces RGB uint8 [n, 112, 112, 3]."""
        bins, limits = [4, 4, 4], [0, 256] * 3
        counts = [cv2.calcHist([crop], [0, 1, 2], None, bins, limits).ravel() for crop in crops]
        rows = np.array(counts, np.float32).reshape(-1, self.feature_size)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def main(video: Path, output: Path, network: Path | None = None) -> None:
    if network is not None:
        analyzer = build_analyzer(AnalyzerOptions(recognizer=str(network)))
    else:
        detector = build_analyzer().detector
        analyzer = FaceAnalyzer(detector, ColourHistogram())
    source = open_source(video)
    analysis = decide(analyse(source, analyzer), source)
    print(f"identities by {analysis.models.recognizer}: {len(set(analysis.identities.tolist()))}")
    with open_sink(output, source) as sink:
        render(source, analysis, sink)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
