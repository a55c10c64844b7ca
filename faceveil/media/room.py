"""How much room an output takes, about, so that a full disk is told before work starts.

The estimates are low: one that is too high would refuse what fits, and one that is too low costs
nothing but time, since a disk that fills up later leaves no half file behind.
"""

from __future__ import annotations

from faceveil.media.encoders import Encoder
from faceveil.media.frames import EncodeOptions, FrameSource

_USUAL_CRF = 18
_HALVED_BY = 6
"""Of the scale of crf: so much more halves a file."""
_BITS_PER_PIXEL = 0.1
"""At a crf of 18; real clips take 0.12 to 0.4."""
_SOURCE_SHARE = 2
"""How often the size of its source a video has at most, at a crf of 18."""
_PRORES_BITS_PER_PIXEL = 2.0
_PNG_BYTES_PER_PIXEL = 1.0
_MATTE_BITS_PER_PIXEL = 0.08
"""Of one in ProRes that is all black, measured at 1920 x 1080; smaller ones take more."""
_PNG_MATTE_BITS_PER_PIXEL = 0.014


def video_bytes(source: FrameSource, encoder: Encoder, options: EncodeOptions) -> int:
    """The bytes that a video of these frames takes at least, about."""
    pixels = source.width * source.height * (source.frame_count or 0)
    if encoder.family == "prores":
        return round(pixels * _PRORES_BITS_PER_PIXEL / 8)
    usual = min(pixels * _BITS_PER_PIXEL / 8, _SOURCE_SHARE * source.byte_count)
    return round(usual * 2 ** ((_USUAL_CRF - options.crf) / _HALVED_BY))


def pictures_bytes(source: FrameSource) -> int:
    """The bytes that a folder of these frames takes at least, about; pictures keep their format,
    and frames of a video become PNG."""
    if source.kind != "video":
        return source.byte_count
    pixels = source.width * source.height * (source.frame_count or 0)
    return round(pixels * _PNG_BYTES_PER_PIXEL)


def matte_bytes(source: FrameSource, *, is_video: bool) -> int:
    """The bytes that the mattes of these frames take at least, about."""
    pixels = source.width * source.height * (source.frame_count or 0)
    bits = _MATTE_BITS_PER_PIXEL if is_video else _PNG_MATTE_BITS_PER_PIXEL
    return round(pixels * bits / 8)
