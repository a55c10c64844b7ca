"""`faceveil review`: look, choose and correct in the browser."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_analysed, add_command, add_progress
from faceveil.cli.aws.deployment import add_deployment, checked_id, client_of
from faceveil.cli.finding_arguments import add_following, add_networks, add_selection
from faceveil.cli.output_arguments import add_style
from faceveil.errors import UsageError
from faceveil.paths import Kind, Written, check_paths, with_ending

if TYPE_CHECKING:
    from faceveil.analysis import Analysis
    from faceveil.media.frames import FrameSource
    from faceveil.review.output import ReviewOutputs
    from faceveil.review.session import Review

DESCRIPTION = """\
Look at what was found, choose people, correct what is wrong and render: a page in the browser,
served by this machine alone.

  faceveil review talk.mp4                            analyse first where that was not done yet
  faceveil review talk.mp4 --keep photos/anchor/      the same, with a first choice of people
  faceveil review talk.mp4 --analysis talk.json       review an analysis made before
  faceveil review talk.mp4 --reviewer Ada             the name that each correction gets
  faceveil review --job talk-1 --bucket my-bucket     a job in the cloud

The analysis lies in talk.analysis.json, what you change in talk.corrections.json, both beside the
video; the video itself is never changed. `faceveil render --corrections` renders with them later.
Every change is saved as it is made, and undone with Ctrl-Z, also after a restart.

With --job, frames and analysis are those of a job that has been analysed, and the corrections are
kept beside it, in jobs/ID/corrections.json of the bucket. Rendering submits another job over the
same detections, jobs/ID-review-…, and shows how far it is; with --output FOLDER this machine
renders into a folder instead.
"""


def add_review_parser(commands: Commands) -> None:
    """Add `review` to the commands."""
    parser = add_command(
        commands,
        "review",
        "VIDEO | --job ID",
        "look, choose and correct in the browser",
        DESCRIPTION,
    )
    parser.add_argument(
        "input", type=parsing.path, nargs="?", help="a video file or a folder of frames"
    )
    parser.add_argument(
        "--job", metavar="ID", help="review a job in the cloud instead of a video (extra `aws`)"
    )
    parser.add_argument(
        "--analysis",
        type=parsing.path,
        metavar="JSON",
        help="the analysis (default: VIDEO's name with .analysis.json; made first where missing)",
    )
    parser.add_argument(
        "--corrections",
        type=parsing.path,
        metavar="JSON",
        help="the corrections (default: VIDEO's name with .corrections.json)",
    )
    parser.add_argument(
        "--output",
        type=parsing.path,
        metavar="PATH",
        help="where the page renders to (default: VIDEO's name with .veiled before its extension); "
        "what exists is kept, and another number is taken; with --job: a folder to render into "
        "here, instead of submitting a job",
    )
    parser.add_argument(
        "--reviewer",
        default=_user(),
        metavar="NAME",
        help="who makes the corrections, for the report (default: %(default)s)",
    )
    server = parser.add_argument_group("server")
    server.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="the address to listen on (default: this machine only). Faces travel unencrypted: "
        "name another one inside a network that you trust only",
    )
    server.add_argument("--port", type=int, default=0, help="the port (default: a free one)")
    server.add_argument(
        "--no-browser", action="store_true", help="print the address, open no browser"
    )
    add_analysed(parser)
    add_selection(parser)
    add_networks(parser)
    add_following(parser)
    add_style(parser.add_argument_group("output"))
    add_deployment(parser)
    add_progress(parser)
    parser.set_defaults(func=run_review, interrupted="what was analysed is not kept")


def run_review(options: argparse.Namespace) -> int:
    """`faceveil review`. Raises InputError where the analysis is of another video."""
    from faceveil.review.serve import serve

    if (options.input is None) == (options.job is None):
        raise UsageError("name a video, or a job with --job")
    review, outputs = _of_video(options) if options.job is None else _of_job(options)
    serve(
        review,
        outputs,
        host=options.host,
        port=options.port,
        browser=not options.no_browser,
        say=_say,
    )
    return 0


def _of_job(options: argparse.Namespace) -> tuple[Review, ReviewOutputs]:
    from faceveil.cli.options import request_of
    from faceveil.review.cloud import open_job
    from faceveil.review.output import Outputs

    if options.analysis or options.corrections or request_of(options).mode != "all":
        raise UsageError(
            "--job reviews the job's own analysis and corrections: choose people in the page"
        )
    client = client_of(options)
    review, outputs = open_job(client, checked_id(options.job), options.reviewer)
    return review, Outputs(review, options.output) if options.output else outputs


def _of_video(options: argparse.Namespace) -> tuple[Review, ReviewOutputs]:
    from faceveil.analysis import read_analysis
    from faceveil.cli.options import style_of
    from faceveil.media.open import open_source
    from faceveil.review.output import Outputs, output_beside
    from faceveil.review.session import Review
    from faceveil.review.store import CorrectionsFile

    video = options.input
    analysis_path = options.analysis or _beside(video, ".analysis.json")
    corrections_path = options.corrections or _beside(video, ".corrections.json")
    check_paths(
        [video],
        [
            Written("the analysis", analysis_path, Kind.FILE),
            Written("the corrections", corrections_path, Kind.FILE),
        ],
        overwrite=True,
    )
    source = open_source(
        video, stills=options.stills, recursive=options.recursive, hwaccel=options.hwaccel
    )
    if analysis_path.exists():
        analysis = read_analysis(analysis_path)
    else:
        analysis = _analyse(options, source, analysis_path)
    review = Review(
        source,
        analysis,
        CorrectionsFile(corrections_path),
        reviewer=options.reviewer,
        style=style_of(options),
    )
    target = options.output or output_beside(Path(video), source.kind)
    return review, Outputs(review, target)


def _analyse(options: argparse.Namespace, source: FrameSource, path: Path) -> Analysis:
    from faceveil import pipeline
    from faceveil.analysis import write_analysis
    from faceveil.cli.options import analysis_options_of, request_of
    from faceveil.identity.features import write_features

    _say(f"Analysing first; the result is kept in {path}")
    analysis = pipeline.analyse_and_decide(
        source, request_of(options), **analysis_options_of(options)
    )
    if options.features:
        write_features(analysis.sequences, analysis.source.digest, options.features)
    write_analysis(analysis, path)
    return analysis


def _beside(video: Path, ending: str) -> Path:
    """A name beside a video or folder, without its extension."""
    return with_ending(video.with_name(video.stem if video.is_file() else video.name), ending)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
