"""Long columns of JSON: read in pieces as if whole, and never a tree of objects."""

import tracemalloc
from dataclasses import replace

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil import json_columns
from faceveil.analysis import parse_analysis, to_json
from faceveil.json_columns import fields_of, number_rows, numbers, whole_numbers
from tests.test_analysis import make_analysis

NUMBERS = st.floats(-1e6, 1e6, width=32)
SPACES = st.text(" \n\t", max_size=3)


def part(text):
    return fields_of(b'{"x":' + text + b"}")["x"]


def spaced(value, space):
    """JSON with space wherever it may be, as an editor leaves it."""
    text = orjson.dumps(value).decode()
    for mark in "[],":
        text = text.replace(mark, f"{space}{mark}{space}")
    return text.encode()


@pytest.fixture(params=[40, 64, 1 << 18])
def piece(request, monkeypatch):
    monkeypatch.setattr(json_columns, "_PIECE", request.param)


@given(st.lists(st.tuples(NUMBERS, NUMBERS)), SPACES)
def test_rows_are_read_in_pieces_as_whole(rows, space):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_columns, "_PIECE", 100)
        read = number_rows(part(spaced(rows, space)), 2)
    np.testing.assert_array_equal(read, np.array(rows, np.float32).reshape(-1, 2))


@given(st.lists(st.integers(-(2**31), 2**31 - 1)), st.lists(NUMBERS), SPACES)
def test_flat_columns_are_read_in_pieces_as_whole(whole, broken, space):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_columns, "_PIECE", 60)
        assert whole_numbers(part(spaced(whole, space))).tolist() == whole
        np.testing.assert_array_equal(
            numbers(part(spaced(broken, space))), np.array(broken, np.float32)
        )


LONG = [[1.0, 2.0]] * 30


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize(
    "rows",
    [
        [*LONG, [1.0]],
        [*LONG, [1.0, 2.0, 3.0], *LONG],
        [*LONG, [1.0, None]],
        [*LONG, [1.0, "2"]],
        [*LONG, [1.0, [2.0]]],
        [*LONG, [1.0, True]],
        [*LONG, 3.0],
        "[[1, 2]]" * 40,
        {"a": LONG},
    ],
)
def test_what_is_no_table_of_numbers_is_refused_wherever_it_is_wrong(rows):
    with pytest.raises(ValueError, match=r"."):
        number_rows(part(orjson.dumps(rows)), 2)


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("wrong", [[1.5], ["1"], [None], [True], [[1]], {}, "1,2"])
def test_what_is_no_list_of_whole_numbers_is_refused(wrong):
    values = [*range(40), *wrong] if isinstance(wrong, list) else wrong
    with pytest.raises(ValueError, match=r"."):
        whole_numbers(part(orjson.dumps(values)))


def test_reading_an_analysis_takes_little_more_memory_than_its_columns():
    """A tree of objects would take ten times as much: gigabytes, for hours of video."""
    short = make_analysis()
    frames = np.arange(60_000, dtype=np.int32)
    boxes = np.tile(np.array([10.25, 20.5, 40.125, 80.0625], np.float32), (len(frames), 1))
    sequence = replace(
        short.sequences[0],
        frames=frames,
        boxes=boxes,
        scores=np.ones(len(frames), np.float32),
        provenance=np.zeros(len(frames), np.uint8),
    )
    analysis = replace(
        short,
        source=replace(short.source, frame_count=len(frames)),
        sequences=[sequence],
        detections=replace(
            short.detections, frames=frames, boxes=boxes, sequence=np.zeros_like(frames)
        ),
    )
    content = to_json(analysis)
    tracemalloc.start()
    read = parse_analysis(content, "a.json")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    columns = 49 * len(frames)
    assert len(read.detections) == len(frames)
    assert peak < 4 * columns, f"{peak / columns:.1f} times the columns"
