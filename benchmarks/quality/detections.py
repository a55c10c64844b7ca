"""Detections of the quality benchmark, each clip's made once and kept in the user's cache folder.

They are keyed by what made them and by the pixels they were made of; kept with them is what they
cost, in processor seconds on one thread.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import process_time

import cv2
import numpy as np
import orjson

from benchmarks.environments import cache, environment
from benchmarks.speed.whole_command import DEFACE
from faceveil.detect.analyzer import FaceAnalyzer
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.evaluation.output import Output, output_of_boxes
from faceveil.faces import FrameFaces
from faceveil.weights.engines import ONNXRUNTIME, OPENVINO
from testkit.scenes_footage import Footage

ANALYZERS = {
    "default": AnalyzerOptions(),
    "float32": AnalyzerOptions(engine=ONNXRUNTIME),
    "bfloat16": AnalyzerOptions(engine=OPENVINO),
    "CenterFace in bfloat16": AnalyzerOptions(everyone_veiled=True),
    "fast": AnalyzerOptions(profile="fast"),
    "high-recall": AnalyzerOptions(profile="high-recall"),
    "mtcnn": AnalyzerOptions(detector="mtcnn"),
    "centerface": AnalyzerOptions(detector="centerface"),
    "dlib-hog": AnalyzerOptions(detector="dlib-hog", recognizer="dlib-resnet"),
}
GROW = 0.3
"""deface grows boxes by this to every side (--mask-scale 1.3), cuts them at the frame's edges and
covers the ellipses inscribed in what is left."""
DEFACE_SCRIPT = """
import json, sys, time
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession

def on_one_thread(*arguments, **named):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return session(*arguments, sess_options=options, **named)

onnxruntime.InferenceSession = on_one_thread
from deface.centerface import CenterFace

width, height = int(sys.argv[1]), int(sys.argv[2])
detect = CenterFace()
while data := sys.stdin.buffer.read(width * height * 3):
    picture = np.frombuffer(data, np.uint8).reshape(height, width, 3)
    start = time.process_time()
    found, _ = detect(picture, threshold=0.2)
    spent = time.process_time() - start
    boxes = [box[:4].astype(int).tolist() for box in found]
    print(json.dumps({"boxes": boxes, "seconds": spent}), flush=True)
"""
"""deface 1.5's own detector with the threshold and size that are its defaults."""


@dataclass(frozen=True, eq=False)
class Detections:
    """The faces of every frame, and the processor seconds they took."""

    frames: list[FrameFaces]
    seconds: float


@dataclass(frozen=True, eq=False)
class Shown:
    """A clip, and the digest of all its pixels."""

    footage: Footage

    @cached_property
    def digest(self) -> str:
        total = hashlib.sha256(f"{self.footage.width}x{self.footage.height}".encode())
        for number in range(self.footage.frame_count):
            total.update(self.footage.frame(number).tobytes())
        return total.hexdigest()[:24]

    def kept(self, maker: str, make: Callable[[], bytes]) -> bytes:
        """What `make` gives, made once for this maker and these pixels."""
        path: Path = cache("quality") / f"{maker}-{self.digest}.jsonl"
        if not path.exists():
            partial = path.with_suffix(".partial")
            partial.write_bytes(make())
            partial.replace(path)
        return path.read_bytes()


class Detectors:
    """faceveil's analyzers, opened when first needed."""

    def __init__(self) -> None:
        self._analyzers: dict[str, FaceAnalyzer] = {}

    def __call__(self, name: str, clip: Shown) -> Detections:
        """What the analyzer of that name finds in every frame."""
        if name not in self._analyzers:
            cv2.setNumThreads(1)
            self._analyzers[name] = build_analyzer(ANALYZERS[name])
        analyzer = self._analyzers[name]
        maker = analyzer.models.digest.removeprefix("sha256:")[:16]
        lines = clip.kept(maker, lambda: _detect(analyzer, clip.footage)).split(b"\n")
        return Detections([FrameFaces.from_json(line) for line in lines[1:]], float(lines[0]))


def _detect(analyzer: FaceAnalyzer, footage: Footage) -> bytes:
    spent, lines = 0.0, []
    for number in range(footage.frame_count):
        picture = footage.frame(number)
        start = process_time()
        faces = analyzer(picture)
        spent += process_time() - start
        lines.append(faces.to_json())
    return b"\n".join([str(spent).encode(), *lines])


def deface(clip: Shown) -> tuple[Output, float]:
    """What deface covers, and its detector's processor seconds."""
    footage = clip.footage
    answers = orjson.loads(clip.kept("deface-1.5.0", lambda: _run_deface(footage)))
    frames = [number for number, answer in enumerate(answers) for _ in answer["boxes"]]
    boxes = np.array([box for answer in answers for box in answer["boxes"]], np.float32)
    output = output_of_boxes(np.array(frames, np.int32), boxes, grow=GROW, is_round=True)
    edges = np.array([footage.width, footage.height] * 2) - 1
    regions = np.rint(output.regions).clip(0, edges).astype(np.float32)
    return replace(output, regions=regions), sum(answer["seconds"] for answer in answers)


def _run_deface(footage: Footage) -> bytes:
    python = environment("deface", DEFACE) / "python"
    command = [str(python), "-c", DEFACE_SCRIPT, str(footage.width), str(footage.height)]
    answers: list[str] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()  # it says which provider it runs on
        for number in range(footage.frame_count):
            process.stdin.write(footage.frame(number).tobytes())
            process.stdin.flush()
            answers.append(json.loads(process.stdout.readline()))
        process.stdin.close()
    return json.dumps(answers).encode()
