"""Arguments about the output: what veils look like, what is written, and how it is verified."""

from __future__ import annotations

import argparse

from faceveil.cli import parsing
from faceveil.cli.arguments import Group, add_overwrite


def add_rendering(parser: argparse.ArgumentParser) -> None:
    """What the output looks like, and what is written beside it."""
    group = parser.add_argument_group("output")
    add_style(group)
    group.add_argument(
        "--draw-boxes",
        action="store_true",
        help="draw boxes instead of veils: kept blue, veiled red, dashed where interpolated",
    )
    add_overwrite(group)
    group.add_argument(
        "--contact-sheet",
        type=parsing.path,
        metavar="PNG",
        help="write a picture, one row per identity",
    )
    group.add_argument(
        "--report",
        type=parsing.path,
        metavar="FILE",
        help="write what was done, found and decided: report.json, or report.html for people",
    )
    group.add_argument(
        "--sign",
        type=parsing.path,
        metavar="KEY",
        help="sign the report with an Ed25519 key in PEM (faceveil verify-report checks it)",
    )
    group.add_argument(
        "--reviewer", metavar="NAME", help="name in the report who answers for the output"
    )
    group.add_argument(
        "--matte",
        type=parsing.place,
        metavar="MOV",
        help="write a matte for editing programs, white where the output is veiled: a .mov file "
        "(ProRes), or a folder of PNG files with a slash at its end",
    )
    group.add_argument(
        "--keyframes",
        type=parsing.path,
        metavar="JSON",
        help="write the veils as keyframes for editing programs",
    )
    group.add_argument(
        "--analysis",
        dest="analysis_output",
        type=parsing.path,
        metavar="JSON",
        help="write what was found and decided",
    )
    add_encoding(group)
    group.add_argument(
        "--rate",
        type=parsing.rate,
        metavar="FPS",
        help="frames per second of a video made from pictures: 25 or 30000/1001",
    )


def add_style(group: Group) -> None:
    """What a veil looks like."""
    group.add_argument(
        "--veil",
        default="round",
        metavar="STYLE",
        help="round (default, a grey oval), blend (an oval in the colours around it), head (a grey "
        "oval over the whole head), square, pixelate, solid, or upper (top of the face only)",
    )
    group.add_argument(
        "--margin", type=float, metavar="SHARE", help="added on each side, as a share of the box"
    )


def add_encoding(group: Group) -> None:
    """How a video is encoded, and what comes with it."""
    group.add_argument(
        "--codec",
        metavar="NAME",
        help="h264, hevc, av1, prores, or an encoder of hardware such as hevc_nvenc (default: hevc "
        "for HDR and more than 8 bits, av1 for .webm, else h264)",
    )
    add_quality(group)
    group.add_argument(
        "--audio",
        choices=("copy", "encode", "drop"),
        help="copy (default; what the container cannot hold is encoded), encode, or drop",
    )
    group.add_argument(
        "--unveiled",
        choices=("copy", "encode"),
        help="pictures between two key frames that get no veil: encode (default), or copy (bit for "
        "bit, in H.264 where nothing else changes)",
    )
    group.add_argument(
        "--strip-metadata",
        action="store_true",
        help="leave out location, camera, owner and other tags of recording",
    )


def add_quality(group: Group) -> None:
    """The quality of an encoded video."""
    group.add_argument(
        "--crf",
        type=float,
        help="quality on x264's scale: 18 (default) is visually lossless, 0 lossless, 51 the worst",
    )
    group.add_argument("--preset", help="x264's presets: faster encoding or smaller files")


def add_verification(parser: argparse.ArgumentParser) -> None:
    """How the output is verified before it is published."""
    group = parser.add_argument_group(
        "verification",
        "Before the output is published, every veil is compared with the input, and the networks\n"
        "search the output for faces. If one shows, the output is kept as OUTPUT.unverified and\n"
        "the command fails.",
    )
    group.add_argument(
        "--verify-frames",
        type=parsing.verify_frames,
        default="sampled",
        metavar="WHICH",
        help="the frames that the networks search: sampled (default: every 30th, and at least one "
        "of each sequence; unrelated pictures all), every, a number N for every Nth, or off: "
        "nothing is verified",
    )
    add_crops(group)
    add_on_violation(group)


def add_on_violation(group: Group) -> None:
    """What happens when the output shows a face that must be veiled."""
    group.add_argument(
        "--on-violation",
        choices=("fail", "report"),
        default="fail",
        help="when a face shows: fail (default), or publish the output and only report the face",
    )


def add_crops(group: Group) -> None:
    """Where pictures of what verification finds are saved."""
    group.add_argument(
        "--crops",
        type=parsing.path,
        metavar="FOLDER",
        help="save pictures of what verification finds (confidential: they show faces)",
    )
