"""`faceveil aws estimate`: what a video will take on each instance type."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from dataclasses import asdict
from itertools import islice
from typing import Any

from faceveil.errors import UsageError
from faceveil.jobs.costs import job_costs as costs
from faceveil.jobs.costs.job_costs import Load, Row
from faceveil.jobs.costs.past_runs import read_runs
from faceveil.jobs.costs.prices import Prices, prices_text, read_prices
from faceveil.jobs.transforms.request import vcpus_of
from faceveil.media.frames import FrameSource
from faceveil.media.open import open_source

COUNTS = (1, 4)
MEASURED_FRAMES = 4
WARM_UP_FRAMES = 1
MEASURED_AMONG = 500
"""Frames from the start that those measured are spread over: a video may begin in the dark."""


def estimate(options: Namespace) -> int:
    """Print the estimate; the exit code."""
    if options.show_prices:
        print(prices_text(), end="")
        return 0
    prices = read_prices(options.prices)
    if options.runs is not None:
        print(read_runs(options.runs, prices))
        if options.video is None and options.frames is None:
            return 0
    source = _source(options)
    load = _load(source, options)
    per_vcpu, measured, origin = _speed(prices, load, source, options)
    types = list(dict.fromkeys([*prices.transform, *measured]))
    for name in types:
        if name not in prices.transform:
            raise UsageError(f"{name}: has no price: add it to a file for --prices")
    rows = [
        costs.row(prices, load, name, count, costs.instance_speed(name, per_vcpu, measured))
        for name in types
        for count in options.instance_count or COUNTS
    ]
    if options.json:
        print(json.dumps(_document(prices, load, rows, origin), indent=2))
    else:
        print(table(prices, load, rows, origin))
    return 0


def _source(options: Namespace) -> FrameSource | None:
    if (options.video is None) == (options.frames is None):
        raise UsageError("of what? Name a video, or give --frames N and --size WxH")
    return None if options.video is None else open_source(options.video)


def _load(source: FrameSource | None, options: Namespace) -> Load:
    if source is None:
        return Load(options.frames, *_size(options.size), options.format)
    frames = source.frame_count
    if frames is None:
        print(f"{source.path}: counting its frames", file=sys.stderr)
        frames = sum(1 for _ in source)
    return Load(frames, source.width, source.height, options.format)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UsageError(f"--size {text}: is no size such as 1920x1080")
    return int(width), int(height)


def _speed(
    prices: Prices, load: Load, source: FrameSource | None, options: Namespace
) -> tuple[float, dict[str, float], str]:
    """Frames per second of one vCPU, those of whole instances, and where they come from."""
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
    if measured:
        name, fps = next(iter(measured.items()))
        return fps / vcpus_of(name), measured, f"frames/s as measured on {', '.join(measured)}"
    if source is None:
        origin = f"frames/s of one vCPU from {prices['speed']['source']}"
        return costs.frames_per_second(prices, load), {}, origin
    return measure(source), {}, "frames/s of one core of this machine, measured now"


def _rate(number: str, text: str) -> float:
    try:
        fps = float(number)
    except ValueError:
        fps = 0.0
    if not 0 < fps < float("inf"):
        raise UsageError(f"--measured-fps {text}: is no FPS or TYPE=FPS, such as ml.c5.xlarge=4.9")
    return fps


def measure(source: FrameSource) -> float:
    """Frames per second that one thread of this machine analyses; needs the weights."""
    from faceveil.detect.analyzer import AnalyzerOptions, build_analyzer

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
    """What people read."""
    fastest = min(rows, key=lambda row: row.minutes)
    cheapest = min(rows, key=lambda row: row.total)
    lines = [
        f"{load.frames:,} frames of {load.width} x {load.height}, {load.format}",
        f"{prices}; {origin}",
        "",
        "instance type     count  frames/s  minutes  transform  post-proc.  S3 requests   together",
    ]
    for row in rows:
        marks = (("cheapest", cheapest), ("fastest", fastest))
        mark = " and ".join(name for name, best in marks if row is best)
        lines.append(
            f"{row.instance_type:<16}{row.instance_count:>7}{row.frames_per_second:>10.1f}"
            f"{row.minutes:>9.1f}{_money(row.transform):>9} ${_money(row.postprocess):>10} $"
            f"{_money(row.requests):>11} ${_money(row.total):>9} $ {mark}".rstrip()
        )
    gigabytes = costs.stored_gigabytes(prices, load)
    s3, billing = prices["s3"], prices["billing"]
    lines += [
        "",
        f"Post-processing by {costs.rendered_by(load)}, a veil on every frame. Storing frames and "
        f"output, {gigabytes:.1f} GB: {_money(gigabytes * s3['storage_gb_month'])} $ a month.",
        f"Fetching it over the internet: {_money(gigabytes / 2 * s3['transfer_out_gb'])} $. "
        f"{billing['startup_seconds'] / 60:.0f} minutes of starting are in each row, "
        + ("paid." if billing["startup_is_paid"] else "not paid."),
    ]
    return "\n".join(lines)


def _money(dollars: float) -> str:
    return f"{dollars:.2f}" if dollars >= 1 else f"{dollars:.4f}"


def _document(prices: Prices, load: Load, rows: list[Row], origin: str) -> dict[str, Any]:
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
