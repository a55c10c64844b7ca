"""What every source and sink of frames has in common: Frame, FrameSource, FrameSink."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from faceveil.errors import UsageError
from faceveil.faces import Image
from faceveil.luma import BLUE, RED

_FASTEST = 1000


@dataclass(frozen=True, slots=True)
class ColourCoding:
    """How R'G'B' is stored as Y'CbCr (ITU-R BT.601, BT.709, BT.2020): luma weights and range."""

    red: float = RED
    blue: float = BLUE
    full_range: bool = False

    def encode(self, rgb: tuple[int, int, int], peak: int) -> tuple[int, int, int]:
        """Luma and the two chroma samples (0 - `peak`) of an RGB colour of 0 - 255."""
        red, green, blue = (value / 255 for value in rgb)
        luma = self.red * red + (1 - self.red - self.blue) * green + self.blue * blue
        chroma = (blue - luma) / (2 - 2 * self.blue), (red - luma) / (2 - 2 * self.red)
        if self.full_range:
            samples = [peak * luma] + [peak * c + (peak + 1) / 2 for c in chroma]
        else:
            step = (peak + 1) / 256
            samples = [step * (16 + 219 * luma)] + [step * (128 + 224 * c) for c in chroma]
        y, cb, cr = (min(peak, max(0, round(sample))) for sample in samples)
        return y, cb, cr


BT601 = ColourCoding()
BT709 = ColourCoding(0.2126, 0.0722)
BT2020 = ColourCoding(0.2627, 0.0593)


@dataclass(slots=True, eq=False)
class Planes:
    """The stored samples of one frame, upright and writable in place.

    Either one plane [H, W, C] or [H, W] (a picture: RGB, RGBA, grey or grey and alpha, uint8 or
    uint16), or luma [H, W] with two chroma planes Cb and Cr, subsampled or not (a video frame,
    8 bits in uint8 or 10 bits in uint16). A veil works on the stored samples, so that nothing
    outside it is converted twice. `peak` is the largest value a sample can have. The planes may
    be turned views of how the frame is stored, so they need not be contiguous.
    """

    planes: tuple[NDArray[Any], ...]
    peak: int
    coding: ColourCoding = BT601

    @property
    def subsampling(self) -> tuple[tuple[int, int], ...]:
        """(across, down) of each plane: how many luma samples of the upright frame one covers."""
        height, width = self.planes[0].shape[:2]
        return tuple((-(-width // p.shape[1]), -(-height // p.shape[0])) for p in self.planes)

    def colour(self, rgb: tuple[int, int, int]) -> tuple[Any, ...]:
        """What an RGB colour (0-255) is in each plane: a scalar, or one value per channel."""
        if len(self.planes) == 3:
            return self.coding.encode(rgb, self.peak)
        picture = self.planes[0]
        channels = picture.shape[2] if picture.ndim == 3 else 1
        grey = ColourCoding(full_range=True).encode(rgb, self.peak)[0]
        if picture.ndim == 2:
            return (grey,)
        colours = [round(value * self.peak / 255) for value in rgb] if channels > 2 else [grey]
        opaque = [self.peak] * (channels - len(colours))
        return (np.array(colours + opaque, picture.dtype),)


PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)
CODECS = ("h264", "hevc", "av1", "prores")
HARDWARE_CODECS = tuple(
    f"{codec}_{device}"
    for device in ("nvenc", "qsv", "amf", "videotoolbox")
    for codec in ("h264", "hevc", "av1", "prores")
    if codec != "prores" or device == "videotoolbox"
)
AUDIO = ("copy", "encode", "drop")
UNVEILED = ("copy", "encode")


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """How frames are stored as video, and what comes with them.

    Attributes
    ----------
    crf
        Constant rate factor on x264's scale, which other encoders' scales are matched to: 0 is
        lossless with H.264, 18 visually lossless, 51 the worst. ProRes has none.
    preset
        One of x264's: trades the encoder's time for size. Others' are matched to it.
    threads
        Of the encoder; 0 takes all cores, eight at most.
    rate
        Frames per second of a video made from pictures; videos keep their own times.
    strip_metadata
        Whether to leave out what says where, when, by whom and with which device something was
        recorded; colour, orientation, resolution and timing are always kept. Pictures, too.
    codec
        `h264`, `hevc`, `av1` or `prores`, or the encoder of a device, such as `hevc_nvenc`. None
        takes HEVC for HDR and for more than 8 bits, AV1 for .webm, else H.264.
    audio
        `copy` takes sound over as it is and encodes only what the container cannot hold;
        `encode` encodes all of it as the container's usual codec; `drop` leaves it out.
    unveiled
        `encode` encodes every picture; `copy` takes groups of pictures without a veil over as they
        are, where that is known to be safe (`media.splice`).

    Raises
    ------
    UsageError
        When a value is none of these.
    """

    crf: float = 18
    preset: str = "superfast"
    threads: int = 0
    rate: Fraction = Fraction(25)
    strip_metadata: bool = False
    codec: str | None = None
    audio: str = "copy"
    unveiled: str = "encode"

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise UsageError(f"preset {self.preset!r} is none of x264's: {', '.join(PRESETS)}")
        if not 0 <= self.crf <= 51:
            raise UsageError(f"crf {self.crf:g} is not between 0 (lossless) and 51 (worst)")
        if not 0 < self.rate <= _FASTEST:
            raise UsageError(f"rate {self.rate} is not between 0 and {_FASTEST} frames per second")
        if self.threads < 0:
            raise UsageError(f"threads {self.threads} is negative; 0 takes as many as there are")
        if self.codec not in (None, *CODECS, *HARDWARE_CODECS):
            raise UsageError(
                f"codec {self.codec!r} is none of {', '.join(CODECS)}, nor a device's: "
                f"{', '.join(HARDWARE_CODECS)}"
            )
        if self.audio not in AUDIO:
            raise UsageError(f"audio {self.audio!r} is none of {', '.join(AUDIO)}")
        if self.unveiled not in UNVEILED:
            raise UsageError(f"unveiled {self.unveiled!r} is none of {', '.join(UNVEILED)}")


class Frame(Protocol):
    """One decoded frame. `number` is 0-based; width and height are those of the upright frame."""

    number: int
    width: int
    height: int

    def rgb(self) -> Image:
        """The upright frame as RGB uint8 [height, width, 3], contiguous. Safe in any thread."""
        ...

    def planes(self) -> Planes:
        """The upright samples; writing to them changes what a sink will store."""
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of the input that could not be read: which frames (as text), and why."""

    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Loss:
    """A property of the input that the output does not keep.

    Attributes
    ----------
    what
        The property, as a user knows it: "the EXIF thumbnail", "subtitle track 2 (dvdsub)".
    why
        The reason, and where there is one the way to keep it.
    where
        The files or frames that are concerned; empty where it is the whole output.
    """

    what: str
    why: str
    where: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}: not kept ({self.why})"


SourceKind = Literal["video", "folder", "stills"]


class FrameSource(Protocol):
    """Frames in order. Iterating again reads again from the start (analysis, then rendering)."""

    path: Path
    kind: SourceKind
    """Stills are unrelated pictures: each has its own size and is a shot of its own."""
    width: int
    height: int
    """Of the upright frame; of stills, the largest there are."""
    frame_count: int | None
    """How many frames there are; None or an estimate where only decoding can tell."""
    rate: Fraction | None
    """Average frames per second, None for pictures."""
    byte_count: int
    """Size of the files that the frames are read from."""
    problems: list[Problem]
    """What the last iteration could not read, filled while iterating."""

    def __iter__(self) -> Iterator[Frame]: ...

    def digest(self) -> str:
        """ "sha256:<hex>" of the input, so that an analysis is never used with another video."""
        ...


class FrameSink(Protocol):
    """Where frames go, in the order of the source. A context manager.

    Leaving the block normally publishes the output under its final name; an exception removes
    everything that was written, so that no half file is left.
    """

    @property
    def losses(self) -> Sequence[Loss]:
        """Properties of the input that the output does not keep, complete once all is written."""
        ...

    def write(self, frame: Frame, changed: bool) -> None:
        """Store a frame; `changed` says whether its planes were written to."""
        ...

    def __enter__(self) -> FrameSink: ...

    def __exit__(self, kind: type[BaseException] | None, /, *details: object) -> None: ...


class LocalSink(FrameSink, Protocol):
    """A sink onto this machine, whose output can be looked at before it is published."""

    path: Path
    """Where leaving the block publishes the output; another may be set before that."""
    needed: int
    """The bytes that the output takes at least, about, checked to be free before work starts."""

    def finish(self) -> Path:
        """Complete the output and say where it lies, hidden, until it is published.

        No frame can be written after that. Raises OutputError.
        """
        ...

    def __enter__(self) -> LocalSink: ...
