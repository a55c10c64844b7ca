"""Amazon Rekognition's documented answers over real HTTP on this machine, for tests.

A test writes what each operation answers; every request and answer is checked against the service
model that botocore has (names, types, ranges), so that an answer that AWS could not give fails the
test. The rest is simulated: no picture is examined.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

import botocore.session
import numpy as np
from botocore.validate import validate_parameters
from numpy.typing import ArrayLike

from faceveil.detect.rekognition import LANDMARKS
from testkit.servers.local_server import LocalServer

TARGET = "RekognitionService."
Request = Mapping[str, Any]
Answer = dict[str, Any]


class Fault(NamedTuple):
    """An error of the service: its HTTP status and code."""

    status: int
    code: str
    message: str = "as the test wants it"


THROTTLED = Fault(400, "ThrottlingException", "Rate exceeded")
OVER_QUOTA = Fault(400, "ProvisionedThroughputExceededException", "Provisioned rate exceeded")


class RekognitionService(LocalServer):
    """A server at `url`, a context manager.

    Parameters
    ----------
    first
        Faults that the first requests of an operation meet.
    operations
        The function that answers each operation, such as DetectFaces(request); it may return a
        Fault instead of an answer.

    Attributes
    ----------
    requests
        (operation, request) in order, without those that met a fault of `first`.
    asked
        How many requests were made, all included, by operation.
    """

    def __init__(
        self,
        first: Mapping[str, Iterable[Fault]] | None = None,
        **operations: Callable[[Any], Answer | Fault],
    ) -> None:
        self.operations = operations
        self.first = {name: list(faults) for name, faults in (first or {}).items()}
        self.requests: list[tuple[str, Any]] = []
        self.asked: Counter[str] = Counter()
        self.model = botocore.session.get_session().get_service_model("rekognition")
        self.broken: list[Exception] = []
        self._lock = threading.Lock()
        super().__init__(_handler(self))

    def __exit__(self, *details: object) -> None:
        super().__exit__(*details)
        assert not self.broken, self.broken[0]

    def names(self) -> list[str]:
        """The operations that were answered, in order."""
        return [name for name, _ in self.requests]

    def answer(self, operation: str, request: Any) -> Answer | Fault:
        """What the service answers to a request, checked against its model."""
        with self._lock:
            self.asked[operation] += 1
            if self.first.get(operation):
                return self.first[operation].pop(0)
            self.requests.append((operation, request))
        answer = self.operations[operation](request)
        if not isinstance(answer, Fault):
            shape = self.model.operation_model(operation).output_shape
            assert shape
            try:
                validate_parameters(answer, shape)
                members = set(answer) - set(shape.members)
                assert not members, f"{operation} answers no {members}"
            except Exception as error:
                self.broken.append(error)
                return Fault(500, "InternalServerError", "the test's answer is not of the model")
        return answer


def _handler(service: RekognitionService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            operation = self.headers["X-Amz-Target"].removeprefix(TARGET)
            answer = service.answer(operation, json.loads(body))
            status = 200
            if isinstance(answer, Fault):
                status = answer.status
                answer = {"__type": answer.code, "message": answer.message}
            content = json.dumps(answer).encode()
            self.send_response_only(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def bounding_box(box: ArrayLike, width: int, height: int) -> Answer:
    """A box x1, y1, x2, y2 in pixels as a BoundingBox."""
    x1, y1, x2, y2 = np.asarray(box, np.float64).tolist()
    return {
        "Left": x1 / width,
        "Top": y1 / height,
        "Width": (x2 - x1) / width,
        "Height": (y2 - y1) / height,
    }


def face_detail(
    box: ArrayLike,
    width: int,
    height: int,
    landmarks: Sequence[Sequence[float]] | None = None,
    confidence: float = 99.9,
) -> Answer:
    """A FaceDetail with the attributes that GetFaceSearch and DetectFaces return by default."""
    if landmarks is None:
        x1, y1, x2, y2 = np.asarray(box, np.float64).tolist()
        places = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]
        landmarks = [(x1 + x * (x2 - x1), y1 + y * (y2 - y1)) for x, y in places]
    # In another order than ours, as Rekognition's is.
    named = sorted(zip(LANDMARKS, landmarks, strict=True), reverse=True)
    return {
        "BoundingBox": bounding_box(box, width, height),
        "Confidence": confidence,
        "Landmarks": [
            {"Type": name, "X": float(x) / width, "Y": float(y) / height} for name, (x, y) in named
        ],
        "Pose": {"Roll": 1.0, "Yaw": -2.0, "Pitch": 3.0},
        "Quality": {"Brightness": 80.0, "Sharpness": 90.0},
    }
