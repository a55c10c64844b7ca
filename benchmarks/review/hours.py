"""Hours of video for the review: a real file of repeated packets, and an analysis of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from faceveil import open_source
from faceveil.analysis import Analysis, SourceInfo
from faceveil.decisions import Decision
from faceveil.faces import DetectionLog, FaceSequence, Models, Provenance

RATE = 30
SHOT = 204
"""Frames of a shot: eight hours have as many sequences as `long_job` finds in them."""
AT_ONCE = 3
CAST = 60
_PIECE_SECONDS = 10
_MISSED, _FREE = 0.02, 0.01
"""Shares of boxes that are interpolated, and of sequences that hold none of their detections."""


def write_hours(path: Path, hours: float, width: int, height: int) -> int:
    """Write H.264 by repeating the packets of ten seconds; returns how many frames it has."""
    turns = round(hours * 3600 / _PIECE_SECONDS)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        stream.codec_context.options = {"crf": "30", "preset": "veryfast", "g": str(2 * RATE)}
        packets = [packet for frame in _piece(width, height) for packet in stream.encode(frame)]
        packets += stream.encode(None)
        for turn in range(turns):
            for packet in packets:
                container.mux(_later(packet, stream, turn * _PIECE_SECONDS))
    return turns * _PIECE_SECONDS * RATE


def _piece(width: int, height: int) -> list[VideoFrame]:
    random = np.random.default_rng(0)
    wide = random.integers(0, 255, (height // 40 + 1, width // 20 + 1), np.uint8)
    backdrop = np.kron(wide, np.ones((40, 40), np.uint8))[:height]
    frames = []
    for number in range(_PIECE_SECONDS * RATE):
        shift = number * (backdrop.shape[1] - width) // (_PIECE_SECONDS * RATE)
        picture = np.repeat(backdrop[:, shift : shift + width, None], 3, axis=2)
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        frames.append(frame)
    return frames


def _later(packet: Packet[VideoStream], stream: VideoStream, seconds: int) -> Packet[VideoStream]:
    """A copy of a packet so many seconds later: muxing empties the packet it is given."""
    assert packet.pts is not None and packet.dts is not None and packet.time_base is not None
    copy: Packet[VideoStream] = Packet(bytes(packet))
    offset = round(seconds / packet.time_base)
    copy.stream, copy.time_base = stream, packet.time_base
    copy.pts, copy.dts = packet.pts + offset, packet.dts + offset
    copy.duration, copy.is_keyframe = packet.duration, packet.is_keyframe
    return copy


def analysis_of_hours(video: Path, frame_count: int) -> Analysis:
    """An analysis with three faces in every frame, which wander; everyone is veiled."""
    source = open_source(video)
    random = np.random.default_rng(0)
    starts = np.arange(0, frame_count, SHOT, dtype=np.int32)
    sequences, people, owners = [], [], []
    for shot, first in enumerate(starts.tolist()):
        length = min(SHOT, frame_count - first)
        for place in range(AT_ONCE):
            owners.append(-1 if random.random() < _FREE else len(sequences))
            people.append(AT_ONCE * int(random.integers(CAST // AT_ONCE)) + place)
            sequences.append(
                _sequence(random, source.width, source.height, first, length, place, shot)
            )
    seen = [item.provenance == Provenance.DETECTED for item in sequences]
    frames = np.concatenate([item.frames[rows] for item, rows in zip(sequences, seen, strict=True)])
    boxes = np.concatenate([item.boxes[rows] for item, rows in zip(sequences, seen, strict=True)])
    owner = np.repeat(np.array(owners, np.int32), [np.count_nonzero(rows) for rows in seen])
    order = np.argsort(frames, kind="stable")
    return Analysis(
        SourceInfo(
            video.name,
            "video",
            source.digest(),
            source.width,
            source.height,
            frame_count,
            str(RATE),
        ),
        Models("union", "arcface-mobilefacenet", f"sha256:{'0' * 64}", accept_score=0.7),
        {},
        starts,
        np.zeros(0, np.int32),
        sequences,
        np.array(people, np.int32),
        [Decision(True, "everyone is veiled")] * len(sequences),
        DetectionLog(frames[order], boxes[order], owner[order]),
    )


def _sequence(
    random: np.random.Generator,
    width: int,
    height: int,
    first: int,
    length: int,
    place: int,
    shot: int,
) -> FaceSequence:
    size = random.uniform(0.1, 0.2) * height
    start = np.array([width * (place + 0.3) / AT_ONCE, height * 0.3])
    corner = start + np.cumsum(random.normal(0, height / 900, (length, 2)), axis=0)
    is_missed = random.random(length) < _MISSED
    is_missed[[0, -1]] = False
    scores = np.where(is_missed, 0, random.uniform(0.8, 1, length))
    return FaceSequence(
        np.arange(first, first + length, dtype=np.int32),
        np.concatenate([corner, corner + np.array([0.8 * size, size])], axis=1).astype(np.float32),
        scores.astype(np.float32),
        np.where(is_missed, Provenance.INTERPOLATED, Provenance.DETECTED).astype(np.uint8),
        shot,
    )
