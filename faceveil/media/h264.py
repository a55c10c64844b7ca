"""The parts of an H.264 stream that tell whether its packets can be copied (ITU-T H.264, clause 7).

Only what an avcC header brings (ISO/IEC 14496-15) is read: packets whose NAL units are preceded by
their lengths, as MP4, MOV and Matroska store them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from faceveil.media.contents import holds_picture

_SLICE, _IDR, _SEI, _SPS, _PPS, _DELIMITER, _FILLER = 1, 5, 6, 7, 8, 9, 12
_DROPPED_SEI = (0, 1, 5, 6)
"""Buffering period, picture timing, unregistered user data, recovery point: a decoder that is given
whole pictures needs none of them, and user data may hide anything. Others may be meant to be kept,
such as closed captions."""
_BASELINE, _MAIN, _HIGH = 66, 77, 100
_CONSTRAINED = 0x40
"""The constraint flag of a Baseline stream that every decoder of Main and High decodes."""
_MACROBLOCK = 16
_START_CODE = b"\0\0\1"


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """The parameter sets of a stream, and how many bytes the lengths in its packets have."""

    sequence: tuple[bytes, ...]
    picture: tuple[bytes, ...]
    length_size: int = 4

    @classmethod
    def from_header(cls, header: bytes) -> ParameterSets | None:
        """Those of an avcC header; None for anything else."""
        if len(header) < 7 or header[0] != 1:
            return None
        sets: list[list[bytes]] = []
        at = 5
        for mask in (0x1F, 0xFF):
            if at >= len(header):
                return None
            count, at = header[at] & mask, at + 1
            found = []
            for _ in range(count):
                size = int.from_bytes(header[at : at + 2], "big")
                found.append(header[at + 2 : at + 2 + size])
                at += 2 + size
            sets.append(found)
        if at > len(header):
            return None
        return cls(tuple(sets[0]), tuple(sets[1]), (header[4] & 3) + 1)

    @classmethod
    def from_stream(cls, header: bytes) -> ParameterSets:
        """Those of an encoder, which separates NAL units by start codes."""
        units = list(units_of_stream(header))
        return cls(
            tuple(unit for unit in units if unit[0] & 31 == _SPS),
            tuple(unit for unit in units if unit[0] & 31 == _PPS),
        )

    def joined(self, other: ParameterSets) -> bytes:
        """An avcC header of both, for packets with lengths of four bytes."""
        sequence, picture = self.sequence + other.sequence, self.picture + other.picture
        profile = max(unit[1] for unit in sequence)
        level = max(unit[3] for unit in sequence)
        header = bytearray((1, profile, 0, level, 0xFF))
        header += bytes([0xE0 | len(sequence)]) + b"".join(map(_sized, sequence))
        header += bytes([len(picture)]) + b"".join(map(_sized, picture))
        if profile == _HIGH:
            header += bytes((0xFD, 0xF8, 0xF8, 0))  # 4:2:0, 8 bits, 8 bits, no extensions
        return bytes(header)

    def free_id(self) -> int | None:
        """A number that neither a sequence nor a picture parameter set has; None for odd ones."""
        taken = {_Bits(unit[4:]).unsigned() for unit in self.sequence}
        taken |= {_Bits(unit[1:]).unsigned() for unit in self.picture}
        return next((number for number in range(1, 32) if number not in taken), None)

    def is_plain(self, width: int, height: int) -> bool:
        """Whether all pictures are progressive, 4:2:0 of 8 bits, of this size, without parts that
        are cut off (but for what fills the last macroblocks) or stored twice."""
        return (
            len(self.sequence) == 1
            and len(self.sequence[0]) > 4
            and 0 < len(self.picture) < 255
            and _is_plain_sequence(self.sequence[0], width, height)
            and not any(map(_is_redundant, self.picture))
        )


def _sized(unit: bytes) -> bytes:
    return len(unit).to_bytes(2, "big") + unit


def units_of_stream(data: bytes) -> Iterator[bytes]:
    """The NAL units that lie between start codes."""
    at = data.find(_START_CODE)
    while at >= 0:
        end = data.find(_START_CODE, at + 3)
        unit = data[at + 3 : end if end >= 0 else None].rstrip(b"\0")
        if unit:
            yield unit
        at = end


def with_lengths(data: bytes) -> bytes:
    """A packet of an encoder in the form of MP4: lengths of four bytes in place of start codes."""
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units_of_stream(data))


def starts_anew(data: bytes, sets: ParameterSets) -> bool:
    """Whether no picture from this packet on is predicted from one before it (IDR)."""
    return any(unit and unit[0] & 31 == _IDR for unit in _units(data, sets.length_size))


def plain_picture(data: bytes, sets: ParameterSets) -> bytes | None:
    """The slices of a packet alone, with lengths of four bytes.

    None where that would not be all of one picture or nothing but it: for a second picture, slices
    that lie over each other, layers and auxiliary pictures, other parameter sets, messages that are
    to be kept, and what looks like the start of a picture file.
    """
    slices: list[bytes] = []
    last = -1
    for unit in _units(data, sets.length_size):
        kind = unit[0] & 31 if unit else None
        if kind in (_SLICE, _IDR):
            first = _Bits(unit[1:12]).unsigned()
            if first <= last or (not slices and first):
                return None
            last = first
            slices.append(unit)
        elif kind == _SEI:
            if not set(_message_kinds(unit)) <= set(_DROPPED_SEI):
                return None
        elif kind in (_SPS, _PPS):
            if unit not in sets.sequence + sets.picture:
                return None
        elif kind not in (_DELIMITER, _FILLER):
            return None
    kept = b"".join(len(unit).to_bytes(4, "big") + unit for unit in slices)
    return kept if kept and not holds_picture(kept) else None


def _units(data: bytes, length_size: int) -> Iterator[bytes]:
    """The NAL units of a packet; an empty one at the end where the lengths do not fit it."""
    at = 0
    while at + length_size <= len(data):
        size = int.from_bytes(data[at : at + length_size], "big")
        at += length_size
        yield data[at : at + size]
        at += size
    if at != len(data):
        yield b""


def _message_kinds(unit: bytes) -> Iterator[int]:
    """The types of the messages in an SEI unit; -1 where they do not fit it."""
    payload = unit[1:].replace(b"\0\0\3", b"\0\0")
    at = 0
    while at < len(payload) and payload[at:] != b"\x80":
        fields = []
        for _ in range(2):
            value = 0
            while at < len(payload) and payload[at] == 255:
                value, at = value + 255, at + 1
            if at >= len(payload):
                yield -1
                return
            fields.append(value + payload[at])
            at += 1
        yield fields[0]
        at += fields[1]


def _is_plain_sequence(unit: bytes, width: int, height: int) -> bool:
    """Clause 7.3.2.1.1, up to the rectangle that is cut out."""
    profile, constraints = unit[1], unit[2]
    is_known = profile in (_MAIN, _HIGH) or (profile == _BASELINE and constraints & _CONSTRAINED)
    bits = _Bits(unit[4:])
    bits.unsigned()  # its number
    # High tells its chroma, its depths and more: 4:2:0, twice 8 bits, neither lossless nor scaled.
    is_usual = profile != _HIGH or (
        (bits.unsigned(), bits.unsigned(), bits.unsigned(), bits.take(2)) == (1, 0, 0, 0)
    )
    bits.unsigned()  # log2_max_frame_num
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    bits.unsigned()  # max_num_ref_frames
    has_gaps = bits.take(1)  # pictures that a decoder makes up
    across, down = bits.unsigned() + 1, bits.unsigned() + 1
    has_fields = not bits.take(1)
    bits.take(1)
    crop = [2 * bits.unsigned() for _ in range(4)] if bits.take(1) else [0, 0, 0, 0]
    left, right, top, bottom = crop
    is_whole = left == top == 0 and max(right, bottom) < _MACROBLOCK
    size = (across * _MACROBLOCK - right, down * _MACROBLOCK - bottom)
    is_plain = is_known and is_usual and order in (0, 2) and not (has_gaps or has_fields)
    return bool(is_plain and is_whole and size == (width, height))


def _is_redundant(unit: bytes) -> bool:
    """Clause 7.3.2.2: whether slices may be stored twice, or be in any order (slice groups)."""
    bits = _Bits(unit[1:])
    bits.unsigned()
    bits.unsigned()
    bits.take(2)
    if bits.unsigned():  # slice groups
        return True
    bits.unsigned()
    bits.unsigned()
    bits.take(3)
    for _ in range(3):
        bits.unsigned()  # signed values are read in the same way
    bits.take(2)
    return bool(bits.take(1))


class _Bits:
    """Bits of a NAL unit, without the bytes that keep start codes out of it."""

    def __init__(self, data: bytes) -> None:
        payload = data.replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(payload, "big")
        self._left = 8 * len(payload)

    def take(self, count: int) -> int:
        """The next bits as a number; zeros behind the end."""
        self._left -= count
        if self._left < 0:
            return 0
        return (self._value >> self._left) & ((1 << count) - 1)

    def unsigned(self) -> int:
        """An Exp-Golomb number (clause 9.1)."""
        zeros = 0
        while self._left > 0 and not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)
