"""What a decoder attaches to its frames: rotation, HDR mastering, captions and the like."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
from av.sidedata.sidedata import Type

_RATIONALS = struct.Struct("=20i2i")  # AVMasteringDisplayMetadata: ten fractions, two flags
_LIGHT = struct.Struct("=2I")  # AVContentLightMetadata


def _unnamed(kind: type[Type], value: object) -> Type:
    """A member for a kind of side data that FFmpeg knows and PyAV has no name for."""
    member: Any = object.__new__(kind)
    member._name_ = f"UNNAMED_{value}"
    member._value_ = value
    named: Type = member
    return named


# PyAV looks up every kind of side data in this enumeration when any of it is asked for. A kind
# that is newer than its list (EXIF, 3D displays) would be a ValueError for the whole frame.
setattr(Type, "_missing_", classmethod(_unnamed))  # noqa: B010 - unknown to PyAV's stubs


@dataclass(frozen=True, slots=True)
class Mastering:
    """The display a video was mastered on (SMPTE ST 2086) and its light levels (CTA-861.3).

    Attributes
    ----------
    primaries
        CIE 1931 x and y of red, green, blue and white; empty where they are not known.
    luminance
        Lowest and highest in cd/m²; empty where they are not known.
    light
        MaxCLL and MaxFALL in cd/m²; empty where they are not known.
    """

    primaries: tuple[float, ...] = ()
    luminance: tuple[float, ...] = ()
    light: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool((self.primaries and self.luminance) or self.light)


def side_data(frame: av.VideoFrame) -> dict[str, bytes]:
    """The side data of a frame by the name of its kind; `UNNAMED_31` for one without a name."""
    items: Iterator[Any] = iter(frame.side_data)
    return {item.type.name: bytes(item) for item in items}


def mastering(data: dict[str, bytes]) -> Mastering:
    """The HDR10 properties among the side data of a frame."""
    primaries: tuple[float, ...] = ()
    luminance: tuple[float, ...] = ()
    display = data.get("MASTERING_DISPLAY_METADATA", b"")
    if len(display) >= _RATIONALS.size:
        *pairs, has_primaries, has_luminance = _RATIONALS.unpack_from(display)
        values = [
            over / under if under else 0.0
            for over, under in zip(pairs[::2], pairs[1::2], strict=True)
        ]
        primaries = tuple(values[:8]) if has_primaries else ()
        luminance = tuple(values[8:]) if has_luminance else ()
    level = data.get("CONTENT_LIGHT_LEVEL", b"")
    light = _LIGHT.unpack_from(level) if len(level) >= _LIGHT.size else ()
    return Mastering(primaries, luminance, light)
