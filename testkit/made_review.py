"""Reviews over a small video whose people are known, served on this machine for tests."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

from faceveil.analysis import Analysis, SourceInfo
from faceveil.decisions import Decision
from faceveil.faces import DetectionLog, FaceSequence, Models
from faceveil.media.open import open_source
from faceveil.review.app import review_app
from faceveil.review.output import Outputs
from faceveil.review.session import Review
from faceveil.review.store import CorrectionsFile
from testkit.made_media import make_video

FRAMES, CUT = 60, 30
WIDTH, HEIGHT = 640, 360
TOKEN = "a-token-of-tests"


def made_sequence(first: int, end: int, left: float, shot: int = 0) -> FaceSequence:
    """A face that moves to the right by a pixel a frame."""
    frames = np.arange(first, end, dtype=np.int32)
    x, y = left + frames, np.full(len(frames), 80.0)
    boxes = np.stack([x, y, x + 50, y + 70], axis=1).astype(np.float32)
    scores = np.full(len(frames), 0.9, np.float32)
    return FaceSequence(frames, boxes, scores, np.zeros(len(frames), np.uint8), shot)


def made_analysis(path: Path) -> Analysis:
    """Encode a video of two shots, and return its analysis: two people, one in both shots."""
    make_video(path, range(FRAMES), size=(WIDTH, HEIGHT), options={"g": "12"})
    source = open_source(path)
    sequences = [
        made_sequence(0, CUT, 50),
        made_sequence(0, CUT, 300),
        made_sequence(CUT, FRAMES, 100, shot=1),
    ]
    lengths = [len(item) for item in sequences]
    return Analysis(
        SourceInfo(path.name, "video", source.digest(), WIDTH, HEIGHT, FRAMES, "25"),
        Models("mtcnn", "none", "sha256:0", 0.6),
        {},
        np.array([0, CUT], np.int32),
        np.zeros(0, np.int32),
        sequences,
        np.array([0, 1, 0], np.int32),
        [Decision(True, "everyone is veiled")] * 3,
        DetectionLog(
            np.concatenate([item.frames for item in sequences]),
            np.concatenate([item.boxes for item in sequences]),
            np.repeat(np.arange(3, dtype=np.int32), lengths),
        ),
    )


def made_review(path: Path, analysis: Analysis | None = None) -> tuple[Review, Outputs]:
    """A review of a video, which is made with its analysis where none is given."""
    analysis = analysis or made_analysis(path)
    store = CorrectionsFile(path.with_name("corrections.json"))
    review = Review(open_source(path), analysis, store, reviewer="Ada")
    return review, Outputs(review, path.with_name("out.mp4"))


@dataclass(frozen=True)
class Client:
    """Asks a review server over HTTP."""

    port: int
    token: str = TOKEN

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str | None] | None = None,
    ) -> tuple[int, bytes, dict[str, str]]:
        """Return the status, the body and the headers of an answer.

        `headers` replace those that a page of the server would send; None leaves one out.
        """
        host = f"127.0.0.1:{self.port}"
        sent: dict[str, str | None] = {
            "Host": host,
            "Origin": f"http://{host}" if method != "GET" else None,
            "Cookie": f"faceveil-{self.port}={self.token}",
            "Content-Type": "application/json" if body is not None else None,
            **(headers or {}),
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(
                method, path, body, {name: value for name, value in sent.items() if value}
            )
            answer = connection.getresponse()
            return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """Return a JSON answer of the API, which must be a success."""
        status, body, _ = self.ask("GET", f"/api/v1/{path}")
        assert status == 200, body
        return json.loads(body)

    def post(self, path: str, body: object, status: int = 200) -> Any:
        """Send JSON to the API; return the answer, which must have that status."""
        found, answer, _ = self.ask("POST", f"/api/v1/{path}", json.dumps(body).encode())
        assert found == status, answer
        return json.loads(answer)

    def correct(self, op: str, **fields: Any) -> Any:
        """Make a correction of the newest revision."""
        return self.post(
            "corrections", {"revision": self.get("state")["revision"], "op": op, **fields}
        )


@contextmanager
def served(review: Review, outputs: Outputs) -> Iterator[Client]:
    """A review on a free port, and a client of it; both end with the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
    app = review_app(review, outputs, token=TOKEN, hosts=hosts)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    try:
        yield Client(port)
    finally:
        review.events.close()
        server.should_exit = True
        thread.join(30)
        listener.close()
        review.close()
