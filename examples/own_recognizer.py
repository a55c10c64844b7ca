"""Bring your own recogniser: anything that turns aligned faces into unit vectors.

    python examples/own_recognizer.py talk.mp4 out.mp4

A recogniser in an ONNX file needs no class: `veil(…, networks=AnalyzerOptions(recognizer=path))`.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from faceveil import analyse, build_analyzer, decide, open_sink, open_source, render
from faceveil.detect.analyzer import FaceAnalyzer
from faceveil.faces import Floats, Image


class ColourHistogram:
    """Tells people apart by their colours: bad at faces, but it shows what has to be there."""

    name = "colour-histogram"
    feature_size = 64

    def features(self, crops: Image) -> Floats:
        """Return unit rows float32 [n, 64] of faces RGB uint8 [n, 112, 112, 3]."""
        bins, limits = [4, 4, 4], [0, 256] * 3
        counts = [cv2.calcHist([crop], [0, 1, 2], None, bins, limits).ravel() for crop in crops]
        rows = np.array(counts, np.float32).reshape(-1, self.feature_size)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


path, target = sys.argv[1:]
source = open_source(Path(path))
analyzer = FaceAnalyzer(build_analyzer().detector, ColourHistogram())
analysis = decide(analyse(source, analyzer), source)
render(source, analysis, open_sink(Path(target), source), analyzer=analyzer)
print(f"{len(np.unique(analysis.identities))} identities by {analyzer.recognizer.name}")
