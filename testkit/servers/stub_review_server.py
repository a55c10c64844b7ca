"""A stand-in for the review server: what the page asks for, over people that are made up.

It serves the built page and the API under /api/v1, at any size: boxes are computed from their frame
numbers, so that eight hours cost nothing. It records every correction that the page sends and
carries out those on which the page itself depends.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import cv2
import numpy as np

from testkit import PROJECT

STATIC = PROJECT / "faceveil" / "review" / "static"
TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"
)
WIDTH, HEIGHT, RATE = 1280, 720, 25.0
SHOT = 125  # frames of a shot; each person has one sequence in each


@dataclass
class StubReview:
    """A video of made-up people, three of them at a time.

    corrections: what the page has sent, in order. looked: the ranges it has reported.
    """

    frame_count: int = 250
    people: int = 3
    corrections: list[dict[str, Any]] = field(default_factory=list)
    looked: list[tuple[int, int]] = field(default_factory=list)
    revision: int = 1
    kept: set[int] = field(default_factory=lambda: {0})
    names: dict[int, str] = field(default_factory=dict)
    drawn: list[dict[str, Any]] = field(default_factory=list)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    listeners: list[queue.Queue[bytes]] = field(default_factory=list)

    @property
    def shots(self) -> range:
        return range(0, self.frame_count, SHOT)

    def emit(self, event: str, data: dict[str, Any]) -> None:
        """Send a server-sent event to every page that listens."""
        for listener in self.listeners:
            listener.put(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())

    def raise_revision(self) -> int:
        self.revision += 1
        self.emit("revision", {"revision": self.revision, "by": "stub"})
        return self.revision

    def box(self, place: int, frame: int) -> list[float]:
        """The box of the left, middle or right person, which moves by a pixel a frame."""
        left = 150.0 + 380 * place + frame % SHOT
        return [left, 220.0, left + 110, 350.0]

    def people_of(self, frame: int) -> list[int]:
        """Three people a shot, in turn."""
        return [(frame // SHOT * 3 + place) % self.people for place in range(min(3, self.people))]

    # Answers

    def state(self) -> dict[str, Any]:
        size = {"width": WIDTH, "height": HEIGHT, "frame_count": self.frame_count, "rate": RATE}
        return {
            "video": {"name": "talk.mp4", "kind": "file", "digest": "sha256:0", **size},
            "shots": list(self.shots),
            "revision": self.revision,
            "can_undo": bool(self.corrections),
            "can_redo": False,
            "reviewer": "Ada",
            "styles": ["blend", "blur"],
            "style": "blend",
            "tasks": list(self.tasks.values()),
            "output": None,
            "kinds": ["face", "head", "plate", "person", "screen", "other"],
            "unresolved": [],
        }

    def people_page(self, offset: int, limit: int) -> dict[str, Any]:
        listed = range(offset, min(offset + limit, self.people))
        rows = [self.person(identity) for identity in listed]
        return {"revision": self.revision, "total": self.people, "people": rows}

    def person(self, identity: int) -> dict[str, Any]:
        first = min(identity // 3 * SHOT, self.frame_count - 1)
        picture = {"frame": first, "box": self.box(identity % 3, first), "sequence": identity}
        return {
            "identity": identity,
            "name": self.names.get(identity),
            "decision": "keep" if identity in self.kept else "veil",
            "uncertain": identity == 1,
            "reason": "matches anchor.jpg (0.71)" if identity in self.kept else "matches nothing",
            "sequences": 1,
            "frames": SHOT,
            "first": first,
            "last": min(first + SHOT, self.frame_count) - 1,
            "kind": "face",
            "pictures": [picture],
            "risk": 0.2,
        }

    def sequences_page(self, identity: int) -> dict[str, Any]:
        person = self.person(identity)
        sequence = {
            **{key: person[key] for key in ("first", "last", "frames", "kind", "decision")},
            **{key: person[key] for key in ("reason", "uncertain")},
            "sequence": identity,
            "identity": identity,
            "shot": person["first"] // SHOT,
            "provenance": {"detected": 100, "tracked": 25},
            "object": None,
            "picture": person["pictures"][0],
        }
        return {"total": 1, "sequences": [sequence]}

    def boxes(self, first: int, last: int) -> dict[str, Any]:
        rows: list[tuple[Any, ...]] = [
            (
                frame,
                self.box(place, frame),
                person,
                person,
                0,
                0,
                int(person not in self.kept),
                None,
            )
            for frame in range(first, last + 1)
            for place, person in enumerate(self.people_of(frame))
        ]
        rows += [
            (frame, drawn["box"], 10**6 + number, 10**6 + number, 5, 0, 1, f"o{number}")
            for number, drawn in enumerate(self.drawn)
            for frame in range(max(first, drawn["frame"] - 20), min(last, drawn["frame"] + 20) + 1)
        ]
        names = ["frames", "boxes", "sequences", "identities"]
        names += ["provenance", "kinds", "veiled", "objects"]
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        return {"revision": self.revision, "scores": [0.97] * len(rows), **columns}

    def timeline(self, first: int, last: int, buckets: int) -> dict[str, Any]:
        edges = np.linspace(first, last + 1, buckets + 1).astype(int)
        is_looked = [any(start <= edge <= end for start, end in self.looked) for edge in edges[:-1]]
        return {
            "risk": [float(abs(np.sin(edge / 40))) for edge in edges[:-1]],
            "looked": [float(looked) for looked in is_looked],
            "shots": list(self.shots)[:1000],
            "faces": [3] * buckets,
            "findings": [finding["frame"] for finding in self.findings],
            "risk_left": 1 - float(np.mean(is_looked)),
        }

    def correct(self, body: dict[str, Any]) -> dict[str, Any]:
        """Record a correction and carry out what the page shows of it."""
        self.corrections.append(body)
        if body["op"] == "decide" and "identity" in body["target"]:
            (self.kept.add if body["decision"] == "keep" else self.kept.discard)(
                body["target"]["identity"]
            )
        elif body["op"] == "name":
            self.names[body["identity"]] = body["name"]
        elif body["op"] == "draw":
            self.drawn.append(body["keyframes"][0])
        return {"revision": self.raise_revision(), "entry": "e1", "task": None}


@contextmanager
def stub_review_server(review: StubReview, port: int = 0) -> Iterator[str]:
    """The address at which a stub review is served on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, review))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        review.listeners.clear()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, review: StubReview, *arguments: Any) -> None:
        self.review = review
        super().__init__(*arguments)

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if not url.path.startswith("/api/v1/"):
            path = STATIC / (url.path.strip("/") or "index.html")
            self._answer(path.read_bytes(), TYPES[path.suffix[1:]])
            return
        path_, query = url.path.removeprefix("/api/v1/"), dict(parse_qsl(url.query))
        if path_ == "events":
            self._events()
        elif path_.endswith(".jpg"):
            self._answer(_picture(path_, query), "image/jpeg")
        else:
            self._json(self._get(path_, query))

    def _get(self, path: str, query: dict[str, str]) -> Any:
        review, numbers = self.review, {name: int(value) for name, value in query.items()}
        if path.startswith("people/"):
            return review.sequences_page(int(path.split("/")[1]))
        if path.startswith("sequences/"):
            (sequence,) = review.sequences_page(int(path.split("/")[1]))["sequences"]
            return sequence
        answers: dict[str, Callable[[], Any]] = {
            "state": review.state,
            "people": lambda: review.people_page(**numbers),
            "boxes": lambda: review.boxes(**numbers),
            "timeline": lambda: review.timeline(**numbers),
            "next": lambda: {"first": 40, "last": 60, "risk": 0.8, "reasons": ["low scores"]},
            "findings": lambda: review.findings,
        }
        return answers[path]()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        review = self.review
        match self.path.removeprefix("/api/v1/"):
            case "corrections":
                self._json(review.correct(body))
            case "undo":
                review.corrections.pop()
                self._json({"revision": review.raise_revision()})
            case "looked":
                review.looked.append((body["first"], body["last"]))
                self._json({})
            case "render":
                task = {"id": "t1", "kind": "render", "state": "running", "done": 92, "total": 250}
                review.tasks["t1"] = {**task, "eta_s": 42, "message": None}
                self._json(review.tasks["t1"])

    def do_DELETE(self) -> None:
        task = self.review.tasks[self.path.rsplit("/", 1)[-1]]
        task["state"] = "cancelled"
        self.review.emit("task", task)
        self._json({})

    def _events(self) -> None:
        listener: queue.Queue[bytes] = queue.Queue()
        self.review.listeners.append(listener)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            while listener in self.review.listeners:
                try:
                    self.wfile.write(listener.get(timeout=0.2))
                except queue.Empty:
                    self.wfile.write(b": \n\n")
                self.wfile.flush()
        except OSError:
            pass  # the page has gone
        self.close_connection = True

    def _json(self, answer: Any) -> None:
        self._answer(json.dumps(answer).encode(), "application/json")

    def _answer(self, body: bytes, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body)


def _picture(path: str, query: dict[str, str]) -> bytes:
    """A grey picture that shows its frame number, so that a test can read it off the screen."""
    number = int(path.rsplit("/", 1)[-1].removesuffix(".jpg"))
    width = int(query.get("width", "96"))
    height = width * HEIGHT // WIDTH if "width" in query else 96
    picture = np.full((height, width, 3), 40 + number % 8 * 20, np.uint8)
    done, encoded = cv2.imencode(".jpg", picture)
    assert done
    return encoded.tobytes()
