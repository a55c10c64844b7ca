"""Arguments that several commands share, and how their texts are read."""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Who is veiled."""
    group = parser.add_argument_group(
        "who is veiled", "Everyone, unless --keep… names who stays visible or --only… who is veiled"
    )
    for mode, what in (("keep", "leave visible"), ("only", "veil only")):
        add_photos(group, mode, what)
        group.add_argument(
            f"--{mode}-at",
            type=_point,
            action="append",
            default=[],
            metavar="FRAME:X,Y",
            help=f"{what} the person at this place of this frame (0-based), in every shot",
        )
        group.add_argument(
            f"--{mode}-identity",
            type=int,
            action="append",
            default=[],
            metavar="N",
            help=f"{what} this identity of analysis.json",
        )
    group.add_argument("--nobody", action="store_true", help="veil nobody")
    group.add_argument(
        "--between",
        type=_between,
        action="append",
        default=[],
        metavar="START-END",
        help="the choice counts only here, all are veiled outside: frames (300-600, without 600) "
        "or times (1:20-1:35.5; of a video with a varying frame rate, name frames)",
    )
    group.add_argument(
        "--accept",
        type=float,
        metavar="COSINE",
        help="similarity from which a face matches a photo",
    )
    group.add_argument(
        "--uncertain",
        type=float,
        metavar="COSINE",
        help="similarity from which a face may match; up to --accept it is veiled and listed",
    )


def add_photos(group: argparse._ArgumentGroup, mode: str, what: str) -> None:
    """`--keep` or `--only`, which say what to do with a person known by photos."""
    group.add_argument(
        f"--{mode}",
        type=Path,
        action="append",
        default=[],
        metavar="PHOTOS",
        help=f"{what} this person: a photo, or a folder of photos of one person",
    )


def add_progress(parser: argparse.ArgumentParser) -> None:
    """How a command tells how far it is."""
    group = parser.add_argument_group("talking")
    group.add_argument(
        "--progress",
        choices=("auto", "bar", "json", "none"),
        default="auto",
        help="auto (default): a bar on a terminal; json: a line a second on standard error",
    )
    group.add_argument("--quiet", action="store_true", help="only errors")


def _point(text: str) -> tuple[int, float, float]:
    try:
        frame, place = text.split(":")
        x, y = place.split(",")
        return int(frame), float(x), float(y)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not FRAME:X,Y, such as 1500:640,300"
        ) from None


def _between(text: str) -> tuple[Fraction, Fraction, bool]:
    """Start, end, and whether they are seconds rather than frames."""
    start, _, end = text.partition("-")
    try:
        if ":" in text:
            return _seconds(start), _seconds(end), True
        return Fraction(int(start)), Fraction(int(end)), False
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither FRAME-FRAME, such as 300-600, nor TIME-TIME, such as 1:20-1:35.5"
        ) from None


def _seconds(text: str) -> Fraction:
    """Of [hours:]minutes:seconds."""
    parts = [Fraction(part) for part in text.split(":")]
    if not 2 <= len(parts) <= 3 or any(part < 0 for part in parts):
        raise ValueError(text)
    return sum((part * 60**place for place, part in enumerate(reversed(parts))), Fraction())


def positive(text: str) -> int:
    """A whole number from 1 on."""
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return value


def person(text: str) -> tuple[str, Path]:
    """NAME=PHOTOS."""
    name, equals, photos = text.partition("=")
    if not name or not equals or not photos:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PHOTOS, such as Ann=photos/ann/")
    return name, Path(photos)
