"""From glass to glass: a sender, `faceveil live` and a viewer over loopback, and the parts between.

Every picture holds its number, and all three read it from the picture: what a part takes is the
difference of two clocks that are one, the machine's. The sender's camera and encoder and the
viewer's screen are not in it: packets that were encoded before are sent at their pace.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from benchmarks.live.numbered import RATE, Numbered, number_of
from faceveil.detect.build import FAST, AnalyzerOptions, build_analyzer
from faceveil.detect.no_recognizer import NO_RECOGNIZER
from faceveil.faces import Image
from faceveil.live.options import LiveOptions
from faceveil.live.run import LiveRun
from faceveil.live.sinks import LiveSink, open_sink
from faceveil.live.sources import Item, LiveSource, Picture, SourceOptions
from testkit.paced import paced_packets
from testkit.scenes_footage import Footage
from testkit.servers.processes import free_ports

WARM = 3 * RATE
"""Pictures before the first that counts."""
PARTS = {
    "network and decoding": ("sent", "arrived"),
    "waiting, planning and veiling": ("arrived", "handed"),
    "encoding and writing": ("handed", "written"),
    "network and decoding by the viewer": ("written", "seen"),
    "from glass to glass": ("sent", "seen"),
}
Times = dict[int, float]


class _TimedSource(LiveSource):
    """Notes when each picture is decoded."""

    arrived: Times

    def __iter__(self) -> Iterator[Item]:
        self.arrived = {}
        for item in super().__iter__():
            if isinstance(item, Picture):
                _note(self.arrived, item.frame)
            yield item


class _TimedSink:
    """Notes when each picture is handed over, and when it is written."""

    def __init__(self, sink: LiveSink) -> None:
        self._sink = sink
        self.name, self.reopen = sink.name, sink.reopen
        self.open, self.sound, self.close = sink.open, sink.sound, sink.close
        self.handed: Times = {}
        self.written: Times = {}

    def picture(self, frame: av.VideoFrame, seconds: float) -> None:
        _note(self.handed, frame)
        self._sink.picture(frame, seconds)
        _note(self.written, frame)


def _note(times: Times, frame: av.VideoFrame) -> None:
    """Note the time of a picture, of one that is shown again the first time."""
    number = number_of(_brightness(frame))
    if number is not None:
        times.setdefault(number, time.monotonic())


def _brightness(frame: av.VideoFrame) -> Image:
    plane: Any = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return np.asarray(rows[: frame.height, : frame.width], np.uint8)


def _send(path: str, url: str, answer: Connection) -> None:
    """Send a file's packets at their pace, as soon as someone listens; answers when each was."""
    sent: Times = {}
    with av.open(path) as source, _connected(url, source.streams.video[0]) as output:
        stream = output.streams.video[0]
        for packet, seconds in paced_packets(source):
            packet.stream = stream
            output.mux(packet)
            sent[round(seconds * RATE)] = time.monotonic()
        answer.send(sent)


def _connected(url: str, template: VideoStream) -> OutputContainer:
    """A connection, as soon as someone listens."""
    while True:
        output = av.open(url, "w", format="mpegts", container_options={"flush_packets": "1"})
        output.add_stream_from_template(template)
        try:
            output.start_encoding()
            return output
        except ConnectionRefusedError:
            time.sleep(0.2)


def _receive(url: str, listening: Event, answer: Connection) -> None:
    """Show what comes until the end; answers when each picture was decoded."""
    seen: Times = {}
    listening.set()
    options = {"listen": "1", "analyzeduration": "500000"}
    with av.open(url, format="mpegts", options=options) as peer:
        peer.streams.video[0].codec_context.thread_type = "SLICE"
        for frame in peer.decode(video=0):
            _note(seen, frame)
    answer.send(seen)


def measured(footage: Footage, folder: Path) -> list[tuple[object, ...]]:
    """A row for each part: its name, median and 95th percentile in ms."""
    source = Numbered(footage).write(folder / "sent.mkv", {"bf": "0"})
    ports = free_ports(2)
    coming, leaving = (f"tcp://127.0.0.1:{port}" for port in ports)
    context = multiprocessing.get_context("spawn")
    listening = context.Event()
    from_sender, to_us = context.Pipe(False)
    from_viewer, also_to_us = context.Pipe(False)
    viewer = context.Process(target=_receive, args=(leaving, listening, also_to_us), daemon=True)
    sender = context.Process(target=_send, args=(str(source), coming, to_us), daemon=True)
    viewer.start()
    listening.wait()
    time.sleep(1)
    timed = _TimedSource(coming, SourceOptions(listen=True, reopen=False))
    sink = _TimedSink(open_sink(leaving))
    networks = AnalyzerOptions(profile=FAST, recognizer=NO_RECOGNIZER)
    run = LiveRun(timed, sink, partial(build_analyzer, networks), LiveOptions())
    sender.start()
    to_us.close()  # so that a sender or a viewer that fails is noticed
    also_to_us.close()
    run.run()
    times = {
        "sent": from_sender.recv(),
        "arrived": timed.arrived,
        "handed": sink.handed,
        "written": sink.written,
        "seen": from_viewer.recv(),
    }
    sender.join()
    viewer.join()
    whole = sorted(set.intersection(*(set(one) for one in times.values())))
    numbers = [number for number in whole if number >= WARM]
    return [_row(name, [times[end][n] - times[start][n] for n in numbers])
            for name, (start, end) in PARTS.items()]  # fmt: skip


def _row(name: str, seconds: list[float]) -> tuple[object, ...]:
    median, late = 1e3 * np.percentile(seconds, [50, 95]) if seconds else (np.nan, np.nan)
    return name, f"{median:.0f}", f"{late:.0f}", len(seconds)
