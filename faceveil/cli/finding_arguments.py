"""Arguments about finding: whom a command is about, by which networks faces are detected and
recognised, and how they are followed."""

from __future__ import annotations

import argparse

from faceveil.cli import parsing
from faceveil.cli.arguments import Group


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Which people are veiled."""
    group = parser.add_argument_group(
        "people", "Everyone is veiled, unless --keep… or --only… names people."
    )
    for mode, effect in (("keep", "leave {} visible"), ("only", "veil only {}")):
        add_photos(group, mode, effect)
        group.add_argument(
            f"--{mode}-at",
            type=parsing.point,
            action="append",
            default=[],
            metavar="FRAME:X,Y",
            help=effect.format("the person at this place of this frame (0-based)")
            + ", in every shot",
        )
        group.add_argument(
            f"--{mode}-identity",
            type=int,
            action="append",
            default=[],
            metavar="N",
            help=effect.format("this identity of analysis.json"),
        )
    group.add_argument("--nobody", action="store_true", help="leave everyone visible")
    group.add_argument(
        "--between",
        type=parsing.between,
        action="append",
        default=[],
        metavar="START-END",
        help="apply the choice only here, and veil everyone elsewhere: frames (300-600, without "
        "600) or times (1:20-1:35.5; name frames where the frame rate varies)",
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
        help="similarity from which a face may match: up to --accept it is veiled and listed",
    )


def add_photos(group: Group, mode: str, effect: str) -> None:
    """`--keep` or `--only`: people known by their photos. `effect` takes them at its {}."""
    group.add_argument(
        f"--{mode}",
        type=parsing.path,
        action="append",
        default=[],
        metavar="PHOTOS",
        help=effect.format("this person") + ": a photo, or a folder of photos of one person",
    )


def add_regions(parser: argparse.ArgumentParser) -> None:
    """Parts of the picture that are veiled whatever is seen there."""
    parser.add_argument(
        "--region",
        type=parsing.region,
        action="append",
        default=[],
        metavar="START-END:x1,y1,x2,y2[:KIND]",
        help="veil this part of the picture whatever is seen there, with the margin of the veils "
        "around it: pixels, or shares of the picture (120-300:0.7,0.8,1,1); several times",
    )


def add_also(group: Group, what: str) -> None:
    """`--also`: networks that detect something beside faces."""
    group.add_argument(
        "--also",
        type=parsing.also,
        action="append",
        default=[],
        metavar="FILE[:kind=KIND,accept=SCORE]",
        help=what,
    )


def add_networks(parser: argparse.ArgumentParser) -> None:
    """The networks that detect and recognise, and what they run on."""
    group = parser.add_argument_group("networks")
    group.add_argument(
        "--detector",
        default="union",
        metavar="NAME",
        help="union (default), another name of `faceveil weights list`, rekognition, an .onnx "
        "file (`faceveil weights families`), or a folder: MXNet checkpoints, one of InsightFace's "
        "packs",
    )
    group.add_argument(
        "--profile",
        default="default",
        metavar="NAME",
        help="how thoroughly the union searches each frame: fast, default or high-recall",
    )
    group.add_argument(
        "--recognizer",
        default="arcface-mobilefacenet",
        metavar="NAME",
        help="a name of `faceveil weights list`, an .onnx file (`faceveil weights families`), one "
        "of InsightFace's packs, or none: faces are not recognised, so photos cannot choose people",
    )
    add_also(
        group,
        "an .onnx file that detects something beside faces, which is always veiled (plate, "
        "head, person, screen or other): --also plates.onnx:kind=plate,accept=0.4; several times",
    )
    group.add_argument(
        "--min-face-size", type=float, metavar="PIXELS", help="ignore faces smaller than this"
    )
    group.add_argument(
        "--accept-licence",
        action="store_true",
        help="use networks whose licence forbids commercial use",
    )
    group.add_argument(
        "--engine",
        default="auto",
        metavar="NAME",
        help="what the networks run on: auto (default), the fastest engine that detects as well, "
        "measured once; or a name of `faceveil weights engines`, such as onnxruntime, "
        "openvino-bf16 or onnxruntime-cuda",
    )
    group.add_argument(
        "--workers",
        type=parsing.positive,
        metavar="N",
        help="frames analysed at once (default: one per core)",
    )
    group.add_argument(
        "--threads", type=parsing.positive, default=1, metavar="N", help="threads a network uses"
    )


def add_following(parser: argparse.ArgumentParser) -> None:
    """How faces are followed from frame to frame."""
    group = parser.add_argument_group("following faces")
    group.add_argument(
        "--sampling",
        choices=("every", "adaptive"),
        default="every",
        help="analyse every frame (default), or only as many as needed: one in 4 to 12 where "
        "little happens, more where faces come, go or move fast, always both sides of a cut",
    )
    group.add_argument(
        "--tracking",
        choices=("on", "off"),
        default="on",
        help="follow faces by their pixels where they are not detected, for up to 5 seconds: the "
        "more often and the more clearly a face was detected, the longer",
    )
    group.add_argument("--thesis", action="store_true", help="use the 2022 thesis's parameters")
    group.add_argument("--distance", help="how faces are matched: motion or thesis")
    group.add_argument(
        "--join-gap",
        type=int,
        metavar="FRAMES",
        help="join sequences of one person up to this far apart in a shot",
    )
    group.add_argument("--interpolation", metavar="NAME", help="pchip, linear, cubic, akima …")
    group.add_argument(
        "--smoothing", metavar="NAME", help="gaussian, savitzky_golay …, rts (fills gaps too), none"
    )
    group.add_argument("--smoothing-window", type=int, metavar="FRAMES", help="an odd number")
    group.add_argument(
        "--extension", type=int, metavar="FRAMES", help="extend each sequence at both ends"
    )
    group.add_argument(
        "--min-length",
        type=int,
        metavar="FRAMES",
        help="drop shorter sequences that hold no detected face",
    )
