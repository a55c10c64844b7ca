"""Videos made on the spot, each frame of which carries its own number in its pixels."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av import AudioStream

from faceveil.faces import Image

BIT = 16
BITS = 8


def numbered(number: int, width: int = 160, height: int = 96) -> Image:
    """RGB uint8: a moving gradient, with the number as black and white squares at the top left."""
    y, x = np.mgrid[:height, :width]
    picture = np.stack([(x + 3 * number) % 200, (y * 2 + number) % 200, (x + y) % 200], -1)
    picture = picture.astype(np.uint8)
    for bit in range(BITS):
        picture[:BIT, bit * BIT : (bit + 1) * BIT] = 255 * (number >> bit & 1)
    return picture


def number_of(picture: Image) -> int:
    """The number that `numbered` drew."""
    centres = picture[BIT // 2, BIT // 2 : BITS * BIT : BIT, 1] > 127
    return int((centres << np.arange(BITS)).sum())


def make_video(
    path: Path,
    times: Sequence[int] = range(10),
    time_base: Fraction = Fraction(1, 25),
    *,
    size: tuple[int, int] = (160, 96),
    pixel_format: str = "yuv420p",
    audio: Collection[str] = (),
    subtitles: str | None = None,
    rotation: int | None = None,
    tags: Mapping[str, Any] | None = None,
    sample_aspect_ratio: Fraction | None = None,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    chapters: list[Any] | None = None,
    b_frames: int = 2,
) -> None:
    """Encode numbered frames at `times` (in `time_base`), with sound and subtitles around them."""
    fine = {"movie_timescale": "90000"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", container_options=fine) as output:
        output.metadata.update(metadata or {})
        if chapters:
            output.set_chapters(chapters)
        video: Any = output.add_stream(
            codec, rate=25, width=size[0], height=size[1], time_base=time_base, options=options
        )
        video.pix_fmt = pixel_format
        video.codec_context.max_b_frames = b_frames
        if sample_aspect_ratio:
            video.codec_context.sample_aspect_ratio = sample_aspect_ratio
        for name, value in (tags or {}).items():
            setattr(video.codec_context, name, value)
        if rotation is not None:
            video.set_display_rotation(rotation)
        sounds: list[Any] = [output.add_stream(name, rate=48000, layout="mono") for name in audio]
        text = output.add_mux_stream(subtitles, time_base=Fraction(1, 1000)) if subtitles else None
        duration = float((max(times) + 1) * time_base)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(numbered(number, *size), "rgb24")
            frame = frame.reformat(format=pixel_format)
            frame.pts, frame.time_base = time, time_base
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        for sound in sounds:
            for packet in _tone(sound, duration):
                output.mux(packet)
        if subtitles:
            for index in range(3):
                output.mux(_line(text, index, subtitles))


def make_faststart(path: Path, count: int, **arguments: Any) -> None:
    """A video whose index comes first, so that it can still be opened when it is cut off."""
    plain = path.with_name("plain.mp4")
    make_video(plain, range(count), **arguments)
    options = {"movflags": "+faststart"}
    with (
        av.open(str(plain)) as source,
        av.open(str(path), "w", container_options=options) as output,
    ):
        streams = {s.index: output.add_stream_from_template(s, opaque=True) for s in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                output.mux(packet)
    plain.unlink()


def _tone(stream: Any, duration: float) -> Iterator[av.Packet[AudioStream]]:
    samples = np.arange(int(48000 * duration))
    wave = (8000 * np.sin(samples * (0.05 + 0.01 * stream.index))).astype(np.int16)
    for start in range(0, len(wave), 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], "s16", "mono")
        frame.sample_rate, frame.pts = 48000, start
        frame.time_base = Fraction(1, 48000)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _line(stream: Any, index: int, codec: str) -> Any:
    text = f"line {index}".encode()
    packet: Any = av.Packet(len(text).to_bytes(2, "big") + text if codec == "mov_text" else text)
    packet.stream = stream
    packet.time_base = Fraction(1, 1000)
    packet.pts = packet.dts = 40 + 100 * index
    packet.duration = 90
    packet.is_keyframe = True
    return packet


def streams_of(path: Path) -> dict[tuple[int, str], list[tuple[Fraction, Fraction, bytes]]]:
    """Packets by stream index: (time, duration, content) in order of presentation, in seconds."""
    found: dict[tuple[int, str], list[tuple[Fraction, Fraction, bytes]]] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                base = packet.time_base
                assert packet.pts is not None
                assert packet.duration is not None
                entry = (packet.pts * base, packet.duration * base, bytes(packet))
                found.setdefault((packet.stream_index, packet.stream.type), []).append(entry)
    return {key: sorted(packets) for key, packets in found.items()}


def frame_times(path: Path) -> list[Fraction]:
    """Presentation time of every decoded frame, exact, in seconds."""
    with av.open(str(path)) as container:
        frames: Iterator[Any] = container.decode(video=0)
        return [frame.pts * frame.time_base for frame in frames]
