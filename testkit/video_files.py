"""What tests ask of whole video files: passing one through, and what is in it."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from faceveil.media.frames import EncodeOptions
from faceveil.media.open import open_sink, open_source
from testkit.made_media import numbered


def pass_through(path, target, **options):
    """Write a video's frames unchanged into `target`; what the sink says is not kept, as text."""
    source = open_source(path)
    with open_sink(target, source, EncodeOptions(**options)) as sink:
        for frame in source:
            sink.write(frame, changed=False)
    return [str(loss) for loss in sink.losses]


def kinds_in(path):
    """(type, codec) of each stream; codec None where it has none."""
    with av.open(str(path)) as container:
        return [
            (stream.type, stream.codec_context and stream.codec_context.name)
            for stream in container.streams
        ]


def samples_of(path, number=0):
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


def jpeg(shade=200):
    """A small JPEG, as a picture that nobody looked at."""
    stream = io.BytesIO()
    Image.new("RGB", (16, 16), (shade, 30, 30)).save(stream, "JPEG")
    return stream.getvalue()


def pictures_in(path):
    """Where a file holds the beginning of a picture file: JPEG, PNG, or base64 of one."""
    content = path.read_bytes()
    marks = (b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n", b"/9j/4", b"iVBORw0KGgo")
    return [mark for mark in marks if mark in content]


def make_sound(path, codec, *, rate=48000, layout="stereo", seconds=1, video="libx264"):
    """A video of 25 frames a second with a tone of another codec."""
    with av.open(str(path), "w") as output:
        pictures = output.add_stream(video, rate=25, width=160, height=96)
        pictures.pix_fmt = "yuvj420p" if video == "mjpeg" else "yuv420p"
        sound = output.add_stream(codec, rate=rate, layout=layout)
        for number in range(25 * seconds):
            frame = av.VideoFrame.from_ndarray(numbered(number), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(pictures.encode(frame.reformat(format=pictures.pix_fmt)))
        output.mux(pictures.encode(None))
        channels = 2 if layout == "stereo" else 1
        times = np.arange(rate * seconds)
        wave = (8000 * np.sin(times * 0.05)).astype(np.int16).repeat(channels)
        for start in range(0, rate * seconds, 1024):
            part = wave[start * channels : (start + 1024) * channels]
            frame = av.AudioFrame.from_ndarray(part[None], "s16", layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))


def remade(path, target, change=None, **arguments):
    """A copy of a file whose output container `change(output)` may add to before its header."""
    with av.open(str(path)) as source, av.open(str(target), "w", **arguments) as output:
        streams = {s.index: output.add_stream_from_template(s, opaque=True) for s in source.streams}
        if change is not None:
            change(output)
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                output.mux(packet)
