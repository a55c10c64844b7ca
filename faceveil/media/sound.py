"""Sound that a container cannot hold as it is, encoded anew."""

from __future__ import annotations

from typing import Any

from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec import Codec
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

_LAYOUTS = ("", "mono", "stereo", "2.1", "quad", "5.0", "5.1", "6.1", "7.1")
"""The usual layout of so many channels, where a file does not say which they are."""
_BITS_PER_CHANNEL = {"aac": 96_000, "libopus": 80_000}
_LOSSLESS = ("flac", "alac", "tta", "wavpack", "truehd", "mlp", "s302m", "ape", "shorten")


def is_lossless(codec: str) -> bool:
    """Whether a codec stores sound exactly, or so that decoding it gives exact samples at a rate
    not much above its own (PCM of all sorts, G.711, ADPCM)."""
    return codec in _LOSSLESS or codec.startswith(("pcm_", "adpcm_"))


def usual_layout(name: str, channels: int) -> str:
    """The name of a channel layout; the usual one where a file only counts its channels."""
    if name.endswith("channels") or not name:
        return _LAYOUTS[channels] if channels < len(_LAYOUTS) else name
    return name


def encoder_of(sound: str, source: AudioStream) -> str:
    """The name of the encoder; `pcm` is the one with as many bits as the source."""
    if sound != "pcm":
        return sound
    is_deep = (source.codec_context.format.bits or 16) > 16
    return "pcm_s24le" if is_deep else "pcm_s16le"


class EncodedSound:
    """Decodes the packets of a stream and encodes them for another container.

    Parameters
    ----------
    source
        The stream of sound that is read.
    encoder
        FFmpeg's name of an encoder (`aac`, `flac`, `libopus`, `pcm_s16le`).
    layout
        The channels that it is mixed into; by default those of the source.
    """

    def __init__(self, source: AudioStream, encoder: str, layout: str | None = None) -> None:
        self._source = source
        self._encoder = encoder
        self._layout = layout
        self._resampler: AudioResampler | None = None
        self._read: tuple[object, ...] = ()

    def add(self, output: OutputContainer) -> Stream:
        """The new stream of an output."""
        context = self._source.codec_context
        codec = Codec(self._encoder, "w")
        known = usual_layout(context.layout.name, context.layout.nb_channels)
        layout = self._layout or known
        rate = _rate(codec, context.sample_rate or 48000)
        stream: Any = output.add_stream(self._encoder, rate=rate, layout=layout)
        formats = [item.name for item in codec.audio_formats or ()]
        is_deep = (context.format.bits or 16) > 16
        name = "s32" if is_deep and "s32" in formats else formats[0]
        stream.codec_context.format = name
        if self._encoder in _BITS_PER_CHANNEL:
            bits = _BITS_PER_CHANNEL[self._encoder] * AudioLayout(layout).nb_channels
            stream.codec_context.bit_rate = min(bits, 512_000)
        self._stream = stream
        self._target = (name, layout, rate)
        added: Stream = stream
        return added

    def convert(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """What a packet of the source becomes; nothing where it cannot be decoded."""
        try:
            frames = self._source.decode(packet)
        except (FFmpegError, EOFError):
            return []
        return [new for frame in frames for new in self._encode(frame)]

    def flush(self) -> list[Packet[Any]]:
        """What is left in the decoder and the encoder."""
        end: Packet[Any] = Packet()
        end.stream = self._source
        packets = self.convert(end)
        packets += [new for frame in self._resampled(None) for new in self._stream.encode(frame)]
        return packets + list(self._stream.encode(None))

    def _encode(self, frame: AudioFrame) -> list[Packet[Any]]:
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        frames = self._resampled(None) if shape != self._read else []
        if shape != self._read:
            self._read = shape
            self._resampler = AudioResampler(*self._target)
        frames += self._resampled(frame)
        return [packet for item in frames for packet in self._stream.encode(item)]

    def _resampled(self, frame: AudioFrame | None) -> list[AudioFrame]:
        if self._resampler is None:
            return []
        return [item for item in self._resampler.resample(frame) if item is not None]


def _rate(codec: Codec, rate: int) -> int:
    """The rate itself, or the next that the encoder knows."""
    known = sorted(codec.audio_rates or ())
    if not known or rate in known:
        return rate
    return next((item for item in known if item >= rate), known[-1])
