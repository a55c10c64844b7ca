"""What tests ask of whole video files: passing one through, and what is in it."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray
from PIL import Image

from faceveil.media.frames import EncodeOptions
from faceveil.media.open import open_sink, open_source
from testkit.made_media import numbered


def pass_through(path: Path, target: Path, **options: Any) -> list[str]:
    """Write a video's frames unchanged into `target`; what the sink says is not kept, as text."""
    source = open_source(path)
    with open_sink(target, source, EncodeOptions(**options)) as sink:
        for frame in source:
            sink.write(frame, changed=False)
    return [str(loss) for loss in sink.losses]


def kinds_in(path: Path) -> list[tuple[str, str | None]]:
    """(type, codec) of each stream; codec None where it has none."""
    with av.open(str(path)) as container:
        return [
            (stream.type, stream.codec_context.name if stream.codec_context else None)
            for stream in container.streams
        ]


def samples_of(path: Path, number: int = 0) -> NDArray[np.int16]:
    """The decoded sound of a track: int16 [samples, channels]."""
    parts = []
    with av.open(str(path)) as container:
        resampler = None
        for frame in container.decode(audio=number):
            layout = "stereo" if frame.layout.nb_channels == 2 else "mono"
            resampler = resampler or av.AudioResampler("s16", layout)
            channels = 2 if layout == "stereo" else 1
            parts += [made.to_ndarray().reshape(-1, channels) for made in resampler.resample(frame)]
    return np.concatenate(parts)


def jpeg(shade: int = 200) -> bytes:
    """A small JPEG, as a picture that was not looked at."""
    stream = io.BytesIO()
    Image.new("RGB", (16, 16), (shade, 30, 30)).save(stream, "JPEG")
    return stream.getvalue()


def pictures_in(path: Path) -> list[bytes]:
    """Where a file holds the beginning of a picture file: JPEG, PNG, or base64 of one."""
    content = path.read_bytes()
    marks = (b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n", b"/9j/4", b"iVBORw0KGgo")
    return [mark for mark in marks if mark in content]


def make_sound(
    path: Path,
    codec: str,
    *,
    rate: int = 48000,
    layout: str = "stereo",
    seconds: int = 1,
    video: str = "libx264",
) -> None:
    """A video of 25 frames a second with a tone of another codec."""
    with av.open(str(path), "w") as output:
        pictures: Any = output.add_stream(video, rate=25, width=160, height=96)
        pictures.pix_fmt = "yuvj420p" if video == "mjpeg" else "yuv420p"
        sound: Any = output.add_stream(codec, rate=rate, layout=layout)
        for number in range(25 * seconds):
            frame = av.VideoFrame.from_ndarray(numbered(number), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(pictures.encode(frame.reformat(format=pictures.pix_fmt)))
        output.mux(pictures.encode(None))
        channels = av.AudioLayout(layout).nb_channels
        times = np.arange(rate * seconds)
        wave = (8000 * np.sin(times * 0.05)).astype(np.int16).repeat(channels)
        for start in range(0, rate * seconds, 1024):
            part = wave[start * channels : (start + 1024) * channels]
            tone = av.AudioFrame.from_ndarray(part[None], "s16", layout)
            tone.sample_rate, tone.pts, tone.time_base = rate, start, Fraction(1, rate)
            output.mux(sound.encode(tone))
        output.mux(sound.encode(None))


def remade(
    path: Path,
    target: Path,
    change: Callable[[OutputContainer], None] | None = None,
    **arguments: Any,
) -> None:
    """A copy of a file whose output container `change(output)` may add to before its header."""
    with av.open(str(path)) as source, av.open(str(target), "w", **arguments) as output:
        streams = {s.index: output.add_stream_from_template(s, opaque=True) for s in source.streams}
        if change is not None:
            change(output)
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                output.mux(packet)
