"""The kinds of video file that are written, and what each can hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from faceveil.errors import UsageError


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of video file.

    Attributes
    ----------
    muxer
        FFmpeg's name of it.
    codecs
        Families of video codecs it holds; the first is the default.
    sound
        The encoder of sound that cannot be copied.
    lossless_sound
        The same, where the sound in the source is stored without loss; PCM keeps its depth.
    text
        The encoder of subtitles that cannot be copied; None where it holds no text.
    has_attachments
        Whether fonts for subtitles can be attached.
    copied
        The codecs of sound and subtitles that can be copied into it, by FFmpeg's names; None
        where its muxer says itself what it refuses.
    """

    muxer: str
    codecs: tuple[str, ...]
    sound: str
    lossless_sound: str
    text: str | None
    has_attachments: bool = False
    copied: frozenset[str] | None = None

    @property
    def is_mp4(self) -> bool:
        """Whether it is of the family of MP4 and MOV, which share a muxer."""
        return self.muxer in ("mp4", "mov")


_MP4 = Container("mp4", ("h264", "hevc", "av1"), "aac", "flac", "mov_text")
_MOV = Container("mov", ("h264", "hevc", "prores"), "aac", "pcm", "mov_text")
_MKV = Container("matroska", ("h264", "hevc", "av1", "prores"), "aac", "flac", "srt", True)
_WEBM = Container("webm", ("av1",), "libopus", "libopus", "webvtt")
_TS_SOUND = ("aac", "aac_latm", "mp2", "mp3", "ac3", "eac3", "dts", "truehd", "s302m", "opus")
_TS_SUBTITLES = ("dvb_teletext", "hdmv_text_subtitle")
_TS = Container(  # whose muxer takes anything, as private data that nothing plays
    "mpegts", ("h264", "hevc"), "aac", "aac", None, copied=frozenset(_TS_SOUND + _TS_SUBTITLES)
)

CONTAINERS = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": _MOV,
    ".mkv": _MKV,
    ".webm": _WEBM,
    ".ts": _TS,
    ".m2ts": _TS,
    ".mts": _TS,
}
"""The container of each extension."""

_OLD = {".avi", ".wmv", ".asf", ".flv", ".f4v", ".mpg", ".mpeg", ".vob", ".ogv", ".ogg", ".3gp"}
_OLD |= {".3g2", ".mxf", ".rm", ".rmvb", ".gif", ".apng", ".dv", ".mjpeg", ".mjpg", ".h264"}


def container_of(path: Path) -> Container:
    """The container a path names.

    Raises
    ------
    UsageError
        When its extension is none of `CONTAINERS`; it says what to use.
    """
    found = CONTAINERS.get(path.suffix.lower())
    if found is not None:
        return found
    if path.suffix.lower() in _OLD:
        raise UsageError(
            f"{path}: {path.suffix} files are read but not written; name a .mp4 or .mkv file"
        )
    raise UsageError(
        f"{path}: a video is written as one of {', '.join(CONTAINERS)}; a folder of pictures ends "
        "in a slash"
    )
