"""The texts of arguments as values. Each function raises ArgumentTypeError with an example."""

from __future__ import annotations

from argparse import ArgumentTypeError
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil.errors import UsageError

if TYPE_CHECKING:
    from faceveil.detect.also import AlsoOptions
    from faceveil.sequence.regions import FixedRegion


def path(text: str) -> Path:
    """A path. An empty text, such as of a variable that is not set, would be this folder."""
    if not text:
        raise ArgumentTypeError("the path is empty: name a file or folder, such as talk.mp4")
    return Path(text)


def place(text: str) -> str:
    """A path as it was typed: a slash at its end says that a folder is meant; `-` is a pipe."""
    path(text)
    return text


def point(text: str) -> tuple[int, float, float]:
    """FRAME:X,Y."""
    try:
        frame, place = text.split(":")
        x, y = place.split(",")
        return int(frame), float(x), float(y)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not FRAME:X,Y, such as 1500:640,300") from None


def between(text: str) -> tuple[Fraction, Fraction, bool]:
    """Start, end, and whether they are seconds rather than frames."""
    start, _, end = text.partition("-")
    try:
        if ":" in text:
            return _seconds(start), _seconds(end), True
        return Fraction(int(start)), Fraction(int(end)), False
    except (ValueError, ZeroDivisionError):
        raise ArgumentTypeError(
            f"{text!r} is neither FRAME-FRAME, such as 300-600, nor TIME-TIME, such as 1:20-1:35.5"
        ) from None


def also(text: str) -> AlsoOptions:
    """FILE[:kind=KIND,accept=SCORE]."""
    from faceveil.detect.also import AlsoOptions

    try:
        return AlsoOptions.parse(text)
    except UsageError as error:
        raise ArgumentTypeError(str(error)) from None


def region(text: str) -> FixedRegion:
    """RANGE:x1,y1,x2,y2[:KIND], where a range is as for --between."""
    from faceveil.faces import Kind
    from faceveil.sequence.regions import FixedRegion

    words = text.split(":")
    try:
        kind = Kind.OTHER if "," in words[-1] else Kind.of(words.pop())
        x1, y1, x2, y2 = map(float, words.pop().split(","))
        return FixedRegion(*between(":".join(words)), (x1, y1, x2, y2), kind)
    except UsageError as error:
        raise ArgumentTypeError(f"{text!r}: {error}") from None
    except (ValueError, ArgumentTypeError):
        raise ArgumentTypeError(
            f"{text!r} is not RANGE:x1,y1,x2,y2[:KIND], such as 120-300:0.7,0.8,1,1:plate or "
            "0:05-0:12:640,20,900,120"
        ) from None


def _seconds(text: str) -> Fraction:
    """[hours:]minutes:seconds as seconds."""
    parts = [Fraction(part) for part in text.split(":")]
    if not 2 <= len(parts) <= 3 or any(part < 0 for part in parts):
        raise ValueError(text)
    return sum((part * 60**place for place, part in enumerate(reversed(parts))), Fraction())


def positive(text: str) -> int:
    """A whole number from 1 on."""
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return value


def rate(text: str) -> Fraction:
    """Frames per second: 25, 29.97 or 30000/1001."""
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        value = Fraction()
    if not Fraction(1, 100) <= value <= 1000:
        raise ArgumentTypeError(f"{text!r} is not a frame rate, such as 25 or 30000/1001")
    return value


def duration(text: str) -> Fraction:
    """A number of seconds: 3, 2.5 or 3s."""
    try:
        value = Fraction(text.removesuffix("s"))
    except (ValueError, ZeroDivisionError):
        value = Fraction()
    if not 0 < value <= 3600:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds, such as 3s")
    return value


def size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ArgumentTypeError(f"{text!r} is not a size, such as 1920x1080")
    return int(width), int(height)


def address(text: str) -> tuple[int, str]:
    """[HOST:]PORT as the port and the host."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ArgumentTypeError(f"{text!r} is not [HOST:]PORT, such as 9100 or 0.0.0.0:9100")
    return int(port), host or "127.0.0.1"


def person(text: str) -> tuple[str, Path]:
    """NAME=PHOTOS."""
    name, equals, photos = text.partition("=")
    if not name or not equals or not photos:
        raise ArgumentTypeError(f"{text!r} is not NAME=PHOTOS, such as Ann=photos/ann/")
    return name, Path(photos)


def verify_frames(text: str) -> int | str:
    """Every how many frames the networks verify the output, or `sampled` or `off`."""
    if text in ("sampled", "off"):
        return text
    try:
        return 1 if text == "every" else positive(text)
    except ArgumentTypeError:
        raise ArgumentTypeError(
            f"{text!r} is none of sampled, every, off and a number of frames, such as 10"
        ) from None


def percent(text: str) -> float:
    """A number from 0 to 100."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise ArgumentTypeError(f"{text!r} is not a percentage from 0 to 100")
    return value
