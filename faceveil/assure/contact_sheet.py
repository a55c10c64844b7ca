"""A picture with one row per identity: its faces, what happens to it and where it is seen.

It helps an operator to check a selection. The faces of veiled people can be recognised in it: keep
it as confidential as the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from textwrap import shorten, wrap
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont

from faceveil.boxes import centres, sides, sizes
from faceveil.decisions import Decision
from faceveil.faces import FaceSequence, Floats, Image, Ints, Kind, Provenance
from faceveil.files import replace_file

Font: TypeAlias = ImageFont.ImageFont | ImageFont.FreeTypeFont

FACES_PER_ROW = 6
FACE_SIZE = 96
MAX_ROWS = 200

_GAP = 8
_ROW = FACE_SIZE + 2 * _GAP
_HEADER = 44
_TEXT_LEFT = 3 * _GAP + FACES_PER_ROW * (FACE_SIZE + _GAP)
_TEXT_WIDTH = 360
_TIMELINE_LEFT = _TEXT_LEFT + _TEXT_WIDTH + _GAP
_TIMELINE_WIDTH = 480
_WIDTH = _TIMELINE_LEFT + _TIMELINE_WIDTH + 2 * _GAP

_VEILED, _KEPT, _UNCERTAIN = (214, 56, 44), (44, 104, 214), (240, 160, 0)
_INK, _FAINT, _PAPER = (32, 32, 32), (225, 225, 225), (255, 255, 255)


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """One identity: its sequences, their decisions, and faces by the frame they are taken from."""

    identity: int
    sequences: list[FaceSequence]
    decisions: list[Decision]
    samples: dict[int, Floats]
    faces: dict[int, Image] = field(default_factory=dict)


class ContactSheet:
    """Collects faces from frames, then draws the sheet.

    Parameters
    ----------
    sequences : sequence of FaceSequence [n]
    identities : ndarray of int32 [n]
    decisions : sequence of Decision [n]
    frame_count : int
        Length of the timeline.

    Notes
    -----
    There are at most 200 identities, those with the most frames, with 6 faces each: memory stays
    below 40 MB however long the video is.
    """

    def __init__(
        self,
        sequences: Sequence[FaceSequence],
        identities: Ints,
        decisions: Sequence[Decision],
        frame_count: int,
    ) -> None:
        self._frame_count = max([frame_count, *(item.last + 1 for item in sequences)])
        numbers = np.unique(identities).tolist()
        rows: dict[int, _Row] = {number: _Row(number, [], [], {}) for number in numbers}
        for sequence, identity, decision in zip(sequences, identities, decisions, strict=True):
            rows[int(identity)].sequences.append(sequence)
            rows[int(identity)].decisions.append(decision)
        ordered = sorted(rows.values(), key=lambda row: -sum(map(len, row.sequences)))
        self._rows = ordered[:MAX_ROWS]
        self._left_out = len(ordered) - len(self._rows)
        for row in self._rows:
            row.samples.update(best_boxes(row.sequences, FACES_PER_ROW))
        self.wanted_frames = frozenset(frame for row in self._rows for frame in row.samples)

    def add(self, frame_number: int, picture: Image) -> None:
        """Cut the faces of one of `wanted_frames` out of its picture, RGB uint8 [H, W, 3]."""
        for row in self._rows:
            box = row.samples.get(frame_number)
            if box is not None:
                row.faces[frame_number] = face_crop(picture, box, FACE_SIZE)

    def save(self, path: Path) -> None:
        """Write the sheet as PNG. Raises OutputError when it cannot be written."""
        content = BytesIO()
        self._draw().save(content, "PNG")
        replace_file(path, content.getvalue())

    def _draw(self) -> Pictures.Image:
        footer = _ROW // 2 if self._left_out else 0
        height = _HEADER + _ROW * len(self._rows) + footer
        sheet = Pictures.new("RGB", (_WIDTH, height), _PAPER)
        draw = ImageDraw.Draw(sheet)
        small = _font(13)
        _draw_header(draw, small, self._frame_count)
        for number, row in enumerate(self._rows):
            top = _HEADER + _ROW * number
            draw.line([(0, top), (_WIDTH, top)], _FAINT)
            draw.rectangle([0, top + 1, _GAP - 1, top + _ROW - 1], _state(row)[1])
            for place, frame in enumerate(sorted(row.faces)):
                left = 2 * _GAP + place * (FACE_SIZE + _GAP)
                sheet.paste(Pictures.fromarray(row.faces[frame]), (left, top + _GAP))
            _draw_text(draw, row, top)
            _draw_timeline(draw, row, top, self._frame_count)
        if self._left_out:
            text = f"and {self._left_out} more identities, seen for a shorter time"
            draw.text((2 * _GAP, height - footer + _GAP), text, _INK, small)
        return sheet


def best_boxes(sequences: Sequence[FaceSequence], count: int) -> dict[int, Floats]:
    """Return boxes of one person's faces by frame, to show them.

    Parameters
    ----------
    sequences : sequence of FaceSequence
        All of one person, one at least.
    count : int
        How many at most: the best of as many equal parts of the time the person is seen.

    Returns
    -------
    dict of int to ndarray of float32 [4]
    """
    frames = np.concatenate([item.frames for item in sequences])
    boxes = np.concatenate([item.boxes for item in sequences])
    scores = np.concatenate([item.scores for item in sequences])
    provenance = np.concatenate([item.provenance for item in sequences])
    detected = np.flatnonzero(provenance == Provenance.DETECTED)
    rows = detected if len(detected) else np.arange(len(frames))
    rows = rows[np.argsort(frames[rows], kind="stable")]
    quality = scores * np.minimum(sizes(boxes) / FACE_SIZE, 1)
    groups = np.array_split(rows, min(count, len(rows)))
    best = [int(group[quality[group].argmax()]) for group in groups]
    return {int(frames[row]): boxes[row] for row in best}


def face_crop(picture: Image, box: Floats, side: int) -> Image:
    """Return a face with a margin, uint8 [side, side, 3]; beyond the frame its edge is repeated."""
    size = max(4, round(1.5 * float(sides(box).max())))
    left, top = (round(float(value) - size / 2) for value in centres(box))
    height, width = picture.shape[:2]
    columns = np.clip(np.arange(left, left + size), 0, width - 1)
    rows = np.clip(np.arange(top, top + size), 0, height - 1)
    part = picture[rows[:, None], columns]
    method = cv2.INTER_AREA if size > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (side, side), interpolation=method), np.uint8)


def _state(row: _Row) -> tuple[str, tuple[int, int, int]]:
    veiled = [decision.veil for decision in row.decisions]
    if all(veiled):
        return "veiled", _VEILED
    return ("partly veiled", _VEILED) if any(veiled) else ("kept", _KEPT)


def _draw_header(draw: ImageDraw.ImageDraw, font: Font, frame_count: int) -> None:
    left = 2 * _GAP
    for name, colour in (("veiled", _VEILED), ("kept", _KEPT), ("to be reviewed", _UNCERTAIN)):
        draw.rectangle([left, 17, left + 11, 28], colour)
        draw.text((left + 18, 14), name, _INK, font)
        left += 36 + round(draw.textlength(name, font))
    draw.text((_TIMELINE_LEFT, 14), "frame 0", _INK, font)
    last = str(frame_count - 1)
    right = _TIMELINE_LEFT + _TIMELINE_WIDTH - draw.textlength(last, font)
    draw.text((right, 14), last, _INK, font)


def _draw_text(draw: ImageDraw.ImageDraw, row: _Row, top: int) -> None:
    longest = max(range(len(row.sequences)), key=lambda index: len(row.sequences[index]))
    decision = row.decisions[longest]
    state, colour = _state(row)
    person = next((item.person for item in row.decisions if item.person), None)
    first = min(item.first for item in row.sequences)
    last = max(item.last for item in row.sequences)
    uncertain = sum(item.uncertain for item in row.decisions)
    kind = row.sequences[longest].kind
    name = "Identity" if kind == Kind.FACE else kind.word.capitalize()
    lines = [
        (f"{name} {row.identity}" + (f", {person}" if person else ""), _INK, 18),
        (state + (f", {uncertain} to be reviewed" if uncertain else ""), colour, 15),
        (f"frames {first} to {last}, sequences: {len(row.sequences)}", _INK, 13),
    ]
    reason = wrap(decision.reason, _letters(13), max_lines=2, placeholder=" ...")
    lines += [(line, _INK, 13) for line in reason]
    y = top + _GAP
    for text, ink, size in lines:
        fitting = shorten(text, _letters(size), placeholder=" ...")
        draw.text((_TEXT_LEFT, y), fitting, ink, _font(size))
        y += size + 7


def _letters(size: int) -> int:
    """How many letters of that size fit beside the faces."""
    return round(_TEXT_WIDTH / (0.58 * size))


@lru_cache
def _font(size: int) -> Font:
    """A font of the system with accents, or Pillow's own, which has only English letters."""
    for name in ("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "Arial.ttf"):
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _draw_timeline(draw: ImageDraw.ImageDraw, row: _Row, top: int, frame_count: int) -> None:
    """Where each sequence is seen, in the colour of its decision; uncertain ones are underlined."""
    upper, lower = top + _ROW // 2 - 14, top + _ROW // 2 + 6
    right = _TIMELINE_LEFT + _TIMELINE_WIDTH - 1
    draw.rectangle([_TIMELINE_LEFT, upper, right, lower], _FAINT)
    for sequence, decision in zip(row.sequences, row.decisions, strict=True):
        for start, stop in _spans(sequence.frames, frame_count):
            bar = [_TIMELINE_LEFT + start, upper, _TIMELINE_LEFT + stop, lower]
            draw.rectangle(bar, _VEILED if decision.veil else _KEPT)
            if decision.uncertain:
                draw.rectangle([bar[0], lower + 2, bar[2], lower + 7], _UNCERTAIN)


def _spans(frames: Ints, frame_count: int) -> NDArray[np.int64]:
    """First and last column of the timeline, int64 [k, 2], of each run of frames."""
    breaks = np.flatnonzero(np.diff(frames) > 1)
    starts = frames[np.concatenate([[0], breaks + 1])].astype(np.int64)
    stops = frames[np.concatenate([breaks, [len(frames) - 1]])].astype(np.int64) + 1
    scaled = np.stack([starts * _TIMELINE_WIDTH, stops * _TIMELINE_WIDTH - 1], axis=1)
    return scaled // frame_count
