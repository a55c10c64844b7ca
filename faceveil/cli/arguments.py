"""Arguments that several commands share: each function adds one group, so all read alike."""

from __future__ import annotations

import argparse
from typing import TypeAlias

from faceveil.cli import parsing
from faceveil.cli.program import EXIT_CODES

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Group: TypeAlias = "argparse._ActionsContainer"


def add_command(
    commands: Commands, name: str, operands: str, summary: str, description: str = ""
) -> argparse.ArgumentParser:
    """Add a command with its help; `operands` follow its name in the line of usage."""
    parser = commands.add_parser(
        name,
        help=summary,
        usage=f"%(prog)s {operands} [options]".replace("  ", " "),
        description=description or f"{summary[0].upper()}{summary[1:]}.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error, to report it"
    )
    return parser


def add_analysed(parser: argparse.ArgumentParser) -> None:
    """What kind of frames the input holds, and what is kept of their faces."""
    parser.add_argument(
        "--stills",
        action="store_true",
        help="the input is a folder of unrelated pictures: each keeps its name, and faces are not "
        "followed from one to the next",
    )
    add_reading(parser)
    parser.add_argument(
        "--features",
        type=parsing.path,
        metavar="NPZ",
        help="save the features of the faces (biometric data!), to choose by photo later",
    )


def add_reading(parser: argparse.ArgumentParser) -> None:
    """How frames are read."""
    parser.add_argument(
        "--recursive", action="store_true", help="read the pictures of sub-folders, too"
    )
    parser.add_argument(
        "--hwaccel",
        metavar="DEVICE",
        help="decode a video by hardware, as FFmpeg names it: cuda, qsv, videotoolbox …",
    )


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


def add_overwrite(group: Group) -> None:
    """`--overwrite`."""
    group.add_argument(
        "--overwrite", action="store_true", help="replace outputs that exist; they are kept without"
    )


def add_style(group: Group) -> None:
    """What a veil looks like."""
    group.add_argument(
        "--veil",
        default="round",
        metavar="STYLE",
        help="round (default, a grey oval), blend (an oval in the colours around it), square, "
        "pixelate, solid, or upper (top of the face only)",
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


def add_progress(parser: argparse.ArgumentParser) -> None:
    """How a command tells how far it is."""
    group = parser.add_argument_group("messages")
    group.add_argument(
        "--progress",
        choices=("auto", "bar", "json", "none"),
        default="auto",
        help="auto (default): a bar on a terminal; json: one line a second on standard error",
    )
    group.add_argument("--quiet", action="store_true", help="print errors only")
