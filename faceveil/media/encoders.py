"""Which encoder stores the frames of a video, and how it is set up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from faceveil.errors import UsageError
from faceveil.media.containers import Container
from faceveil.media.frames import PRESETS, EncodeOptions, Loss
from faceveil.media.layout import VideoLayout, depth_of, has_alpha, is_rgb_format, subsampling_of
from faceveil.media.side_data import Mastering, mastering

_SOFTWARE = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1", "prores": "prores_ks"}
_HDR_TRANSFERS = (16, 18)  # SMPTE ST 2084 (PQ), ARIB STD-B67 (HLG)
_PLANAR = [
    f"yuv{alpha}{chroma}p{bits}"
    for bits in ("", "10le", "12le")
    for chroma in ("420", "422", "444")
    for alpha in ("", "a")
]
_DEVICE_FORMATS = {"nv12": "yuv420p", "p010le": "yuv420p10le"}
"""What encoders of devices take, and the planar format it is as good as."""

# SVT-AV1 prints its settings for every video otherwise; 1 is errors alone.
os.environ.setdefault("SVT_LOG", "1")

_SVT_PRESETS = dict(zip(PRESETS, (12, 10, 9, 8, 7, 6, 5, 4, 3), strict=True))
_WORST_CRF, _WORST_AV1_CRF = 51, 63
_HIDDEN_KINDS = (
    *("SEI_UNREGISTERED", "DISPLAYMATRIX", "PANSCAN", "AFD", "GOP_TIMECODE"),
    *("MOTION_VECTORS", "VIDEO_ENC_PARAMS", "FILM_GRAIN_PARAMS", "VIDEO_HINT"),
)
"""Side data that is written anew, or says nothing about the picture."""

_NAMES = {
    "UNNAMED_31": "the EXIF data in the frames",
    "DYNAMIC_HDR_PLUS": "the dynamic metadata of HDR10+",
    "DYNAMIC_HDR_VIVID": "the dynamic metadata of HDR Vivid",
    "DOVI_RPU_BUFFER": "the Dolby Vision metadata",
    "DOVI_METADATA": "the Dolby Vision metadata",
    "SPHERICAL": "the mark as a 360° video",
    "STEREO3D": "the mark as a 3D video",
    "ICC_PROFILE": "the colour profile (ICC)",
    "A53_CC": "the closed captions in the pictures (CEA-608/708)",
    "S12M_TIMECODE": "the time code of each frame",
    "AMBIENT_VIEWING_ENVIRONMENT": "the ambient viewing environment",
}


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder, ready to be given frames.

    Attributes
    ----------
    name
        FFmpeg's name of it.
    family
        The codec: `h264`, `hevc`, `av1` or `prores`.
    pixel_format
        In which it takes frames.
    options
        What FFmpeg calls its private options.
    field_order
        Of an interlaced video, as FFmpeg's number; 0 of a progressive one.
    losses
        Properties of the source's pictures that it cannot keep.
    """

    name: str
    family: str
    pixel_format: str
    options: Mapping[str, str]
    field_order: int = 0
    losses: tuple[Loss, ...] = ()

    def set_up(self, context: VideoCodecContext, layout: VideoLayout) -> None:
        """What is set on the codec itself: pixel format, colours, fields."""
        context.pix_fmt = self.pixel_format
        context.color_primaries = layout.tags.primaries
        context.color_trc = layout.tags.transfer
        context.colorspace = layout.tags.matrix
        context.color_range = layout.tags.range
        context.flags |= Flags.frame_duration
        if self.field_order:
            context.flags |= Flags.interlaced_dct | Flags.interlaced_me
            context.field_order = self.field_order


def choose_encoder(
    options: EncodeOptions,
    container: Container,
    layout: VideoLayout,
    side_data: Mapping[str, bytes],
    field_order: int = 0,
) -> Encoder:
    """The encoder that keeps most of a source's pictures, or the one that was asked for.

    Raises
    ------
    UsageError
        When the container cannot hold the codec, this build of FFmpeg has no such encoder, or the
        encoder cannot take so narrow a picture.
    """
    family = _family(options, container, layout, field_order)
    if family not in container.codecs:
        raise UsageError(
            f"codec {family}: a .{_SUFFIX_OF[container.muxer]} file cannot hold it; choose "
            f"{' or '.join(container.codecs)}, or write a .mkv file"
        )
    name = options.codec if options.codec and "_" in options.codec else _SOFTWARE[family]
    try:
        codec = Codec(name, "w")
    except UnknownCodecError as error:
        raise UsageError(f"codec {name}: this build of FFmpeg has no such encoder") from error
    if name == "libsvtav1" and _is_strip(layout):
        raise UsageError(
            f"codec av1: {layout.width}x{layout.height} is too narrow for its encoder; write a "
            ".mp4 or .mkv file with --codec h264"
        )
    taken = [item.name for item in codec.video_formats or ()]
    pixel_format = _nearest(layout.pixel_format, taken, name)
    light = mastering(dict(side_data))
    settings = _settings(name, family, options, pixel_format, light)
    is_interlaced = bool(field_order) and name in ("libx264", "prores_ks")
    losses = [
        *_sample_losses(layout, pixel_format, name),
        *_field_losses(field_order, is_interlaced, family),
        *_side_losses(side_data, family),
    ]
    return Encoder(
        name, family, pixel_format, settings, field_order if is_interlaced else 0, tuple(losses)
    )


def _is_strip(layout: VideoLayout) -> bool:
    """Whether SVT-AV1 could wait for ever: seen from 24x4096 and 16x128 on, not at 28x1024."""
    return min(layout.width, layout.height) < 32 and max(layout.width, layout.height) > 64


_SUFFIX_OF = {"mp4": "mp4", "mov": "mov", "matroska": "mkv", "webm": "webm", "mpegts": "ts"}


def _family(
    options: EncodeOptions, container: Container, layout: VideoLayout, field_order: int
) -> str:
    """HEVC for HDR and depth; but it has no interlaced frames, which H.264 of 10 bits has."""
    if options.codec:
        return options.codec.split("_")[0]
    is_hdr = layout.tags.transfer in _HDR_TRANSFERS
    is_deep = depth_of(layout.pixel_format) > 8
    if "hevc" in container.codecs and (is_hdr or (is_deep and not field_order)):
        return "hevc"
    return container.codecs[0]


def _nearest(wanted: str, taken: list[str], name: str) -> str:
    """The format an encoder takes that keeps most: alpha, then depth, then chroma."""
    if wanted in taken and not (name == "libx265" and has_alpha(wanted)):
        return wanted
    candidates = {_DEVICE_FORMATS.get(item, item): item for item in reversed(taken)}
    if name == "libx265":  # its alpha is a second layer that hardly any player reads
        candidates = {known: item for known, item in candidates.items() if not has_alpha(item)}
    known = [item for item in _PLANAR if item in candidates]
    if not known:
        raise UsageError(f"codec {name}: takes none of the pixel formats that can be edited")

    def kept(item: str) -> tuple[bool, int, int, int]:
        across, down = subsampling_of(item)
        fine_across, fine_down = subsampling_of(wanted)
        too_coarse = max(across / fine_across, 1) * max(down / fine_down, 1)
        size = depth_of(item) * (1 + 2 / (across * down))
        return (
            has_alpha(item) == has_alpha(wanted),
            min(depth_of(item), depth_of(wanted)),
            -int(too_coarse),
            -int(size),
        )

    return candidates[max(known, key=kept)]


def _settings(
    name: str, family: str, options: EncodeOptions, pixel_format: str, light: Mastering
) -> dict[str, str]:
    quality = f"{options.crf}"
    if name == "libx264":
        settings = {"crf": quality, "preset": options.preset}
        if light:
            settings["x264-params"] = ":".join(_x264_light(light))
        return settings
    if name == "libx265":
        parameters = ["log-level=error", *_x265_light(light)]
        if options.crf == 0:
            parameters.append("lossless=1")
        return {
            "crf": quality,
            "preset": options.preset,
            "x265-params": ":".join(parameters),
        }
    if name == "libsvtav1":
        crf = round(options.crf * _WORST_AV1_CRF / _WORST_CRF)
        settings = {"crf": f"{max(1, crf)}", "preset": f"{_SVT_PRESETS[options.preset]}"}
        if light:
            settings["svtav1-params"] = ":".join(_svt_light(light))
        return settings
    if name == "prores_ks":
        return {"profile": "4" if "444" in pixel_format else "3", "vendor": "apl0"}
    return _device_settings(name.rsplit("_", 1)[1], options)


def _device_settings(device: str, options: EncodeOptions) -> dict[str, str]:
    """Constant quality, in each device's words."""
    quality = f"{round(options.crf)}"
    if device == "nvenc":
        return {"rc": "vbr", "cq": quality, "b": "0", "preset": "p4"}
    if device == "qsv":
        return {"global_quality": quality}
    if device == "amf":
        return {"rc": "cqp", "qp_i": quality, "qp_p": quality}
    return {"q": f"{round(100 - 100 * options.crf / _WORST_CRF)}"}


def _x264_light(light: Mastering) -> list[str]:
    return _x26x_light(light, "mastering-display", "cll")


def _x265_light(light: Mastering) -> list[str]:
    return ["hdr10=1", *_x26x_light(light, "master-display", "max-cll")] if light else []


def _x26x_light(light: Mastering, display: str, level: str) -> list[str]:
    """In units of 0.00002 of CIE 1931 and of 0.0001 cd/m², green first (ST 2086, HEVC annex D)."""
    parts = []
    if light.primaries and light.luminance:
        red, green, blue, white = (
            f"({round(x * 50000)},{round(y * 50000)})"
            for x, y in zip(light.primaries[::2], light.primaries[1::2], strict=True)
        )
        low, high = (round(value * 10000) for value in light.luminance)
        parts.append(f"{display}=G{green}B{blue}R{red}WP{white}L({high},{low})")
    if light.light:
        parts.append(f"{level}={light.light[0]},{light.light[1]}")
    return parts


def _svt_light(light: Mastering) -> list[str]:
    parts = []
    if light.primaries and light.luminance:
        red, green, blue, white = (
            f"({x:.5f},{y:.5f})"
            for x, y in zip(light.primaries[::2], light.primaries[1::2], strict=True)
        )
        low, high = light.luminance
        parts.append(f"mastering-display=G{green}B{blue}R{red}WP{white}L({high:.4f},{low:.4f})")
    if light.light:
        parts.append(f"content-light={light.light[0]},{light.light[1]}")
    return parts


def _sample_losses(layout: VideoLayout, pixel_format: str, name: str) -> list[Loss]:
    source = layout.source_format
    losses = []
    if has_alpha(source) and not has_alpha(pixel_format):
        losses.append(Loss("transparency (alpha)", "codec prores in a .mov or .mkv file keeps it"))
    if depth_of(source) > depth_of(pixel_format):
        losses.append(
            Loss(
                f"the depth of {depth_of(source)} bits",
                f"{name} stores {depth_of(pixel_format)} bits",
            )
        )
    across, down = subsampling_of(pixel_format)
    fine_across, fine_down = subsampling_of(source)
    if is_rgb_format(source):
        if not source.startswith("gray") and source != "ya8":
            losses.append(
                Loss("RGB samples", "video is stored as YUV 4:2:0, which every player shows")
            )
    elif across > fine_across or down > fine_down:
        losses.append(
            Loss(f"the chroma resolution of {source}", f"{name} stores it as {pixel_format}")
        )
    return losses


def _field_losses(field_order: int, is_interlaced: bool, family: str) -> list[Loss]:
    if not field_order or is_interlaced:
        return []
    return [
        Loss(
            "the mark as interlaced",
            f"{family} stores whole frames, both fields as they are; codec h264 keeps it",
        )
    ]


def _side_losses(side_data: Mapping[str, bytes], family: str) -> list[Loss]:
    kept = {*_HIDDEN_KINDS}
    if family in ("h264", "hevc"):
        kept |= {"A53_CC"}
    if family == "h264":
        kept |= {"STEREO3D"}
    if family != "prores":
        kept |= {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"}
    names = dict.fromkeys(
        _NAMES.get(kind, f"side data of the frames ({kind.lower()})")
        for kind in side_data
        if kind not in kept
    )
    if family == "prores" and {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"} & {*side_data}:
        names = {"the HDR10 mastering display and light levels": None, **names}
        names.pop("side data of the frames (mastering_display_metadata)", None)
        names.pop("side data of the frames (content_light_level)", None)
    return [Loss(name, f"{family} video has no place for it here") for name in names]
