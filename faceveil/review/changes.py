"""What the page sends as a correction, made an entry of corrections.json.

The page names sequences and identities by their numbers of the revision it shows. An entry names
them by a box on a frame, which holds for another analysis of the same video, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from faceveil.corrections.document import parse_change
from faceveil.corrections.entries import Change
from faceveil.errors import InputError
from faceveil.faces import FaceSequence, Floats, Ints, Provenance
from faceveil.review.answers import AnswerError
from faceveil.review.columns import SequenceTable, best_picture

OPS = (
    "decide",
    "name",
    "join",
    "move",
    "split",
    "draw",
    "shape",
    "extent",
    "remove",
    "reference",
)
_PLACED = (Provenance.DETECTED, Provenance.LOW_SCORE, Provenance.MANUAL)
_TRIED = 16


def change_of(body: dict[str, Any], table: SequenceTable, object_id: str) -> Change:
    """The change that the body of a request asks for.

    Parameters
    ----------
    body
        `op` and its fields, as the page sends them.
    table
        The analysis of the revision that the page shows.
    object_id
        The id of an object that is drawn.

    Raises
    ------
    AnswerError
        Where the body names nothing that exists, or does not follow the format.
    """
    op = body.get("op")
    if op not in OPS:
        raise AnswerError(422, "op", f"op must be one of {', '.join(OPS)}.")
    fields = {name: value for name, value in body.items() if name not in ("revision", "why")}
    try:
        fields = _anchored(fields, table, object_id)
        return parse_change(fields)
    except InputError as error:
        raise AnswerError(422, "fields", f"{error}.") from error
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise AnswerError(422, "fields", f"The fields of {op} cannot be used ({error}).") from error


def _anchored(fields: dict[str, Any], table: SequenceTable, object_id: str) -> dict[str, Any]:
    op = fields["op"]
    frame = fields.get("frame")
    if frame is not None and not 0 <= int(frame) < table.analysis.source.frame_count:
        raise AnswerError(422, "frame", f"The video has no frame {frame}.")
    if op == "decide":
        target = fields.pop("target")
        fields |= {name: target.pop(name) for name in ("first", "last") if name in target}
        fields["target"] = _target(target, table)
    elif op == "name":
        fields["identity"] = _of_identity(fields["identity"], table)
    elif op == "join":
        fields["identities"] = [_of_identity(number, table) for number in fields["identities"]]
    elif op == "move":
        fields["sequence"] = _of_sequence(fields["sequence"], table)
        identity = fields.pop("identity", None)
        if identity is not None:
            fields["identity"] = _of_identity(identity, table)
    elif op == "split":
        fields["sequence"] = _of_sequence(fields["sequence"], table)
    elif op == "draw":
        fields["object"] = object_id
    elif op == "reference":
        fields["identity"] = _of_identity(fields["identity"], table)
        row = table.at_box(fields["frame"], np.array(fields["box"], np.float32))
        fields["matched"] = [] if row is None else [_of_sequence(row, table)]
    else:
        fields["target"] = _target(fields, table)
        for name in ("sequence", "object"):
            fields.pop(name, None)
        if op == "shape":
            row = _row_of(fields["target"], table, fields["keyframes"])
            fields |= stretch(table.sequences[row], fields["keyframes"])
    return fields


def _target(named: dict[str, Any], table: SequenceTable) -> dict[str, Any]:
    if named.get("identity") is not None:
        return {"identity": _of_identity(named["identity"], table)}
    if named.get("sequence") is not None:
        row = int(named["sequence"])
        anchor = _of_sequence(row, table)
        name = table.objects.get(row)
        return {"sequence": anchor} if name is None else {"object": name}
    name = named.get("object")
    if name not in table.objects.values():
        raise AnswerError(404, "object", f"There is no object {name!r}.")
    return {"object": name}


def _row_of(target: dict[str, Any], table: SequenceTable, keyframes: list[dict[str, Any]]) -> int:
    """The sequence that a shape changes: of an object in several shots, the one it reaches."""
    if "object" in target:
        rows = [row for row, name in table.objects.items() if name == target["object"]]
        frame = int(keyframes[0]["frame"])
        return min(rows, key=lambda row: _distance(table.sequences[row], frame))
    place = target["sequence"]
    row = table.at_box(place["frame"], np.array(place["box"], np.float32))
    assert row is not None
    return row


def _distance(sequence: FaceSequence, frame: int) -> int:
    return max(sequence.first - frame, frame - sequence.last, 0)


def stretch(sequence: FaceSequence, keyframes: list[dict[str, Any]]) -> dict[str, Any]:
    """What moving a box changes: all up to the next box that was drawn or detected.

    Returns
    -------
    dict
        `keyframes` with those drawn before that are at its ends, and `first` and `last`.
    """
    frames = sorted(int(item["frame"]) for item in keyframes)
    drawn = sequence.frames[sequence.provenance == Provenance.MANUAL]
    placed = sequence.frames[np.isin(sequence.provenance, _PLACED)]
    before, after = _border(drawn, placed, frames[0], -1), _border(drawn, placed, frames[-1], 1)
    first = min(sequence.first, frames[0]) if before is None else before[0] + (not before[1])
    last = max(sequence.last, frames[-1]) if after is None else after[0] - (not after[1])
    ends = [border[0] for border in (before, after) if border is not None and border[1]]
    known = [{"frame": frame, "box": _plain(sequence.box_at(frame))} for frame in ends]
    return {"keyframes": [*known, *keyframes], "first": first, "last": last}


def _border(drawn: Ints, placed: Ints, frame: int, step: int) -> tuple[int, bool] | None:
    """The nearest box beyond a frame that stays as it is, and whether it was drawn.

    A box that was drawn wins over those that were detected in between: a person has seen both.
    """
    for frames, is_drawn in ((drawn, True), (placed, False)):
        beyond = frames[frames < frame] if step < 0 else frames[frames > frame]
        if len(beyond):
            return int(beyond[-1] if step < 0 else beyond[0]), is_drawn
    return None


def _of_identity(number: object, table: SequenceTable) -> dict[str, Any]:
    rows = table.of_identity(int(str(number)))
    if not len(rows):
        raise AnswerError(404, "identity", f"There is no person {number}.")
    return _of_sequence(int(rows[table.lengths[rows].argmax()]), table)


def _of_sequence(number: object, table: SequenceTable) -> dict[str, Any]:
    """A box that only this sequence has on its frame."""
    row = int(str(number))
    if not 0 <= row < len(table.sequences):
        raise AnswerError(404, "sequence", f"There is no sequence {number}.")
    sequence = table.sequences[row]
    best = best_picture(sequence)["frame"]
    spread = np.linspace(0, len(sequence) - 1, _TRIED).astype(int)
    for frame in [best, *sequence.frames[spread].tolist()]:
        box = sequence.box_at(frame)
        if box is not None and table.at_box(frame, box) == row:
            break
    return {"frame": frame, "box": _plain(box)}


def _plain(box: Floats | None) -> list[float]:
    assert box is not None
    return [float(value) for value in box]
