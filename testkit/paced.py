"""The packets of a file at the pace at which it plays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from av.container import InputContainer
from av.packet import Packet


def paced_packets(source: InputContainer) -> Iterator[tuple[Packet[Any], float]]:
    """Yield the packets of the first video stream when they are due, with times in seconds."""
    start = time.monotonic()
    for packet in source.demux(video=0):
        if packet.pts is None or packet.time_base is None:
            continue
        seconds = float(packet.pts * packet.time_base)
        time.sleep(max(0.0, start + seconds - time.monotonic()))
        yield packet, seconds
