"""What an analysis found and decided, and its file, analysis.json (docs/design.md).

The file is for people and editors: every sequence with its boxes, provenance, identity, and which
way each decision went and why. It holds no features. Its JSON Schema is analysis.schema.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
import orjson
from msgspec import ValidationError
from numpy.typing import NDArray

from faceveil import __version__
from faceveil.decisions import Decision, Mode, Point, SelectionRecord
from faceveil.errors import InputError, UsageError
from faceveil.faces import DetectionLog, FaceSequence, Floats, Ints, Kind, Models, Provenance
from faceveil.files import replace_file
from faceveil.frame_range import FrameRange
from faceveil.json_columns import (
    Part,
    fields_of,
    items_of,
    number_rows,
    numbers,
    value_of,
    whole_numbers,
    words_of,
)
from faceveil.leftovers import Leftovers

Value = TypeVar("Value")

FORMAT = "faceveil-analysis"
VERSION = 1
_SELECTION_FIELDS = ("selection", "parameters")
_KINDS = {kind.word: kind for kind in Kind}
_PROVENANCES = {item.name.lower(): item.value for item in Provenance}


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Which frames an analysis belongs to. `rate` is frames per second as a fraction, or None."""

    name: str
    kind: str
    digest: str
    width: int
    height: int
    frame_count: int
    rate: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """Everything rendering needs besides the frames.

    identities int32 [n] and decisions [n] belong to sequences [n]; shot_starts int32 are the first
    frames of the shots; unknown_frames int32 are frames whose detections are missing: they are
    veiled whole where no sequence spans them ("fail closed"). `selection` is what the decisions
    follow; without one, everyone is to be veiled.
    """

    source: SourceInfo
    models: Models | None
    parameters: dict[str, Any]
    shot_starts: Ints
    unknown_frames: Ints
    sequences: Sequence[FaceSequence]
    identities: Ints
    decisions: Sequence[Decision]
    detections: DetectionLog
    selection: SelectionRecord = SelectionRecord()
    leftovers: Leftovers = field(default_factory=Leftovers.none)

    @property
    def veiled(self) -> NDArray[np.bool_]:
        """bool [n]: which sequences are veiled."""
        return np.array([decision.veil for decision in self.decisions], bool)

    def decided_again(self, decisions: Sequence[Decision]) -> Analysis:
        """The same faces with other decisions."""
        return replace(self, decisions=list(decisions))

    def check_source(self, digest: str) -> None:
        """Raise InputError when the frames at hand are not the ones that were analysed."""
        if digest != self.source.digest:
            raise InputError(
                f"the analysis is of another input ({self.source.name}, {self.source.digest[:19]}…"
                f", this one is {digest[:19]}…): analyse this input, or give the one it was made of"
            )


def write_analysis(analysis: Analysis, path: Path) -> None:
    """Write analysis.json. Raises OutputError when it cannot be written."""
    replace_file(path, to_json(analysis))


def to_json(analysis: Analysis) -> bytes:
    """The content of analysis.json: the same analysis gives the same bytes."""
    return orjson.dumps(to_document(analysis), option=orjson.OPT_SERIALIZE_NUMPY)


def to_document(analysis: Analysis) -> dict[str, Any]:
    """The analysis as plain data, ready for JSON."""
    names = np.array([item.name.lower() for item in Provenance])
    sequences = [
        {
            "id": index,
            "identity": int(identity),
            "kind": sequence.kind.word,
            "shot": sequence.shot,
            "decision": asdict(decision),
            "frames": sequence.frames,
            "boxes": sequence.boxes,
            "scores": np.round(sequence.scores.astype(np.float64), 4),
            "provenance": names[sequence.provenance].tolist(),
        }
        for index, (sequence, identity, decision) in enumerate(
            zip(analysis.sequences, analysis.identities, analysis.decisions, strict=True)
        )
    ]
    return {
        "format": FORMAT,
        "version": VERSION,
        "faceveil": __version__,
        "source": asdict(analysis.source),
        "models": analysis.models.to_dict() if analysis.models else None,
        "parameters": analysis.parameters,
        "selection": selection_to_dict(analysis.selection),
        "shot_starts": analysis.shot_starts,
        "unknown_frames": analysis.unknown_frames,
        "sequences": sequences,
        "detections": {
            "frames": analysis.detections.frames,
            "boxes": analysis.detections.boxes,
            "sequence": analysis.detections.sequence,
        },
        "leftovers": {
            "frames": analysis.leftovers.frames,
            "boxes": analysis.leftovers.boxes,
            "scores": np.round(analysis.leftovers.scores.astype(np.float64), 4),
        },
    }


def read_analysis(path: Path) -> Analysis:
    """Read analysis.json, edited or not.

    Raises InputError that names the field when it is not ours or was edited to nonsense.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return parse_analysis(content, str(path))


def parse_analysis(content: bytes, where: str) -> Analysis:
    """The analysis in the bytes of analysis.json; `where` they lie, for messages.

    Raises InputError as `read_analysis` does.
    """
    try:
        return _analysis(_object(content, "the document"))
    except _FieldError as error:
        raise InputError(f"{where}: {error}") from error


class _FieldError(ValueError):
    """A field of the document that cannot be used."""


def _analysis(document: dict[str, Part]) -> Analysis:
    if _plain(document, "format") != FORMAT:
        raise _FieldError(f'is not a faceveil analysis ("format" is not "{FORMAT}")')
    if (version := _plain(document, "version")) != VERSION:
        raise _FieldError(f"version {version!r} is not {VERSION}: analyse again")
    source = _source(_get(document, "source", dict))
    rows = [
        _sequence(_object(item, f"sequences[{index}]"), f"sequences[{index}]", source.frame_count)
        for index, item in enumerate(_column(document, "sequences", "sequences", items_of))
    ]
    models = _plain(document, "models")
    return Analysis(
        source=source,
        models=_models(_get(document, "models", dict)) if models is not None else None,
        parameters=_get(document, "parameters", dict),
        shot_starts=_ints(document, "shot_starts", "shot_starts"),
        unknown_frames=_ints(document, "unknown_frames", "unknown_frames"),
        sequences=[sequence for sequence, _, _ in rows],
        identities=np.array([identity for _, identity, _ in rows], np.int32),
        decisions=[decision for _, _, decision in rows],
        detections=_detections(_column(document, "detections", "detections", fields_of), len(rows)),
        selection=read_selection(
            {name: _plain(document, name) for name in _SELECTION_FIELDS if name in document}
        ),
        leftovers=_leftovers(document, source.frame_count),
    )


def selection_to_dict(selection: SelectionRecord) -> dict[str, Any]:
    """The record of a selection as plain data."""
    return {
        "mode": selection.mode,
        "people": list(selection.people),
        "points": [list(point) for point in selection.points],
        "identities": list(selection.identities),
        "accept": selection.accept,
        "uncertain": selection.uncertain,
        "times": [[item.first, item.end] for item in selection.times],
    }


def read_selection(document: dict[str, Any]) -> SelectionRecord:
    """The record of a selection in the plain data of an analysis.

    Documents of version 0.1 keep it among the parameters, those of a face search in other words.
    """
    data = _stored_selection(document)
    mode = data.get("mode", "all")
    if mode not in get_args(Mode):
        raise _FieldError(f"selection.mode must be one of {', '.join(get_args(Mode))}: {mode!r}")
    try:
        return SelectionRecord(
            mode=mode,
            people=tuple(str(name) for name in data.get("people", ())),
            points=tuple(Point(int(f), float(x), float(y)) for f, x, y in data.get("points", ())),
            identities=tuple(int(number) for number in data.get("identities", ())),
            accept=_cosine(data, "accept"),
            uncertain=_cosine(data, "uncertain"),
            times=tuple(FrameRange(int(a), int(b)) for a, b in data.get("times", ())),
        )
    except (TypeError, ValueError, UsageError) as error:
        raise _FieldError(f"selection cannot be used ({error})") from error


def _cosine(data: dict[str, Any], field: str) -> float | None:
    value = data.get(field)
    return None if value is None else float(value)


def _stored_selection(document: dict[str, Any]) -> dict[str, Any]:
    if "selection" in document:
        return _get(document, "selection", dict)
    parameters = document["parameters"]
    if isinstance(search := parameters.get("face_search"), dict):
        return {"mode": search.get("mode", "all"), "people": search.get("people", ())}
    selection = parameters.get("selection")
    return selection if isinstance(selection, dict) else {}


def _object(text: bytes | Part, where: str) -> dict[str, Part]:
    try:
        return fields_of(text)
    except ValidationError as error:
        raise _FieldError(f"{where} must be an object ({error})") from error
    except ValueError as error:
        raise _FieldError(f"is not JSON ({error})") from error


def _column(
    document: dict[str, Part], field: str, where: str, read: Callable[[Part], Value]
) -> Value:
    """A field that may be long, read by one of the functions for columns."""
    if field not in document:
        raise _FieldError(f"{where} is missing")
    try:
        return read(document[field])
    except OverflowError as error:
        raise _FieldError(f"{where} holds a number that is too large") from error
    except ValueError as error:
        raise _FieldError(f"{where} cannot be used ({error})") from error


def _plain(document: dict[str, Part], field: str) -> object:
    """A short field as plain data; None where it is missing."""
    return _column(document, field, field, value_of) if field in document else None


def _get(document: Mapping[str, Any], field: str, kind: type[Value], where: str = "") -> Value:
    value = document.get(field)
    if isinstance(value, Part):
        value = _plain(dict(document), field)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        name = f"{where}.{field}" if where else field
        raise _FieldError(f"{name} must be of type {kind.__name__}, found {value!r:.60}")
    return value


def _source(data: dict[str, Any]) -> SourceInfo:
    rate = data.get("rate")
    return SourceInfo(
        name=_get(data, "name", str, "source"),
        kind=_get(data, "kind", str, "source"),
        digest=_get(data, "digest", str, "source"),
        width=_get(data, "width", int, "source"),
        height=_get(data, "height", int, "source"),
        frame_count=_get(data, "frame_count", int, "source"),
        rate=None if rate is None else str(rate),
    )


def _models(data: dict[str, Any]) -> Models:
    try:
        return Models.from_dict(data)
    except (KeyError, TypeError, ValueError) as error:
        raise _FieldError(f"models: {error!r}") from error


def _sequence(
    item: dict[str, Part], where: str, frame_count: int
) -> tuple[FaceSequence, int, Decision]:
    frames = _ints(item, "frames", f"{where}.frames")
    if len(frames) == 0 or frames[0] < 0 or (np.diff(frames) <= 0).any():
        raise _FieldError(f"{where}.frames must be rising frame numbers from 0 on")
    if frames[-1] >= frame_count:
        raise _FieldError(f"{where}.frames: frame {frames[-1]} of a video of {frame_count} frames")
    sequence = FaceSequence(
        frames=frames,
        boxes=_boxes(item, f"{where}.boxes", len(frames)),
        scores=_scores(item, f"{where}.scores", len(frames)),
        provenance=_provenance(item, f"{where}.provenance", len(frames)),
        shot=_get(item, "shot", int, where),
        kind=_kind(item, where),
    )
    decision = _decision(_get(item, "decision", dict, where), f"{where}.decision")
    return sequence, _get(item, "identity", int, where), decision


def _decision(data: dict[str, Any], where: str) -> Decision:
    similarity, person, by = data.get("similarity"), data.get("person"), data.get("by")
    if similarity is not None and not isinstance(similarity, int | float):
        raise _FieldError(f"{where}.similarity must be a number or null")
    if person is not None and not isinstance(person, str):
        raise _FieldError(f"{where}.person must be a name or null")
    if by is not None and not isinstance(by, str):
        raise _FieldError(f"{where}.by must be a name or null")
    return Decision(
        veil=_get(data, "veil", bool, where),
        reason=_get(data, "reason", str, where),
        person=person,
        similarity=None if similarity is None else float(similarity),
        uncertain=_get(data, "uncertain", bool, where),
        by=by,
    )


def _kind(item: dict[str, Part], where: str) -> Kind:
    """Older files name no kind: they hold faces alone."""
    if "kind" not in item:
        return Kind.FACE
    word = _get(item, "kind", str, where)
    if word not in _KINDS:
        raise _FieldError(f"{where}.kind must be one of {', '.join(_KINDS)}; found {word!r:.60}")
    return _KINDS[word]


def _provenance(item: dict[str, Part], where: str, count: int) -> NDArray[np.uint8]:
    words = _column(item, "provenance", where, words_of)
    try:
        codes = np.fromiter(map(_PROVENANCES.__getitem__, words), np.uint8, len(words))
    except KeyError as error:
        known = ", ".join(_PROVENANCES)
        raise _FieldError(f"{where} must hold {known}; found {error.args[0]!r:.60}") from error
    if len(codes) != count:
        raise _FieldError(f"{where} must hold {count} words, found {len(codes)}")
    return codes


def _detections(data: dict[str, Part], sequence_count: int) -> DetectionLog:
    frames = _ints(data, "frames", "detections.frames")
    sequence = _ints(data, "sequence", "detections.sequence")
    if len(sequence) != len(frames):
        raise _FieldError("detections.sequence must be as long as detections.frames")
    if ((sequence < -1) | (sequence >= sequence_count)).any():
        raise _FieldError("detections.sequence names a sequence that does not exist")
    return DetectionLog(frames, _boxes(data, "detections.boxes", len(frames)), sequence)


def _leftovers(document: dict[str, Part], frame_count: int) -> Leftovers:
    """Older files name none."""
    if "leftovers" not in document:
        return Leftovers.none()
    data = _column(document, "leftovers", "leftovers", fields_of)
    frames = _ints(data, "frames", "leftovers.frames")
    if (np.diff(frames, prepend=0, append=frame_count - 1) < 0).any():
        raise _FieldError(f"leftovers.frames must rise, from 0 to {frame_count - 1} at most")
    boxes = _boxes(data, "leftovers.boxes", len(frames))
    return Leftovers(frames, boxes, _scores(data, "leftovers.scores", len(frames)))


def _ints(document: dict[str, Part], field: str, where: str) -> Ints:
    return _column(document, field, where, whole_numbers)


def _scores(item: dict[str, Part], where: str, count: int) -> Floats:
    scores = _column(item, "scores", where, numbers)
    if len(scores) != count or not np.isfinite(scores).all():
        raise _FieldError(f"{where} must be {count} finite numbers, found {len(scores)}")
    return scores


def _boxes(document: dict[str, Part], where: str, count: int) -> Floats:
    boxes = _column(document, "boxes", where, partial(number_rows, width=4))
    if len(boxes) != count or not np.isfinite(boxes).all():
        raise _FieldError(f"{where} must be {count} boxes of finite numbers, found {len(boxes)}")
    wrong = np.flatnonzero((boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1]))
    if len(wrong):
        raise _FieldError(f"{where}[{wrong[0]}] is empty: a box is x1, y1, x2, y2 with x1 < x2")
    return boxes
