"""What a worker of multi-model-server runs: one picture's bytes in, its detections JSON out."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import cv2
from sagemaker_inference import content_types

from faceveil.detect.analyzer import FaceAnalyzer
from faceveil.detect.answer import answer, unknown
from faceveil.detect.build import build_analyzer
from handler.busy import FOLDER_VARIABLE, BusyNote
from handler.options import ServiceOptions

_NO_PICTURE = unknown("no_picture", "the request's body must be the bytes of one picture").to_json()


class Context(Protocol):
    """What is used of multi-model-server's request context."""

    def set_response_content_type(self, idx: int, value: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Service:
    """Open networks and how to answer with them."""

    analyzer: FaceAnalyzer
    options: ServiceOptions

    def answer(self, body: bytes) -> bytes:
        """Detections JSON (docs/design.md) of the picture in `body`; see `detect.answer`."""
        faces = answer(self.analyzer, body, self.options.max_pixels)
        if not self.options.thumbnail:
            faces = replace(faces, thumbnail=None)
        return faces.to_json(self.options.feature_decimals)


def handle(data: list[dict[str, Any]] | None, context: Context) -> list[bytes]:
    """multi-model-server's entry: first with None when a worker starts, then with requests.

    Each request is {"body": bytes}; what it says of its content type does not matter. Whatever
    is raised here is answered with 503 by the server: only programming faults are.
    """
    with _busy():
        service = _service()
        answers = []
        for index, request in enumerate(data or []):
            body = request.get("body")
            answers.append(_NO_PICTURE if body is None else service.answer(bytes(body)))
            context.set_response_content_type(index, content_types.JSON)
        return answers


@lru_cache(maxsize=1)
def _service() -> Service:
    options = ServiceOptions.from_environment(os.environ)
    cv2.setNumThreads(options.analyzer.threads)
    return Service(build_analyzer(options.analyzer, concurrent=1), options)


@lru_cache(maxsize=1)
def _busy_note() -> BusyNote | None:
    folder = os.environ.get(FOLDER_VARIABLE)
    return BusyNote(Path(folder)) if folder else None


def _busy() -> AbstractContextManager[None]:
    note = _busy_note()
    return note.busy() if note else nullcontext()
