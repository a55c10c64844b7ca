"""corrections.json keeps every entry, reads back as written, and refuses what is not its format."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from faceveil.corrections.document import (
    Corrections,
    parse_change,
    parse_corrections,
    read_corrections,
    to_json,
    write_corrections,
)
from faceveil.corrections.entries import (
    BoxAt,
    Decide,
    Draw,
    Extent,
    Join,
    Looked,
    Move,
    Name,
    Reference,
    Remove,
    Shape,
    Split,
    Target,
    Track,
    Undo,
)
from faceveil.errors import InputError, OutputError
from faceveil.faces import Kind

EMPTY = Corrections(f"sha256:{'0' * 64}", "clip.mp4", 100)
PLACE = BoxAt(3, (10.0, 10.0, 50.0, 50.0))
OTHER = BoxAt(4, (60.0, 10.0, 90.0, 50.0))
TRACK = Track(np.array([2, 4], np.int32), np.array([[1, 2, 3, 4], [2, 3, 4, 5]], np.float32))
CHANGES = [
    Decide(Target(identity=PLACE), "keep"),
    Decide(Target(sequence=PLACE), "veil", 2, 9),
    Name(PLACE, "Jörg"),
    Join((PLACE, OTHER)),
    Move(PLACE, OTHER),
    Move(PLACE),
    Split(PLACE, 7),
    Draw("o1", Kind.PLATE, (PLACE,), TRACK, 1, 8),
    Shape(Target(object="o1"), (PLACE, OTHER), 2, 6, TRACK),
    Extent(Target(object="o1"), 0, 9),
    Remove(Target(sequence=PLACE)),
    Reference(PLACE, 3, (1.0, 2.0, 3.0, 4.0), (OTHER,)),
    Looked(0, 99),
]


def with_all():
    document = EMPTY
    for change in CHANGES:
        document = document.with_change(change, by="ann", why="a lamp")
    return document.with_change(Undo("e1"), by="bob")


def test_a_document_reads_back_as_it_was_written(tmp_path):
    document = with_all()
    write_corrections(document, tmp_path / "c.json")
    again = read_corrections(tmp_path / "c.json")
    assert to_json(again) == to_json(document)
    assert [entry.op for entry in again.entries] == [entry.op for entry in document.entries]
    drawn = again.entries[7].change
    assert drawn.kind is Kind.PLATE
    np.testing.assert_array_equal(drawn.tracked.boxes, TRACK.boxes)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: type(change).__name__)
def test_every_change_can_be_sent_as_plain_data(change):
    (entry,) = EMPTY.with_change(change, by="ann", why="a lamp").entries
    data = json.loads(to_json(Corrections("d", "n", 1, (entry,))))["entries"][0]
    fields = {name: value for name, value in data.items() if name not in ("id", "at", "by")}
    (again,) = EMPTY.with_change(parse_change(fields), by="ann", why="a lamp").entries
    assert (
        to_json(Corrections("d", "n", 1, (again,)))[-60:]
        == to_json(Corrections("d", "n", 1, (entry,)))[-60:]
    )


def test_entries_say_when_by_whom_and_why():
    moment = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
    (entry,) = EMPTY.with_change(CHANGES[0], by="ann", why="she agreed", at=moment).entries
    assert (entry.by, entry.why) == ("ann", "she agreed")
    assert entry.at == "2026-11-29T12:00:00.000+00:00"


def test_an_undone_entry_stays_in_the_document_and_does_not_hold():
    document = EMPTY.with_change(CHANGES[0], by="ann").with_change(CHANGES[2], by="ann")
    undone = document.with_change(Undo("e1"), by="ann")
    assert [entry.id for entry in undone.entries] == ["e1", "e2", "e3"]
    assert [entry.id for entry in undone.active] == ["e2"]


def test_a_veil_is_removed_only_with_a_reason():
    with pytest.raises(InputError, match="why"):
        EMPTY.with_change(Remove(Target(sequence=PLACE)), by="ann")


BROKEN = {
    "no JSON": (b"{", "is not JSON"),
    "another format": (b'{"format": "x"}', "is not a corrections file"),
    "a future version": ({"version": 2}, "version"),
    "an unknown op": ({"entries": [{"op": "burn"}]}, r"entries\[0\]"),
    "a field too many": (
        {"entries": [{"id": "e1", "at": "", "by": "", "op": "undo", "entry": "e0", "x": 1}]},
        "x",
    ),
    "an undo of nothing": (
        {"entries": [{"id": "e1", "at": "", "by": "", "op": "undo", "entry": "e7"}]},
        "no earlier entry",
    ),
    "an id twice": (
        {
            "entries": [
                {"id": "e1", "at": "", "by": "", "op": "looked", "first": 0, "last": 1},
                {"id": "e1", "at": "", "by": "", "op": "looked", "first": 0, "last": 1},
            ]
        },
        "two entries",
    ),
    "a box inside out": (
        {
            "entries": [
                {
                    "id": "e1",
                    "at": "",
                    "by": "",
                    "op": "draw",
                    "object": "o1",
                    "kind": "face",
                    "keyframes": [{"frame": 1, "box": [9, 9, 5, 12]}],
                }
            ]
        },
        "empty",
    ),
    "a range inside out": (
        {"entries": [{"id": "e1", "at": "", "by": "", "op": "looked", "first": 9, "last": 1}]},
        "before",
    ),
    "columns of two lengths": (
        {
            "entries": [
                {
                    "id": "e1",
                    "at": "",
                    "by": "",
                    "op": "draw",
                    "object": "o1",
                    "kind": "face",
                    "keyframes": [{"frame": 1, "box": [1, 1, 5, 12]}],
                    "tracked": {"frames": [2, 3], "boxes": [[1, 1, 5, 12]]},
                }
            ]
        },
        "tracked",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_not_the_format_is_refused_with_the_field(case):
    content, message = BROKEN[case]
    if isinstance(content, dict):
        content = json.dumps(json.loads(to_json(EMPTY)) | content).encode()
    with pytest.raises(InputError, match=message):
        parse_corrections(content, "c.json")


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path):
    with pytest.raises(InputError, match=r"missing\.json"):
        read_corrections(tmp_path / "missing.json")
    with pytest.raises(OutputError, match="nowhere"):
        write_corrections(EMPTY, tmp_path / "nowhere" / "c.json")
