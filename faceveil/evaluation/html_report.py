"""The picture report of an evaluation: one HTML page that needs no other file.

With frames it shows the faces of people: keep it as confidential as the input.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.errors import InputError
from faceveil.evaluation.judging import Evaluation, Share, Verdict
from faceveil.evaluation.measures import Frames
from faceveil.evaluation.output import Output
from faceveil.evaluation.truth import Truth
from faceveil.faces import Image
from faceveil.files import replace_file

WORST_FRAMES = 12
_PICTURE_WIDTH = 640
_WIDTH, _ROW = 1000, 22
_MISSED, _VEILED, _KEPT, _UNCOUNTED = "#d6382c", "#3f8f4f", "#2c68d6", "#d9d9d9"

_STYLE = """\
body{font:15px/1.45 sans-serif;margin:2em auto;max-width:1240px;color:#202020}
table{border-collapse:collapse;margin:.6em 0 1.4em}
td,th{padding:.2em .8em;border-bottom:1px solid #ddd;text-align:right}
td:first-child,th:first-child,table:first-of-type td:last-child{text-align:left}
svg{max-width:100%;background:#f4f4f4} figure{display:inline-block;margin:.5em;width:47%}
.bad{color:#d6382c;font-weight:bold}"""


def worst_frames(evaluation: Evaluation, truth: Truth, verdict: Verdict) -> list[int]:
    """Return the least covered frame of each of the longest uncovered runs, in order."""
    numbers: list[int] = []
    for run in evaluation.runs:
        rows = np.flatnonzero(
            verdict.missed
            & (truth.track == run.track)
            & (truth.frames >= run.first)
            & (truth.frames <= run.last)
        )
        number = int(truth.frames[rows[int(verdict.coverage[rows].argmin())]])
        if number not in numbers:
            numbers.append(number)
        if len(numbers) == WORST_FRAMES:
            break
    return sorted(numbers)


def write_html(
    path: Path,
    title: str,
    evaluation: Evaluation,
    truth: Truth,
    output: Output,
    verdict: Verdict,
    pictures: Mapping[int, Image] | None = None,
) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
    title : str
    evaluation : Evaluation
    truth : Truth
    output : Output
    verdict : Verdict
    pictures : mapping of int to ndarray of uint8 [H, W, 3], optional
        The worst frames in RGB, by frame number.

    Raises
    ------
    OutputError
        When the page cannot be written.
    InputError
        When pictures have another size than the truth.
    """
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>",
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>",
        _main_table(evaluation),
        "<h2>Timeline</h2><p>One row per person: "
        f"{_key(_VEILED, 'veiled')}, {_key(_MISSED, 'to be veiled, not covered')}, "
        f"{_key(_KEPT, 'kept')}, {_key(_UNCOUNTED, 'not counted')}.</p>",
        _timeline(truth, verdict),
        "<h2>Frames</h2><p>The thesis's categories: a frame is a false negative where a face is "
        "not covered, a false positive where a veil hides no face or a person to keep.</p>",
        _frames_table(evaluation),
        "<h2>Shares of faces veiled</h2>",
        _shares_table({**evaluation.by_person, **_sizes(evaluation)}),
        _kinds_table(evaluation),
        "<h2>Uncovered runs</h2>",
        _runs_table(evaluation),
    ]
    if evaluation.runs:
        parts.append("<h2>Worst frames</h2><p>Ellipses: true faces; outlines: veils.</p>")
    for number in worst_frames(evaluation, truth, verdict):
        picture = (pictures or {}).get(number)
        drawing = _frame(number, truth, output, verdict, picture)
        parts.append(f"<figure>{drawing}<figcaption>frame {number}</figcaption></figure>")
    replace_file(path, "\n".join([*parts, "</html>\n"]).encode())


def _main_table(evaluation: Evaluation) -> str:
    veils, tracks, kept = evaluation.veils, evaluation.tracks, evaluation.kept
    rows = [
        ("faces veiled", f"{veils.recall:.4f}", f"{veils.hits} of {veils.faces}"),
        ("hardly covered", str(evaluation.bare), "faces"),
        (
            "longest uncovered run",
            str(evaluation.longest_run()),
            f"frames; {evaluation.longest_run(24)} of a face from 24 pixels",
        ),
        ("tracks never exposed", f"{tracks.recall:.3f}", f"{tracks.hits} of {tracks.faces}"),
        (
            "veils on a face",
            f"{evaluation.precision:.3f}",
            f"{evaluation.boxes.hits} of {evaluation.boxes.faces}",
        ),
        ("kept people left visible", f"{kept.recall:.3f}", f"{kept.hits} of {kept.faces}"),
        ("wrong person kept", str(evaluation.wrong_kept), "boxes"),
        (
            "area veiled",
            f"{evaluation.area.veiled:.2%}",
            f"of the picture; {evaluation.area.wasted:.2%} on no face",
        ),
        (
            "jitter",
            f"{evaluation.jitter.centre:.4f}",
            f"face sizes; of size {evaluation.jitter.size:.4f}",
        ),
    ]
    if evaluation.identities is not None:
        errors = evaluation.identities
        rows.append(("identities mixed", str(errors.mixed), f"of {errors.boxes} boxes"))
        rows.append(("identities split", str(errors.split), "more than people"))
    return _table(("", "", ""), rows)


def _frames_table(evaluation: Evaluation) -> str:
    def row(name: str, frames: Frames) -> tuple[str, ...]:
        shares = (frames.accuracy, frames.precision, frames.recall, frames.f1)
        counts = (frames.tp, frames.tn, frames.fp, frames.fn)
        return (name, *map(str, counts), *(f"{share:.3f}" for share in shares))

    head = ("", "TP", "TN", "FP", "FN", "accuracy", "precision", "recall", "F1")
    rows = [row("all", evaluation.frames)]
    rows += [row(name, frames) for name, frames in evaluation.frames_by_person.items()]
    return _table(head, rows)


def _sizes(evaluation: Evaluation) -> dict[str, Share]:
    return {f"height {name} pixels": share for name, share in evaluation.by_size.items()}


def _shares_table(shares: Mapping[str, Share]) -> str:
    rows = [
        (name, f"{share.recall:.4f}", str(share.hits), str(share.faces))
        for name, share in shares.items()
    ]
    return _table(("", "share", "veiled", "faces"), rows)


def _kinds_table(evaluation: Evaluation) -> str:
    """Objects of other kinds; nothing where the truth labels none."""
    if not evaluation.by_kind:
        return ""
    rows = [
        (
            kind,
            f"{value.veils.recall:.4f}",
            f"{value.veils.hits} of {value.veils.faces}",
            str(value.longest_run),
            f"{value.boxes.hits} of {value.boxes.faces}",
            f"{value.area.veiled:.2%}",
            f"{value.area.wasted:.2%}",
        )
        for kind, value in evaluation.by_kind.items()
    ]
    head = (
        "kind",
        "share veiled",
        "veiled",
        "longest uncovered run",
        "veils on one",
        "area veiled",
        "of it on none",
    )
    return f"<h2>Other kinds</h2>{_table(head, rows)}"


def _runs_table(evaluation: Evaluation) -> str:
    if not evaluation.runs:
        return "<p>None.</p>"
    rows = [
        (
            run.person,
            f"{run.first}-{run.last}",
            str(run.frames),
            f"{run.size:.0f}",
            f"{run.coverage:.2f}",
        )
        for run in evaluation.runs
    ]
    return _table(("person", "frames", "how many", "height", "least covered"), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    def line(tag: str, cells: tuple[str, ...]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{line('th', head)}{''.join(line('td', row) for row in rows)}</table>"


def _key(colour: str, text: str) -> str:
    return f'<b style="color:{colour}">&#9632;</b> {text}'


def _timeline(truth: Truth, verdict: Verdict) -> str:
    left = 220
    scale = (_WIDTH - left) / max(truth.frame_count, 1)
    height = _ROW * len(truth.people) + _ROW
    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}">']
    for index, name in enumerate(truth.people):
        top, mine = _ROW * index, truth.person == index
        parts.append(f'<text x="4" y="{top + 15}" font-size="13">{escape(name)}</text>')
        for colour, rows in (
            (_UNCOUNTED, mine & ~verdict.to_veil & ~verdict.kept),
            (_VEILED, mine & verdict.to_veil & ~verdict.missed),
            (_KEPT, mine & verdict.kept),
            (_MISSED, mine & verdict.missed),
        ):
            parts += [
                f'<rect x="{left + first * scale:.2f}" y="{top + 4}" height="{_ROW - 8}" '
                f'width="{max((end - first) * scale, 1):.2f}" fill="{colour}"/>'
                for first, end in _spans(truth.frames[rows])
            ]
    for start in truth.shot_starts.tolist():
        x = left + start * scale
        parts.append(f'<path d="M{x:.1f} 0V{height - _ROW}" stroke="#888" stroke-dasharray="3"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 6}" font-size="11">{start}</text>')
    return "".join(parts) + "</svg>"


def _spans(frames: NDArray[np.int32]) -> list[tuple[int, int]]:
    """[first, end) of each run of consecutive frames."""
    frames = np.unique(frames)
    runs = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
    return [(int(run[0]), int(run[-1]) + 1) for run in runs if len(run)]


def _frame(
    number: int, truth: Truth, output: Output, verdict: Verdict, picture: Image | None
) -> str:
    size = f'viewBox="0 0 {truth.width} {truth.height}"'
    parts = [f'<svg {size} width="{_PICTURE_WIDTH}" stroke-width="{truth.width / 320:.1f}">']
    if picture is not None:
        if picture.shape[:2] != (truth.height, truth.width):
            height, width = picture.shape[:2]
            raise InputError(
                f"the frames are {width}x{height}, the truth is about {truth.width}x{truth.height}"
            )
        parts.append(
            f'<image width="{truth.width}" height="{truth.height}" '
            f'href="data:image/jpeg;base64,{_jpeg(picture)}"/>'
        )
    start, stop = np.searchsorted(output.frames, [number, number + 1])
    for row in range(int(start), int(stop)):
        if output.veiled[row]:
            is_round = bool(output.round_rows[row])
            shape = _shape(output.regions[row].tolist(), is_round=is_round)
            parts.append(f'<{shape} fill="#fff" fill-opacity=".3" stroke="#444"/>')
    for row in np.flatnonzero((truth.frames == number) & ~truth.ignore).tolist():
        colour = _MISSED if verdict.missed[row] else _VEILED if verdict.to_veil[row] else _KEPT
        shape = _shape(truth.boxes[row].tolist(), is_round=True)
        parts.append(f'<{shape} fill="none" stroke="{colour}"/>')
    return "".join(parts) + "</svg>"


def _shape(box: list[float], *, is_round: bool) -> str:
    x1, y1, x2, y2 = box
    if is_round:
        centre = f'cx="{(x1 + x2) / 2:.1f}" cy="{(y1 + y2) / 2:.1f}"'
        return f'ellipse {centre} rx="{(x2 - x1) / 2:.1f}" ry="{(y2 - y1) / 2:.1f}"'
    return f'rect x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}"'


def _jpeg(picture: Image) -> str:
    scale = min(1.0, _PICTURE_WIDTH / picture.shape[1])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", small[..., ::-1])[1]
    return base64.b64encode(data.tobytes()).decode("ascii")
