"""What a key frame of H.264 or H.265 says about its size, without decoding it.

Both repeat the size in sequence parameter sets (SPS), which lie in the header of the file or before
the pictures that use them. Where those bytes are the same, the size is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

_START = re.compile(rb"\x00\x00\x01")
_SLICE_HEAD = 16
"""Bytes of a slice, at its start, that hold which parameter sets it uses."""
_LARGEST = 1 << 16
"""Bytes of a packet in which its first slice begins, unless something else is unusual, too."""


class ParameterSets:
    """Tells pictures of one video apart by the parameter sets that they use.

    Parameters
    ----------
    codec
        As FFmpeg names it.
    header
        What the file says before its first packet (FFmpeg's extradata).
    """

    def __init__(self, codec: str, header: bytes | None) -> None:
        self._is_hevc = codec == "hevc"
        self._is_known = codec in ("h264", "hevc")
        self._length_size = 0
        if header and header[0] == 1:  # avcC and hvcC; others begin with a start code
            place = 21 if self._is_hevc else 4
            self._length_size = (header[place] & 3) + 1 if len(header) > place else 0

    def of(self, packet: bytes) -> bytes | None:
        """Return the sets that lie before a picture and the number of those that it uses.

        Pictures of which this is the same have one size. None where it cannot be told.
        """
        if not self._is_known:
            return None
        sets: list[bytes] = []
        for unit in self._units(packet[:_LARGEST]):
            if self._is_slice(unit):
                return b"|".join([*sets, str(self._used(unit)).encode()])
            if self._is_parameter_set(unit):
                sets.append(unit)
        return None

    def _units(self, data: bytes) -> Iterator[bytes]:
        if not self._length_size:
            starts = [match.end() for match in _START.finditer(data)]
            for start, end in pairwise([*starts, len(data) + 3]):
                yield data[start : end - 3]
            return
        at = 0
        while at + self._length_size < len(data):
            start = at + self._length_size
            at = start + int.from_bytes(data[at:start], "big")
            yield data[start:at]

    def _is_slice(self, unit: bytes) -> bool:
        kind = self._kind(unit)
        return kind < 32 if self._is_hevc else 1 <= kind <= 5

    def _is_parameter_set(self, unit: bytes) -> bool:
        return self._kind(unit) in ((32, 33, 34) if self._is_hevc else (7, 8, 15))

    def _used(self, unit: bytes) -> int:
        """The number of the picture parameter set (PPS) in the header of a slice."""
        bits = _Bits(unit[1 + self._is_hevc : _SLICE_HEAD])
        if self._is_hevc:
            bits.skip(2 if 16 <= self._kind(unit) <= 23 else 1)
        else:
            bits.exp_golomb()  # the first macroblock
            bits.exp_golomb()  # the type of the slice
        return bits.exp_golomb()

    def _kind(self, unit: bytes) -> int:
        if not unit:
            return 255
        return unit[0] >> 1 & 63 if self._is_hevc else unit[0] & 31


class _Bits:
    """Bits of a header, read from the left; behind the end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._text = "".join(f"{byte:08b}" for byte in data)
        self._at = 0

    def skip(self, count: int) -> None:
        self._at += count

    def exp_golomb(self) -> int:
        """ue(v) of H.264 and H.265: as many zeros as bits follow the first one."""
        one = self._text.find("1", self._at)
        if one < 0:
            return -1
        end = one + (one - self._at) + 1
        value = int(self._text[one:end], 2) - 1
        self._at = end
        return value
