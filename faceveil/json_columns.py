"""Long columns of numbers in JSON, read piece by piece.

A parser makes an object of every number: those of hours of video would take gigabytes. Here the
parts of a document stay text until they are asked for, and of a column only some thousand numbers
are objects at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, TypeVar

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from faceveil.faces import Floats, Ints

Part = msgspec.Raw
"""A part of a JSON document as text that is known to be well-formed."""
Item = TypeVar("Item")

_PIECE = 1 << 18
"""Bytes of text that are objects at once."""
_SPACE = b" \t\r\n"
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_WHOLE_NUMBERS = msgspec.json.Decoder(list[int])
_NUMBERS = msgspec.json.Decoder(list[float])
_ROWS = msgspec.json.Decoder(list[list[float]])
_WORDS = msgspec.json.Decoder(list[str])


def fields_of(text: bytes | Part) -> dict[str, Part]:
    """Return the fields of an object. Raises ValueError where it is no object or no JSON."""
    return _FIELDS.decode(text)


def items_of(text: bytes | Part) -> list[Part]:
    """Return the items of an array. Raises ValueError where it is no array or no JSON."""
    return _ITEMS.decode(text)


def value_of(text: Part) -> object:
    """Return a short part as plain data. Raises ValueError where its text is not UTF-8."""
    return orjson.loads(memoryview(text))


def words_of(text: Part) -> list[str]:
    """Return an array of strings. Raises ValueError where it is anything else."""
    return _WORDS.decode(text)


def whole_numbers(text: Part) -> Ints:
    """Return an array of whole numbers as int32 [n].

    Raises
    ------
    ValueError
        Where it is no such array.
    OverflowError
        Where a number does not fit into 32 bits.
    """
    pieces = [np.array(part, np.int32) for part in _pieces(text, _WHOLE_NUMBERS, b",")]
    return _joined(pieces, np.zeros(0, np.int32))


def numbers(text: Part) -> Floats:
    """Return an array of numbers as float32 [n]. Raises ValueError where it is no such array."""
    pieces = [np.array(part, np.float32) for part in _pieces(text, _NUMBERS, b",")]
    return _joined(pieces, np.zeros(0, np.float32))


def number_rows(text: Part, width: int) -> Floats:
    """Return an array of arrays of numbers as float32 [n, width].

    Raises
    ------
    ValueError
        Where it is no such array, or an inner one has another length.
    """
    pieces = [_table(rows, width) for rows in _pieces(text, _ROWS, b"]")]
    return _joined(pieces, np.zeros((0, width), np.float32))


def _table(rows: list[list[float]], width: int) -> Floats:
    lengths = set(map(len, rows))
    if lengths - {width}:
        raise ValueError(f"of {width} each, found {(lengths - {width}).pop()}")
    flat = np.fromiter(chain.from_iterable(rows), np.float32, len(rows) * width)
    return flat.reshape(-1, width)


def _joined(pieces: list[NDArray[Any]], empty: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate(pieces) if pieces else empty


def _pieces(
    text: Part, decoder: msgspec.json.Decoder[list[Item]], end: bytes
) -> Iterator[list[Item]]:
    """Yield the items of an array, some thousand at a time; each ends with, or before, `end`."""
    view = memoryview(text)
    if len(view) <= _PIECE or view[0] != ord("["):
        yield decoder.decode(view)
        return
    start, stop = 1, len(view) - 1
    while start < stop:
        piece = bytes(view[start : min(start + _PIECE, stop)])
        if start + len(piece) < stop:
            piece = piece[: piece.rfind(end) + 1]
            if not piece:
                raise ValueError(f"an item is longer than {_PIECE} bytes")
        start += len(piece)
        items = piece.strip(_SPACE).removeprefix(b",").removesuffix(b",")
        if items:
            yield decoder.decode(b"[" + items + b"]")
