"""Rendering from the page: the output, its verification, and what is written beside it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from faceveil.assure.html_report import read_report
from faceveil.assure.verification import Verification
from faceveil.errors import VerificationError
from faceveil.files import replace_file
from faceveil.media.containers import CONTAINERS
from faceveil.media.matte import open_matte
from faceveil.media.open import open_sink
from faceveil.paths import with_ending
from faceveil.review.answers import AnswerError
from faceveil.review.session import Review
from faceveil.review.tasks import Task
from faceveil.veils.keyframes import to_keyframes
from faceveil.veils.styles import VeilStyle

if TYPE_CHECKING:
    from faceveil.rendering import Rendered


class ReviewOutputs(Protocol):
    """Renders a review, wherever that is done."""

    def start(self, style: str | None, matte: bool) -> dict[str, Any]:
        """Begin to render; returns the task. Raises AnswerError where that is not possible."""
        ...

    def describe(self) -> dict[str, Any] | None:
        """Return what was rendered last, as `state` answers it; None before the first time."""
        ...

    def findings(self) -> list[dict[str, Any]]:
        """Return what verification found in the last output, in the order of its frames."""
        ...

    def file(self, name: str) -> Path:
        """Return a file that was rendered. Raises AnswerError where there is none."""
        ...

    def keyframes(self) -> dict[str, Any]:
        """Return the keyframes of all veils, for editing programs."""
        ...


class Outputs:
    """Renders a review on this machine, beside its input.

    Nothing that was there before is replaced: outputs get a name that is free, and only those that
    this review itself has written are written anew.

    Parameters
    ----------
    review
        What is rendered.
    target
        The name that the output gets, if it is free.
    """

    def __init__(self, review: Review, target: Path) -> None:
        self._review = review
        self._target = target
        self._written: set[Path] = set()
        self._lock = threading.Lock()
        self._rendered: Rendered | None = None
        self._revision = 0
        self._files: dict[str, Path] = {}

    def start(self, style: str | None, matte: bool) -> dict[str, Any]:
        """Begin to render the corrections, once all that was drawn is followed; returns the task.

        Raises
        ------
        AnswerError
            Where a rendering is already going on.
        """
        review = self._review
        review.require_source()
        with self._lock:
            if review.tasks.running("render"):
                raise AnswerError(409, "busy", "The video is being rendered already.")
            if style is not None:
                review.style = VeilStyle(name=style, margin=review.style.margin)
            task = review.tasks.start("render", lambda task: self._render(matte, task))
        return task.describe()

    def describe(self) -> dict[str, Any] | None:
        """Return what was rendered last, as `state` answers it; None before the first time."""
        rendered = self._rendered
        if rendered is None:
            return None
        verified = rendered.verification
        return {
            "path": str(rendered.path),
            "ready": True,
            "verified": None if verified is None else not verified.violations,
            "revision": self._revision,
        }

    def findings(self) -> list[dict[str, Any]]:
        """Return what verification found in the last output, in the order of its frames."""
        verification = self._review.verification
        return [] if verification is None else findings_of(verification)

    def file(self, name: str) -> Path:
        """Return a file that was rendered. Raises AnswerError where there is none."""
        path = self._files.get(name)
        if path is None or not path.is_file():
            raise AnswerError(404, name, f"There is no {name} yet: render first.")
        return path

    def keyframes(self) -> dict[str, Any]:
        """Return the keyframes of all veils, for editing programs."""
        return to_keyframes(self._review.version.table.analysis, self._review.style)

    def _render(self, matte: bool, task: Task) -> None:
        from faceveil.rendering import render  # slow to import: it brings the networks' code

        review = self._review
        review.tasks.wait_for_following(task)
        version = review.version
        target = self._free(self._target)
        page = self._free(with_ending(target, ".report.html"))
        data = self._free(with_ending(target, ".report.json"))
        matte_path = self._free(target.with_name(f"{target.stem}.matte.mov")) if matte else None
        sink = open_sink(target, review.source, overwrite=target in self._written)
        mattes = None
        if matte_path is not None:
            mattes = open_matte(matte_path, review.source, output=sink)
        rendered = render(
            review.source,
            review.analysis,
            sink,
            review.style,
            corrections=version.corrections,
            report=page,
            reviewer=review.reviewer or None,
            matte=mattes,
            progress=task,
            check=False,
        )
        replace_file(data, orjson.dumps(read_report(page), option=orjson.OPT_INDENT_2))
        self._written |= {target, page, data} | ({matte_path} if matte_path else set())
        self._rendered, self._revision = rendered, version.number
        self._files = {"output": rendered.path, "report.html": page, "report.json": data}
        if matte_path is not None:
            self._files["matte"] = matte_path
        review.verified(rendered.verification)
        try:
            rendered.require()
        except VerificationError as error:
            task.message = str(error)

    def _free(self, path: Path) -> Path:
        """The path, or with a number where something else lies there."""
        found, number = path, 1
        while found.exists() and found not in self._written:
            number += 1
            found = path.with_name(f"{path.stem}-{number}{path.suffix}")
        return found


def output_beside(source: Path, kind: str) -> Path:
    """Where the output of a review goes: beside its input."""
    if kind != "video":
        return source.with_name(f"{source.stem}.veiled")
    suffix = source.suffix if source.suffix.lower() in CONTAINERS else ".mp4"
    return source.with_name(f"{source.stem}.veiled{suffix}")


def findings_of(verification: Verification) -> list[dict[str, Any]]:
    """What verification found, for a list that jumps to the frame."""
    found = [
        {"frame": item.frame, "box": item.box, "what": str(item).split(": ", 1)[-1]}
        for item in verification.violations
    ]
    found += [
        {"frame": frame, "box": box, "what": "may be a face, not veiled"}
        for frame, box in verification.doubtful
    ]
    return sorted(found, key=lambda item: int(str(item["frame"])))
