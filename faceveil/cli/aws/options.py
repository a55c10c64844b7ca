"""The options of the verbs of `faceveil aws`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

from faceveil.cli.arguments import add_progress, add_selection, person, positive
from faceveil.cli.judge_options import add_style

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

UPLOAD = """\
Bring the frames of a video, or a folder of frames, to frames/<job>/ of the bucket.

  faceveil aws upload talk.mp4 --job talk-1 --with-video --person "Ann Lee=photos/ann/"
  faceveil aws upload frames/ --job talk-1 --dry-run

The frames of a video become img0000001.jpg … (or .png, lossless and three to four times as large);
those of a folder are brought as they are. What is in the bucket already, byte for byte, is not
sent again: run the same command again after an interruption. Nothing is ever written over: frames
that differ need another job id.
"""

SUBMIT = """\
Write job.json, which starts the job that was uploaded under this id.

  faceveil aws submit talk-1                                  veil everyone
  faceveil aws submit talk-1 --keep "Ann Lee"                 all but a person of `upload --person`
  faceveil aws submit talk-1 --only photos/witness/           photos of this machine are brought
  faceveil aws submit talk-1 --keep-at 1500:640,300 --video talk.mp4
  faceveil aws submit talk-1 --frames archive/talk-1/ --rate 25     frames that others brought

The same command again changes nothing; another job of the same id is refused.
"""

WATCH = """\
Follow a job until it has ended: its state, how far it is, how long it will take and has cost.

Ends with 0 when it has completed, and with the code of its error when it has failed: 3 bad input,
4 a face would stay visible, 5 something cannot be written, 6 no networks.
"""

DOWNLOAD = """\
Fetch what a completed job has made: DEST/veiled/, analysis.json, report.json and the video.

Every frame is checked against the SHA-256 of the job's manifest. What is there already and right
is not fetched again, so repeat the command after an interruption.
"""

ASSEMBLE = """\
Make a video of veiled frames: with the audio, subtitles and times of the video that they were
split from (--source), or silent at --rate frames per second.

  faceveil aws assemble talk-1/veiled/ out.mp4 --source talk.mp4
"""

CLEANUP = """\
Delete what a job leaves in the bucket, features first. Other jobs are not touched, and what
another job still uses is refused.

  faceveil aws cleanup talk-1 --features                detections, which hold biometric data
  faceveil aws cleanup talk-1 --features --frames --results --yes

job.json and the notes of the start stay, so that nobody takes the id for a new one: SageMaker
gives a name once.
"""

ESTIMATE = """\
What a video will take on each instance type: minutes and dollars of the transform job, of
post-processing (Lambda or AWS Batch) and of S3.

  faceveil aws estimate talk.mp4                                    measures this machine first
  faceveil aws estimate --frames 108000 --size 1920x1080 --instance-count 1 --instance-count 8
  faceveil aws estimate talk.mp4 --measured-fps ml.c5.xlarge=4.9    what a job of yours has shown
  faceveil aws estimate talk.mp4 --prices my-prices.toml --json

Prices are data with a date and a region (prices.toml; --show-prices prints it), written down from
public lists and not asked of AWS: check them before relying on them. Frames per second come from
--measured-fps, else from a few frames of the video on this machine, else from our benchmark.
--runs FILE computes runs that took place (instance type and count, seconds, price) to the cent,
before the estimate, and ends with 3 where one was said to have cost something else:

  [[run]]
  name = "ten hours on two"
  instance_type = "ml.c5.xlarge"
  instance_count = 2
  seconds = 36000
  hourly = 0.204      # left out: as in the price table
  stated = 4.08       # dollars; left out: nothing to compare with

The 2022 thesis's tables 4.5-4.12 are such runs; their figures are not part of this package.
"""

BUILD_IMAGES = """\
Build the images of the server and of post-processing in a checkout, push them to ECR, and write
their digests as images.auto.tfvars for terraform.

  terraform output -json > outputs.json
  faceveil aws build-images --outputs outputs.json --tfvars images.auto.tfvars
  faceveil aws build-images --no-push                   only build, with podman or docker
  faceveil aws build-images --gpu …                     a server for ml.g4dn and ml.g5 instances

The images are stored in Docker's format (manifest v2, schema 2), which is read back after the push:
SageMaker refuses OCI's.
"""


def add_upload(verbs: Verbs) -> None:
    parser = _verb(verbs, "upload", "INPUT --job ID", "bring a video's frames", UPLOAD)
    parser.add_argument("input", type=Path, help="a video file or a folder of frames")
    parser.add_argument("--job", required=True, metavar="ID", help="the job they are for")
    parser.add_argument("--format", choices=("jpeg", "png"), default="jpeg", help="default jpeg")
    parser.add_argument("--quality", type=int, default=95, metavar="1-100", help="of JPEG (95)")
    parser.add_argument(
        "--with-video",
        action="store_true",
        help="bring the video, too: a job can then make a video with its audio and times",
    )
    parser.add_argument(
        "--person",
        type=person,
        action="append",
        default=[],
        metavar="NAME=PHOTOS",
        help="bring a photo, or a folder of photos of one person, for `submit --keep NAME`",
    )
    parser.add_argument(
        "--workers", type=positive, default=8, metavar="N", help="frames sent at once (8)"
    )
    add_deployment(parser)
    add_dry_run(parser)
    add_progress(parser)


def add_submit(verbs: Verbs) -> None:
    parser = _verb(verbs, "submit", "JOB", "write job.json, which starts the job", SUBMIT)
    parser.add_argument("job", metavar="JOB", help="the id that the frames were uploaded for")
    group = parser.add_argument_group("what is veiled")
    group.add_argument(
        "--frames", metavar="PREFIX", help="where frames lie that were not brought by `upload`"
    )
    group.add_argument("--rate", metavar="FPS", help="frames per second of these, 25 or 30000/1001")
    group.add_argument(
        "--sampling",
        choices=("every", "adaptive"),
        default="every",
        help="look for faces in every frame, or (a second transform job) only where looks at "
        "every few frames disagree",
    )
    add_selection(parser)
    group = parser.add_argument_group("what the output looks like")
    add_style(group)
    group.add_argument("--video", metavar="NAME", help="make a video, jobs/<id>/NAME.mp4, too")
    _add_encoding(group)
    _add_policies(parser)
    _add_networks(parser)
    group = parser.add_argument_group("the transform job")
    group.add_argument("--instance-type", metavar="TYPE", help="such as ml.c5.xlarge")
    group.add_argument("--instance-count", type=positive, metavar="N")
    add_deployment(parser)
    add_dry_run(parser)


def _add_policies(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("when something is wrong")
    group.add_argument(
        "--verify",
        choices=("fail", "report", "off"),
        default="fail",
        help="look at the output for faces that show: fail the job (default), report, or off",
    )
    group.add_argument(
        "--on-failure",
        choices=("refuse", "veil_unknown"),
        default="refuse",
        help="of the transform job or a frame: refuse (default), or veil what is not known",
    )
    group.add_argument(
        "--delete-features",
        action="store_true",
        help="delete the detections, which hold features, when the job has succeeded",
    )


def _add_networks(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("networks", "those of the deployment's model, if not usual")
    group.add_argument("--detector", metavar="NAME")
    group.add_argument("--recognizer", metavar="NAME")
    group.add_argument("--accept-licence", action="store_true")


def add_watch(verbs: Verbs) -> None:
    parser = _verb(verbs, "watch", "JOB", "follow a job until it has ended", WATCH)
    parser.add_argument("job", metavar="JOB")
    parser.add_argument(
        "--every", type=float, default=5.0, metavar="S", help="seconds between looks (5)"
    )
    parser.add_argument("--prices", type=Path, metavar="TOML", help="as for `estimate`")
    add_deployment(parser)
    add_progress(parser)


def add_download(verbs: Verbs) -> None:
    parser = _verb(verbs, "download", "JOB DEST", "fetch what a job has made", DOWNLOAD)
    parser.add_argument("job", metavar="JOB")
    parser.add_argument("destination", type=Path, metavar="DEST", help="a folder")
    parser.add_argument(
        "--workers", type=positive, default=16, metavar="N", help="files fetched at once (16)"
    )
    add_deployment(parser)
    add_dry_run(parser)
    add_progress(parser)


def add_assemble(verbs: Verbs) -> None:
    parser = _verb(verbs, "assemble", "FRAMES OUTPUT", "make a video of veiled frames", ASSEMBLE)
    parser.add_argument("frames", type=Path, help="a folder of veiled frames")
    parser.add_argument("output", type=Path, help="a video file (.mp4, .mov, .mkv)")
    parser.add_argument("--source", type=Path, metavar="VIDEO", help="that they were split from")
    parser.add_argument("--rate", metavar="FPS", help="without --source: 25 or 30000/1001")
    _add_encoding(parser)
    add_dry_run(parser)


def add_cleanup(verbs: Verbs) -> None:
    parser = _verb(verbs, "cleanup", "JOB", "delete what a job leaves in the bucket", CLEANUP)
    parser.add_argument("job", metavar="JOB")
    for name, what in (
        ("features", "detections/<id>/, which hold biometric data"),
        ("frames", "frames/<id>/"),
        ("results", "all of jobs/<id>/ but job.json: photos, veiled frames, report"),
    ):
        parser.add_argument(f"--{name}", action="store_true", help=what)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_deployment(parser)
    add_dry_run(parser)


def add_estimate(verbs: Verbs) -> None:
    usage = "VIDEO | --frames N --size WxH"
    parser = _verb(verbs, "estimate", usage, "time and money on each instance type", ESTIMATE)
    parser.add_argument("video", type=Path, nargs="?", help="a video file or a folder of frames")
    parser.add_argument("--frames", type=positive, metavar="N", help="instead of a video")
    parser.add_argument("--size", default="1920x1080", metavar="WxH", help="default 1920x1080")
    parser.add_argument("--fps", type=float, default=25.0, help="of --frames; default 25")
    parser.add_argument("--format", choices=("jpeg", "png"), default="jpeg", help="as for `upload`")
    parser.add_argument(
        "--measured-fps",
        action="append",
        default=[],
        metavar="[TYPE=]FPS",
        help="frames per second of one vCPU, or of one instance of a type (may be repeated)",
    )
    parser.add_argument(
        "--instance-count",
        type=positive,
        action="append",
        metavar="N",
        help="may be repeated; default 1 and 4",
    )
    parser.add_argument("--prices", type=Path, metavar="TOML", help="prices of your own")
    parser.add_argument("--show-prices", action="store_true", help="print the prices and end")
    parser.add_argument("--runs", type=Path, metavar="TOML", help="compute runs that took place")
    parser.add_argument("--json", action="store_true", help="for programs")


def add_build_images(verbs: Verbs) -> None:
    parser = _verb(verbs, "build-images", "", "build and push the images", BUILD_IMAGES)
    parser.add_argument(
        "--checkout", type=Path, default=Path(), metavar="FOLDER", help="default: this folder"
    )
    parser.add_argument("--engine", choices=("podman", "docker"), help="default: what there is")
    parser.add_argument("--tag", help="default: the time; tags are used once")
    parser.add_argument("--no-push", action="store_true", help="only build")
    parser.add_argument(
        "--gpu", action="store_true", help="the server on NVIDIA's CUDA base image (not measured)"
    )
    parser.add_argument(
        "--build-option",
        action="append",
        default=[],
        metavar="OPTION",
        help="for the engine's build, such as --build-option=--no-cache; may be repeated",
    )
    for image in ("server", "postprocess"):
        parser.add_argument(
            f"--{image}-repository", metavar="ADDRESS", help="default: of --outputs"
        )
    parser.add_argument("--tfvars", type=Path, metavar="FILE", help="default: standard output")
    parser.add_argument("--outputs", type=Path, metavar="JSON", help="`terraform output -json`")
    add_dry_run(parser)


ADD_VERBS = (
    add_estimate,
    add_upload,
    add_submit,
    add_watch,
    add_download,
    add_assemble,
    add_cleanup,
    add_build_images,
)


def _verb(
    verbs: Verbs, name: str, operands: str, summary: str, description: str
) -> argparse.ArgumentParser:
    """A verb that is a function of this name in the module of this name."""
    parser = verbs.add_parser(
        name,
        help=summary,
        usage=f"faceveil aws {name} {operands} [options]".replace("  ", " "),
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    function = name.replace("-", "_")
    parser.set_defaults(module=f"faceveil.cli.aws.{function}", command=function)
    return parser


def add_deployment(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the deployment")
    group.add_argument("--bucket", help="default: of --outputs, or $FACEVEIL_BUCKET")
    group.add_argument("--outputs", type=Path, metavar="JSON", help="`terraform output -json`")


def _add_encoding(group: argparse._ActionsContainer) -> None:
    group.add_argument("--crf", type=float, help="x264 quality: 18 (default) is visually lossless")
    group.add_argument("--preset", help="x264 preset: faster or smaller")


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would happen; change nothing"
    )
