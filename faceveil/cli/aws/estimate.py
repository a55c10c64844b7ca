"""`faceveil aws estimate`: the time and money a video takes on each instance type."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command
from faceveil.errors import UsageError

if TYPE_CHECKING:
    from faceveil.jobs.costs.job_costs import Load, Row
    from faceveil.jobs.costs.prices import Prices
    from faceveil.media.frames import FrameSource

DESCRIPTION = """\
Estimate what a video takes on each instance type: minutes and dollars of the transform job, of
post-processing (Lambda or AWS Batch) and of S3; and of Processing jobs alone (submit --as
processing), whose instances veil and verify as well.

  faceveil aws estimate talk.mp4                                    measures this machine first
  faceveil aws estimate --frames 108000 --size 1920x1080 --instance-count 1 --instance-count 8
  faceveil aws estimate talk.mp4 --measured ml.c5.xlarge=4.9        measured in a job of yours
  faceveil aws estimate talk.mp4 --region eu-north-1
  faceveil aws estimate talk.mp4 --prices my-prices.toml --json

Prices are data with a date and a region (prices.toml; --show-prices prints it), copied from public
lists and not asked of AWS: check them before relying on them. Frames per second come from
--measured, else from a few frames of the video on this machine, else from our benchmark. A vCPU is
one of the two threads of a core, and counts as half of a core of this machine. SageMaker sends one
frame a vCPU, and together no more than 100 MB at once: large frames leave part of a large instance
idle, and the table says so. GPU instances appear where they are measured: --measured
ml.g5.xlarge=FPS.

--runs FILE first computes the cost of past runs (instance type and count, seconds, price) to the
cent, and the exit code is 3 where a stated cost differs:

  [[run]]
  name = "ten hours on two"
  instance_type = "ml.c5.xlarge"
  instance_count = 2
  seconds = 36000
  hourly = 0.204      # default: the price table
  stated = 4.08       # dollars; without it nothing is compared

The 2022 thesis's tables 4.5-4.12 are such runs; their figures are not part of this package.
"""

COUNTS = (1, 4)
MEASURED_FRAMES = 4
WARM_UP_FRAMES = 1
MEASURED_AMONG = 500
"""Frames from the start that those measured are spread over: a video may begin in the dark."""


def add_estimate_parser(verbs: Commands) -> None:
    """Add `estimate` to the verbs."""
    parser = add_command(
        verbs,
        "estimate",
        "VIDEO | --frames N --size WxH",
        "time and money on each instance type",
        DESCRIPTION,
    )
    parser.add_argument(
        "video", type=parsing.path, nargs="?", help="a video file or a folder of frames"
    )
    parser.add_argument("--frames", type=parsing.positive, metavar="N", help="instead of a video")
    parser.add_argument(
        "--size",
        type=parsing.size,
        default=(1920, 1080),
        metavar="WxH",
        help="of --frames; default 1920x1080",
    )
    parser.add_argument("--format", choices=("jpeg", "png"), default="jpeg", help="as for `upload`")
    parser.add_argument(
        "--measured",
        "--measured-fps",
        dest="measured_fps",
        action="append",
        default=[],
        metavar="[TYPE=]FPS",
        help="frames per second of one vCPU, or of one instance of a type (may be repeated)",
    )
    parser.add_argument(
        "--instance-count",
        type=parsing.positive,
        action="append",
        metavar="N",
        help="may be repeated; default 1 and 4",
    )
    parser.add_argument(
        "--region", help="whose prices: default that of the AWS profile where it is known"
    )
    parser.add_argument("--prices", type=parsing.path, metavar="TOML", help="prices of your own")
    parser.add_argument("--show-prices", action="store_true", help="print the prices and end")
    parser.add_argument(
        "--runs", type=parsing.path, metavar="TOML", help="compute the cost of past runs"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(func=run_estimate)


def run_estimate(options: argparse.Namespace) -> int:
    """`faceveil aws estimate`: print the estimate."""
    from faceveil.jobs.costs import job_costs as costs
    from faceveil.jobs.costs.past_runs import read_runs
    from faceveil.jobs.costs.prices import prices_here, prices_text
    from faceveil.jobs.transforms.request import vcpus_of

    if options.show_prices:
        print(prices_text(), end="")
        return 0
    prices = prices_here(options.prices, options.region)
    if options.runs is not None:
        print(read_runs(options.runs, prices))
        if options.video is None and options.frames is None:
            return 0
    source = _source(options)
    load = _load(source, options)
    per_vcpu, measured, origin = _speed(prices, load, source, options)
    types = list(dict.fromkeys([*prices.estimated, *measured]))
    for name in types:
        if name not in prices.transform:
            raise UsageError(f"{name}: no price is known: add it to a file for --prices")
    sizes = [(name, count) for name in types for count in options.instance_count or COUNTS]
    rows = [
        costs.transform_row(
            prices,
            load,
            name,
            count,
            measured.get(name) or per_vcpu * costs.frames_at_once(prices, load, name),
        )
        for name, count in sizes
    ]
    rows += [
        costs.processing_row(
            prices, load, name, count, measured.get(name) or per_vcpu * vcpus_of(name)
        )
        for name, count in sizes
    ]
    if options.json:
        print(json.dumps(_document(prices, load, rows, origin), indent=2))
    else:
        print(table(prices, load, rows, origin))
    return 0


def _source(options: argparse.Namespace) -> FrameSource | None:
    from faceveil.media.open import open_source

    if (options.video is None) == (options.frames is None):
        raise UsageError("nothing to estimate: name a video, or give --frames N and --size WxH")
    return None if options.video is None else open_source(options.video)


def _load(source: FrameSource | None, options: argparse.Namespace) -> Load:
    from faceveil.jobs.costs.job_costs import Load

    if source is None:
        width, height = options.size
        return Load(options.frames, width, height, options.format)
    frames = source.frame_count
    if frames is None:
        print(f"{source.path}: counting its frames", file=sys.stderr)
        frames = sum(1 for _ in source)
    return Load(frames, source.width, source.height, options.format)


def _speed(
    prices: Prices, load: Load, source: FrameSource | None, options: argparse.Namespace
) -> tuple[float, dict[str, float], str]:
    """Frames per second of one vCPU, those of whole instances, and their origin."""
    from faceveil.jobs.costs import job_costs as costs

    measured: dict[str, float] = {}
    per_vcpu: float | None = None
    for text in options.measured_fps:
        name, equals, number = text.rpartition("=")
        fps = _rate(number, text)
        if equals:
            measured[name] = fps
        else:
            per_vcpu = fps
    if per_vcpu is not None:
        return per_vcpu, measured, "frames/s of one vCPU as given"
    told = next((name for name in measured if name in prices.estimated), None)
    if told is not None:
        origin = f"frames/s as measured on {', '.join(measured)}"
        return measured[told] / costs.frames_at_once(prices, load, told), measured, origin
    if source is None:
        origin = f"frames/s of one vCPU from {prices['speed']['source']}"
        return costs.frames_per_second(prices, load), measured, origin
    share = prices["speed"]["vcpu_of_core"]
    origin = f"frames/s of one core of this machine, measured now; a vCPU has {share:g} of them"
    return measure(source) * share, measured, origin


def _rate(number: str, text: str) -> float:
    try:
        fps = float(number)
    except ValueError:
        fps = 0.0
    if not 0 < fps < float("inf"):
        raise UsageError(f"--measured-fps {text}: is not FPS or TYPE=FPS, such as ml.c5.xlarge=4.9")
    return fps


def measure(source: FrameSource) -> float:
    """Frames per second that one thread of this machine analyses; needs the weights."""
    from faceveil.detect.build import AnalyzerOptions, build_analyzer

    analyzer = build_analyzer(AnalyzerOptions())
    length = min(source.frame_count or MEASURED_AMONG, MEASURED_AMONG)
    step = max(1, length // (MEASURED_FRAMES + WARM_UP_FRAMES))
    images = [frame.rgb() for frame in islice(source, 0, length, step)]
    for image in images[:WARM_UP_FRAMES]:
        analyzer(image)
    timed = images[WARM_UP_FRAMES:] or images
    start = time.perf_counter()
    for image in timed:
        analyzer(image)
    return len(timed) / (time.perf_counter() - start)


def table(prices: Prices, load: Load, rows: list[Row], origin: str) -> str:
    """Return the estimate as text for people."""
    from faceveil.jobs.costs import job_costs as costs

    transforms = [row for row in rows if row.kind == "transform"]
    processing = [row for row in rows if row.kind == "processing"]
    lines = [
        f"{load.frames:,} frames of {load.width} x {load.height}, {load.format}",
        f"{prices}; {origin}",
        "",
        *_lines(transforms),
        "",
        "As Processing jobs (--as processing), without what following faces by their pixels takes:",
        *_lines(processing),
    ]
    idle = _idle(prices, load, transforms)
    gigabytes = costs.stored_gigabytes(prices, load)
    s3, billing = prices["s3"], prices["billing"]
    lines += [
        *idle,
        "",
        f"Post-processing by {costs.rendered_by(load)}, a veil on every frame. Storing frames and "
        f"output, {gigabytes:.1f} GB: {_money(gigabytes * s3['storage_gb_month'])} $ a month.",
        f"Fetching it over the internet: {_money(gigabytes / 2 * s3['transfer_out_gb'])} $. "
        f"{billing['startup_seconds'] / 60:.0f} minutes of starting are in each job, "
        + ("paid." if billing["startup_is_paid"] else "not paid."),
    ]
    return "\n".join(lines)


def _lines(rows: list[Row]) -> list[str]:
    """The table of the rows of one kind."""
    fastest = min(rows, key=lambda row: row.minutes)
    cheapest = min(rows, key=lambda row: row.total)
    lines = [
        "instance type     count  frames/s  minutes  instances  post-proc.  S3 requests   together"
    ]
    for row in rows:
        marks = (("cheapest", cheapest), ("fastest", fastest))
        mark = " and ".join(name for name, best in marks if row is best)
        lines.append(
            f"{row.instance_type:<16}{row.instance_count:>7}{row.frames_per_second:>10.1f}"
            f"{row.minutes:>9.1f}{_money(row.instances):>9} ${_money(row.postprocess):>10} $"
            f"{_money(row.requests):>11} ${_money(row.total):>9} $ {mark}".rstrip()
        )
    return lines


def _idle(prices: Prices, load: Load, rows: list[Row]) -> list[str]:
    """A line about the instances that SageMaker's 100 MB leave partly idle; none where all work."""
    from faceveil.jobs.costs import job_costs as costs
    from faceveil.jobs.transforms.request import vcpus_of

    limited = []
    for name in dict.fromkeys(row.instance_type for row in rows):
        frames = costs.frames_at_once(prices, load, name)
        if frames < vcpus_of(name):
            limited.append(f"{name} ({frames} of {vcpus_of(name)} vCPUs)")
    if not limited:
        return []
    return [
        "",
        f"Partly idle, as at most 100 MB are sent at once: {', '.join(limited)}.",
    ]


def _money(dollars: float) -> str:
    return f"{dollars:.2f}" if dollars >= 1 else f"{dollars:.4f}"


def _document(prices: Prices, load: Load, rows: list[Row], origin: str) -> dict[str, Any]:
    from faceveil.jobs.costs import job_costs as costs

    gigabytes = costs.stored_gigabytes(prices, load)
    return {
        "frames": load.frames,
        "width": load.width,
        "height": load.height,
        "format": load.format,
        "speed": origin,
        "prices": {"date": prices.date, "region": prices.region, "source": prices.source},
        "postprocess": costs.rendered_by(load),
        "stored_gigabytes": round(gigabytes, 3),
        "storage_a_month": round(gigabytes * prices["s3"]["storage_gb_month"], 4),
        "rows": [{**asdict(row), "total": row.total} for row in rows],
    }
