"""The times of a file on one clock, where the file's own clock begins late or again.

A transport stream begins at any time, wraps around after 26.5 hours, and begins again where two
recordings were joined. As ffmpeg does, the whole file is moved to begin at zero, and after a
discontinuity all streams are moved by the same amount, so that they stay in step.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.stream import Disposition, Stream

_LONGEST_GAP = 10
"""Seconds: a longer gap in a transport stream is a discontinuity (ffmpeg's dts_delta_threshold)."""
_TENTHS = 10
_STEP_BACK_ELSEWHERE = 1
"""Seconds back in time that are a discontinuity where a format should have none; in a transport
stream a tenth of a second is one."""
_LATE_START = 10
"""Seconds: what begins later was cut out of a longer recording, whose time means nothing here."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is added to the times of a file's packets, by where in the file they lie.

    Attributes
    ----------
    positions
        Bytes from the start of the file at which each part begins, ascending; the first is 0.
    shifts
        Seconds that are added to all times of each part.
    """

    positions: tuple[int, ...] = (0,)
    shifts: tuple[Fraction, ...] = (Fraction(0),)

    def __bool__(self) -> bool:
        return any(self.shifts)

    def shift(self, packet: Packet[Any], position: int) -> None:
        """Move a packet, which lies at a byte `position`, onto the one clock."""
        seconds = self.shifts[bisect_right(self.positions, position) - 1]
        if seconds and packet.time_base:
            ticks = round(seconds / packet.time_base)
            if packet.pts is not None:
                packet.pts += ticks
            if packet.dts is not None:
                packet.dts += ticks


class TimelineBuilder:
    """Finds the discontinuities of a file from its packets, in the order of the file.

    Hours have a million packets, so times are whole ticks of one clock that suits all streams.
    """

    def __init__(self, container: InputContainer) -> None:
        self._is_broadcast = has_discontinuities(container)
        bases = {
            stream.index: Fraction(stream.time_base)
            for stream in container.streams
            if is_timed(stream) and stream.time_base
        }
        self._second = lcm(_TENTHS, *(base.denominator for base in bases.values()))
        self._ticks = {index: int(base * self._second) for index, base in bases.items()}
        self._positions = [0]
        self._shifts = [int(start_shift(container) * self._second)]
        self._expected: dict[int, int] = {}
        self._latest = 0

    def add(self, packet: Packet[Any], position: int) -> None:
        """The next packet of sound or pictures, which lies at a byte `position`."""
        index = packet.stream_index
        if packet.dts is None or index not in self._ticks:
            return
        tick = self._ticks[index]
        stamp = packet.dts * tick
        part = bisect_right(self._positions, position) - 1
        time = stamp + self._shifts[part]
        if self._jumps(time, index):
            if part < len(self._positions) - 1:
                # It was read after the packet that showed the discontinuity and lies before it.
                time = stamp + self._shifts[-1]
                if not self._jumps(time, index):
                    self._positions[-1] = position
            else:
                expected = self._expected.get(index, self._latest)
                self._positions.append(position)
                self._shifts.append(expected - stamp)
                time = expected
        self._expected[index] = self._latest = time + (packet.duration or 0) * tick

    def build(self) -> Timeline:
        """The timeline of the packets so far."""
        shifts = tuple(Fraction(shift, self._second) for shift in self._shifts)
        return Timeline(tuple(self._positions), shifts)

    def _jumps(self, time: int, stream: int) -> bool:
        expected, second = self._expected.get(stream), self._second
        if expected is None:  # streams need not begin together
            is_late = bool(self._expected) and abs(time - self._latest) > _LONGEST_GAP * second
            return self._is_broadcast and is_late
        if self._is_broadcast:
            is_early = time < expected - second // _TENTHS
            return time > expected + _LONGEST_GAP * second or is_early
        return time < expected - _STEP_BACK_ELSEWHERE * second


def has_discontinuities(container: InputContainer) -> bool:
    """Whether the format is one whose times may begin again, such as a transport stream."""
    mark: Any = Flags.ts_discont.value  # an int, whatever its stub says
    return bool(container.format.flags & mark)


def start_shift(container: InputContainer) -> Fraction:
    """What moves the first sound or picture to zero; 0 where a file begins near enough to it."""
    starts = [
        stream.start_time * Fraction(stream.time_base)
        for stream in container.streams
        if is_timed(stream) and stream.start_time is not None and stream.time_base
    ]
    start = min(starts, default=Fraction(0))
    is_arbitrary = has_discontinuities(container) or abs(start) > _LATE_START
    return -start if is_arbitrary else Fraction(0)


def is_timed(stream: Stream) -> bool:
    """Whether a stream is sound or moving pictures."""
    is_cover = bool(stream.disposition & Disposition.attached_pic)
    return stream.type in ("audio", "video") and not is_cover
