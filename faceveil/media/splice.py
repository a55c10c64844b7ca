"""Groups of pictures that nothing changes, taken over from the source without encoding them anew.

A copied group stands between groups of the encoder in one track. That is done where it can be shown
to be safe, and nowhere else: H.264, progressive, 4:2:0 of 8 bits, whose groups begin with an IDR
picture and are shown one after the other, each packet being one shown picture and nothing else.
The encoder's parameter sets get a number that the source's do not have, so that one header holds
both, and a decoder changes between them where a group begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.codec.context import CodecContext, Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from numpy.typing import NDArray

from faceveil.errors import InputError, OutputError
from faceveil.media.decoded_frame import DecodedFrame
from faceveil.media.demux import open_input, packets
from faceveil.media.h264 import ParameterSets, plain_picture, starts_anew, with_lengths
from faceveil.media.video import VideoSource, automatic_threads

if TYPE_CHECKING:
    from faceveil.media.writer import WritingPlan

_SHORTEST = 12
"""Shorter groups are encoded: a source of key frames, as cameras and editors store it, would take
several times the room, and an encoder that is opened for each gap costs as much as it saves."""
_REORDERED = 2
"""Pictures by which x264 decodes a picture ahead of its time, at most."""
_MATROSKA_TICK = Fraction(1, 1000)
_WITHOUT_MEANING = {"DISPLAYMATRIX", "SEI_UNREGISTERED"}


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """The frames of a video that are copied.

    Attributes
    ----------
    copied : ndarray of bool [n]
        Which frames; in whole groups.
    times : ndarray of int64 [n]
        When each frame is shown, in the time base of the source.
    reordering : int
        Pictures by which one is decoded ahead of its time, at most.
    sets : ParameterSets
        Of the source.
    """

    copied: NDArray[np.bool_]
    times: NDArray[np.int64]
    reordering: int
    sets: ParameterSets


def copied_groups(plan: WritingPlan, changed: NDArray[np.bool_]) -> Groups | None:
    """Which groups of pictures can be copied; None where none can.

    The packets of the source are read once, and not decoded.

    Parameters
    ----------
    plan
        How the video would be encoded.
    changed
        Bool [n]: which of all frames are veiled.
    """
    source = plan.source
    if source is None or not _may_copy(plan, source) or changed.all():
        return None
    with source.opened() as (container, stream):
        context = stream.codec_context
        sets = ParameterSets.from_header(context.extradata or b"")
        if (
            context.name != "h264"
            or sets is None
            or not sets.is_plain(context.width, context.height)
            or sets.free_id() is None
            or str(stream.codec_tag) not in ("avc1", "\0\0\0\0")
        ):
            return None
        found = _read(packets(container, (stream,), lambda _: None), sets, changed)
    if found is None or (np.diff(found.times) * source.time_base < _tick(plan)).any():
        return None
    return found if found.copied.any() else None


def _may_copy(plan: WritingPlan, source: VideoSource) -> bool:
    """Whether nothing but veils would change: no size, depth, colour, field, clock or quality."""
    layout = source.layout
    return (
        plan.options.unveiled == "copy"
        and plan.options.codec is None
        and plan.encoder.name == "libx264"
        and plan.encoder.pixel_format == layout.pixel_format == layout.source_format == "yuv420p"
        and plan.container.muxer in ("mp4", "mov", "matroska")
        and not (source.field_order or source.problems or source.timeline)
        and len(source.sizes) <= 1
        and set(source.side_data) <= _WITHOUT_MEANING
    )


def _tick(plan: WritingPlan) -> Fraction:
    return plan.time_base if plan.container.is_mp4 else _MATROSKA_TICK


def _read(
    found: Iterator[Packet[Any]], sets: ParameterSets, changed: NDArray[np.bool_]
) -> Groups | None:
    """The groups of a stream; None where its packets are not the frames that are known."""
    times = np.zeros(len(changed), np.int64)
    copied = np.zeros(len(changed), np.bool_)
    starts: list[int] = []
    is_plain = False
    count = 0
    for packet in found:
        if not packet.size:
            continue
        if count == len(changed) or packet.pts is None or packet.is_discard or packet.is_corrupt:
            return None
        data = bytes(packet)
        if starts_anew(data, sets):
            starts.append(count)
            is_plain = True
        is_plain = is_plain and not changed[count] and plain_picture(data, sets) is not None
        copied[count] = is_plain
        times[count] = packet.pts
        count += 1
    if count != len(changed) or not starts or starts[0]:
        return None
    order = np.argsort(times, kind="stable")
    shown = times[order]
    groups = np.split(np.arange(count), starts[1:])
    for group in groups:
        # The group as it is shown must be the group as it is stored.
        in_order = np.array_equal(np.sort(order[group]), group)
        if not (in_order and len(group) >= _SHORTEST and copied[group].all()):
            copied[group] = False
    ranks = np.empty(count, np.int64)
    ranks[order] = np.arange(count)
    ahead = (np.arange(count) - ranks)[copied]
    if (np.diff(shown) <= 0).any():
        return None
    return Groups(copied, shown, max(_REORDERED, int(ahead.max(initial=0))), sets)


class Copies:
    """What the copied frames show, to be compared with the output.

    Attributes
    ----------
    copied : ndarray of bool [n]
        Which frames are copied.
    """

    def __init__(self, copied: NDArray[np.bool_]) -> None:
        self.copied = copied
        self._sums = np.zeros(len(copied), np.uint32)

    def holds(self, number: int) -> bool:
        """Whether a frame is copied."""
        return number < len(self.copied) and bool(self.copied[number])

    def add(self, frame: DecodedFrame) -> None:
        """Note what a copied frame of the source shows."""
        self._sums[frame.number] = frame.checksum()

    def check(self, frame: DecodedFrame) -> None:
        """Raise InputError where a frame of the output was copied and shows something else."""
        number = frame.number
        if self.holds(number) and frame.checksum() != self._sums[number]:
            raise InputError(f"frame {number} was copied and does not show what the input does")


class Splice:
    """The packets of the source and of an encoder as one stream.

    Parameters
    ----------
    plan
        How the other frames are encoded.
    groups
        What is copied.
    """

    def __init__(self, plan: WritingPlan, groups: Groups) -> None:
        self._plan, self._groups = plan, groups
        self._name = "" if plan.source is None else f"{plan.source.path}"
        self._encoder: VideoCodecContext | None = None
        self._copies: Iterator[tuple[bytes, int, int, bool]] = iter(())
        self._frames = 0
        self._packets = 0
        self._digest = blake2b()

    def add_to(
        self, output: OutputContainer, source: VideoSource, template: VideoStream
    ) -> VideoStream:
        """The new stream of an output, which is like a stream of the opened source."""
        self._stream: Any = output.add_stream_from_template(template, opaque=True)
        encoder = self._open_encoder()
        own = ParameterSets.from_stream(encoder.extradata or b"")
        self._stream.codec_context.extradata = self._groups.sets.joined(own)
        self._stream.time_base = self._plan.time_base
        self._copies = _copied_packets(source, self._groups)
        added: VideoStream = self._stream
        return added

    def encode(self, picture: av.VideoFrame | None) -> Iterator[Packet[Any]]:
        """The packets that follow from the next frame of the source, or from its end for None.

        Raises
        ------
        OutputError
            Where the source is not what it was when its packets were read.
        """
        if picture is None:
            yield from self._flushed()
            return
        number, groups = self._frames, self._groups
        self._frames += 1
        if number >= len(groups.times) or picture.pts != groups.times[number]:
            raise OutputError(f"{self._name}: frame {number} is not the one that was there before")
        if not groups.copied[number]:
            self._encoder = self._encoder or self._open_encoder()
            for packet in self._encoder.encode(picture):
                yield self._own(packet)
            return
        yield from self._flushed()
        yield self._copy()

    def is_whole(self, path: Path) -> bool:
        """Whether a finished file holds all packets, and those that were copied as they were."""
        digest, count = blake2b(), 0
        with open_input(path) as container:
            for packet in packets(container, (container.streams.video[0],), lambda _: None):
                if packet.size:
                    if count < len(self._groups.copied) and self._groups.copied[count]:
                        digest.update(bytes(packet))
                    count += 1
        return count == self._packets and digest.digest() == self._digest.digest()

    def _copy(self) -> Packet[Any]:
        data, time, duration, is_key = next(self._copies)
        self._digest.update(data)
        packet: Packet[Any] = Packet(data)
        packet.pts, packet.duration, packet.is_keyframe = time, duration, is_key
        return self._timed(packet)

    def _flushed(self) -> Iterator[Packet[Any]]:
        """What is left in the encoder; the next frame for it opens another."""
        if self._encoder is not None:
            for packet in self._encoder.encode(None):
                yield self._own(packet)
            self._encoder = None

    def _own(self, coded: Packet[Any]) -> Packet[Any]:
        packet: Packet[Any] = Packet(with_lengths(bytes(coded)))
        packet.pts, packet.duration = coded.pts, coded.duration
        packet.is_keyframe = coded.is_keyframe
        return self._timed(packet)

    def _timed(self, packet: Packet[Any]) -> Packet[Any]:
        """Give a packet its time of decoding: that of the picture shown so many pictures before."""
        times, ahead = self._groups.times, self._packets - self._groups.reordering
        step = int(times[1] - times[0]) if len(times) > 1 else 1
        packet.dts = int(times[ahead]) if ahead >= 0 else int(times[0]) + ahead * step
        packet.time_base, packet.stream = self._plan.time_base, self._stream
        self._packets += 1
        return packet

    def _open_encoder(self) -> VideoCodecContext:
        plan, layout = self._plan, self._plan.layout
        context: Any = CodecContext.create(plan.encoder.name, "w")
        context.width, context.height = layout.width, layout.height
        context.time_base, context.framerate = plan.time_base, plan.rate
        parameters = plan.encoder.options.get("x264-params")
        own_id = f"sps-id={self._groups.sets.free_id()}"
        context.options = {
            **plan.encoder.options,
            "x264-params": f"{parameters}:{own_id}" if parameters else own_id,
        }
        context.thread_count = plan.options.threads or automatic_threads()
        plan.encoder.set_up(context, layout)
        context.flags |= Flags.global_header
        if plan.source is not None and plan.source.sample_aspect_ratio:
            context.sample_aspect_ratio = plan.source.sample_aspect_ratio
        context.open()
        opened: VideoCodecContext = context
        return opened


def _copied_packets(source: VideoSource, groups: Groups) -> Iterator[tuple[bytes, int, int, bool]]:
    """What of the source's packets is copied, in order: content, time, duration, key frame."""
    with source.opened() as (container, stream):
        found = (item for item in packets(container, (stream,), lambda _: None) if item.size)
        for packet, is_copied in zip(found, groups.copied.tolist(), strict=True):
            if is_copied:
                data = plain_picture(bytes(packet), groups.sets)
                if data is None or packet.pts is None:
                    raise OutputError(f"{source.path}: it changed while it was read")
                yield data, packet.pts, packet.duration or 0, packet.is_keyframe
