"""corrections.json: what a person changed after looking, in the order in which it was changed.

The document only grows: an undone entry stays, and an entry that undoes it follows. It can so be
read as an audit trail, and applied again to a new analysis of the same input (`apply`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from faceveil.analysis import SourceInfo
from faceveil.corrections.entries import (
    OPS,
    BoxAt,
    Change,
    Entry,
    Looked,
    Redo,
    Target,
    Track,
    Undo,
)
from faceveil.errors import InputError
from faceveil.faces import Kind
from faceveil.files import replace_file
from faceveil.frame_range import LAST_FRAME
from faceveil.schemas import load_schema

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

FORMAT = "faceveil-corrections"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Corrections:
    """All corrections of one input.

    Attributes
    ----------
    digest, name : str
        Of the input: corrections of another are refused.
    frame_count : int
    entries : tuple of Entry
    """

    digest: str
    name: str
    frame_count: int
    entries: tuple[Entry, ...] = ()

    @classmethod
    def of(cls, source: SourceInfo) -> Corrections:
        """Return a document without entries for an input."""
        return cls(source.digest, source.name, source.frame_count)

    def check_input(self, digest: str, name: str, frame_count: int) -> None:
        """Check that these are corrections of an input.

        Parameters
        ----------
        digest, name : str
            Of the input.
        frame_count : int
            How many frames it has.

        Raises
        ------
        InputError
            Where they are of another input.
        """
        if self.digest != digest:
            raise InputError(
                f"the corrections are of another input ({self.name}, {self.digest[:19]}…), not of "
                f"{name}, {digest[:19]}…: give the corrections made of this one"
            )
        if self.frame_count != frame_count:
            raise InputError(
                f"the corrections are of {self.frame_count} frames, but {name} has {frame_count}: "
                "give the corrections made of this input"
            )

    @property
    def active(self) -> tuple[Entry, ...]:
        """The entries that hold: neither undone nor about undoing."""
        undone: set[str] = set()
        for entry in self.entries:
            if isinstance(entry.change, Undo):
                undone.add(entry.change.entry)
            elif isinstance(entry.change, Redo):
                undone.discard(entry.change.entry)
        return tuple(
            entry
            for entry in self.entries
            if entry.id not in undone and not isinstance(entry.change, Undo | Redo)
        )

    def with_change(
        self, change: Change, *, by: str, why: str | None = None, at: datetime | None = None
    ) -> Corrections:
        """Return the document with one more entry, which gets the next free id.

        Raises
        ------
        InputError
            Where the entry would not follow the format.
        """
        moment = (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds")
        taken = {entry.id for entry in self.entries}
        number = len(self.entries) + 1
        while f"e{number}" in taken:
            number += 1
        grown = replace(self, entries=(*self.entries, Entry(f"e{number}", moment, by, change, why)))
        _check(to_document(replace(grown, entries=grown.entries[-1:])), "the correction")
        return grown


def to_document(corrections: Corrections) -> dict[str, Any]:
    """Return the corrections as plain data."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "source": {
            "digest": corrections.digest,
            "name": corrections.name,
            "frame_count": corrections.frame_count,
        },
        "entries": [entry_to_dict(entry) for entry in corrections.entries],
    }


def entry_to_dict(entry: Entry) -> dict[str, Any]:
    """Return an entry as plain data: of the file, and of the report."""
    data = {"id": entry.id, "at": entry.at, "by": entry.by, "op": entry.op}
    if entry.why is not None:
        data["why"] = entry.why
    changed = _plain(entry.change)
    assert isinstance(changed, dict)
    return data | changed


def summary(corrections: Corrections, unresolved: Sequence[str] = ()) -> dict[str, Any]:
    """Return the corrections that hold as plain data for the report, with the document's digest.

    `unresolved` tells which of them could not be applied, and why.

    What was only looked at, and the boxes that following made, are left out.
    """
    changes = [item for item in corrections.active if not isinstance(item.change, Looked)]
    rows = [entry_to_dict(item) for item in changes]
    for row in rows:
        row.pop("tracked", None)
    digest = hashlib.sha256(to_json(corrections)).hexdigest()
    return {"digest": f"sha256:{digest}", "entries": rows, "unresolved": list(unresolved)}


def to_json(corrections: Corrections) -> bytes:
    """Return the content of corrections.json."""
    return orjson.dumps(to_document(corrections), option=orjson.OPT_SERIALIZE_NUMPY)


def write_corrections(corrections: Corrections, path: Path) -> None:
    """Write corrections.json, whole or not at all.

    Raises
    ------
    OutputError
        Where it cannot be written.
    """
    replace_file(path, to_json(corrections))


def read_corrections(path: Path) -> Corrections:
    """Read corrections.json.

    Raises
    ------
    InputError
        Where it cannot be read or does not follow the format; the message names the field.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return parse_corrections(content, str(path))


def parse_corrections(content: bytes, where: str) -> Corrections:
    """Return the corrections in the bytes of a file; `where` they lie, for messages.

    Raises
    ------
    InputError
        As `read_corrections`.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{where}: is not JSON ({error})") from error
    _check(document, where)
    source = document["source"]
    for number, data in enumerate(document["entries"]):
        _check_values(data, f"{where}: entries[{number}]")
    entries = tuple(map(_entry, document["entries"]))
    ids = [entry.id for entry in entries]
    for number, entry in enumerate(entries):
        if entry.id in ids[:number]:
            raise InputError(f"{where}: two entries have the id {entry.id!r}")
        if isinstance(entry.change, Undo | Redo) and entry.change.entry not in ids[:number]:
            raise InputError(f"{where}: {entry.id} names {entry.change.entry!r}, no earlier entry")
    return Corrections(source["digest"], source["name"], source["frame_count"], entries)


def parse_change(data: Mapping[str, Any]) -> Change:
    """Return the change in the plain data of an entry, `op` and its fields.

    Raises
    ------
    InputError
        Where it does not follow the format.
    """
    entry = {"id": "e1", "at": "", "by": "", "why": "the reason is the entry's", **data}
    source = {"digest": "", "name": "", "frame_count": 0}
    _check(
        {"format": FORMAT, "version": VERSION, "source": source, "entries": [entry]},
        "the correction",
    )
    _check_values(entry, "the correction")
    return _entry(entry).change


def prepare_checks() -> None:
    """Import what checks entries, so that the first correction need not wait for it."""
    _validator()


@lru_cache(maxsize=1)
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(load_schema("corrections"))


def _check(document: object, where: str) -> None:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f'{where}: is not a corrections file ("format" is not "{FORMAT}")')
    from jsonschema.exceptions import best_match

    plain = orjson.loads(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY))
    error = best_match(_validator().iter_errors(plain))
    if error is not None:
        field = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)
        raise InputError(f"{where}: {field.removeprefix('.') or 'document'}: {error.message:.300}")


def _check_values(data: dict[str, Any], where: str) -> None:
    """What the schema cannot say: boxes with an inside, ranges in order, columns of one length."""
    if data.get("first", 0) > data.get("last", LAST_FRAME):
        raise InputError(f"{where}: last is before first")
    track = data.get("tracked", {"frames": [], "boxes": []})
    if len(track["frames"]) != len(track["boxes"]):
        raise InputError(f"{where}: tracked has not as many boxes as frames")
    if any(b <= a for a, b in pairwise(track["frames"])):
        raise InputError(f"{where}: the frames of tracked do not rise")
    for box in (*track["boxes"], *(item["box"] for item in data.get("keyframes", ()))):
        x1, y1, x2, y2 = box
        if not (x1 < x2 and y1 < y2):
            raise InputError(f"{where}: the box {box} is empty: it is x1, y1, x2, y2 with x1 < x2")


def _plain(value: object) -> object:
    """Dataclasses as dictionaries without what is None, tuples as lists."""
    if isinstance(value, Kind):
        return value.word
    if is_dataclass(value):
        pairs = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: _plain(item) for name, item in pairs.items() if item is not None}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _entry(data: dict[str, Any]) -> Entry:
    kind = OPS[data["op"]]
    values = {field.name: data[field.name] for field in fields(kind) if field.name in data}
    change = kind(
        **{
            name: _READERS[name](value) if name in _READERS else value
            for name, value in values.items()
        }
    )
    return Entry(data["id"], data["at"], data["by"], change, data.get("why"))


def _box_at(data: dict[str, Any] | None) -> BoxAt | None:
    return None if data is None else BoxAt(data["frame"], _box(data["box"]))


def _box(data: Sequence[float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = map(float, data)
    return x1, y1, x2, y2


def _boxes_at(data: Sequence[dict[str, Any]]) -> tuple[BoxAt | None, ...]:
    return tuple(map(_box_at, data))


def _target(data: dict[str, Any]) -> Target:
    return Target(_box_at(data.get("identity")), _box_at(data.get("sequence")), data.get("object"))


def _track(data: dict[str, Any]) -> Track:
    return Track(
        np.array(data["frames"], np.int32), np.array(data["boxes"], np.float32).reshape(-1, 4)
    )


_READERS: dict[str, Any] = {
    "target": _target,
    "identity": _box_at,
    "identities": _boxes_at,
    "sequence": _box_at,
    "keyframes": _boxes_at,
    "matched": _boxes_at,
    "box": _box,
    "tracked": _track,
    "kind": lambda word: Kind[word.upper()],
}
