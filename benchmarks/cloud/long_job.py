"""The analysis of eight hours of detections from S3, beside what a function may use.

    python -m benchmarks.cloud.long_job [report.md]
    python -m benchmarks.cloud.long_job --read-hours 8 [report.md]

A job's own analysis step (`jobs.steps.analyse`) runs twice. First over HTTP: detections (3 faces a
frame, 192 numbers a face) come from a simulated S3 that answers each request after 20 ms
(latent_s3.py) and shares this machine's cores; an hour of them unless --read-hours says otherwise.
Then 8 hours, 864,000 detections, without a network, for processor time and memory; with
`--read-hours 8` the first run shows both, and is the only one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.cloud.latent_s3 import FRAMES, LATENCY_SECONDS, DirectS3, LatentS3
from benchmarks.report import machine, table
from testkit import PROJECT

HOURS, READ_HOURS = 8.0, 1.0
FRAMES_A_SECOND = 30
FUNCTION_SECONDS = 900
BUCKET = "hours"
JOB = {"version": 1, "id": "hours", "frames": {"prefix": FRAMES, "rate": FRAMES_A_SECOND}}
DIRECTLY_REPEATED = 3_000
"""Detections that the second run holds in the memory that is measured: about 40 MB."""
_MEGABYTE = 1 << 20


def analysed(where: str) -> dict[str, float]:
    """Analyse the job whose frames and detections an S3 holds: seconds, peak memory, results.

    where: the address of the S3, or how many frames it has where there is no network.
    """
    from faceveil.aws.s3 import S3Location
    from faceveil.jobs.job import read_job
    from faceveil.jobs.job_run import JobRun
    from faceveil.jobs.steps.analyse import analyse_job

    if where.isdecimal():
        store: Any = DirectS3(LatentS3(int(where), 0, DIRECTLY_REPEATED))
        bucket = S3Location(store, BUCKET)
    else:
        bucket = S3Location.open(f"s3://{BUCKET}", where)
    job = read_job(json.dumps(JOB).encode(), "jobs/hours/job.json")
    scratch = Path(tempfile.gettempdir())
    run = JobRun(bucket, job, lambda event: None, _no_networks, "benchmark", scratch)
    began, used = time.monotonic(), time.process_time()
    result = analyse_job(run)
    return {
        "seconds": time.monotonic() - began,
        "processor": time.process_time() - used,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "sequences": float(len(result.analysis.sequences)),
    }


def _no_networks() -> None:  # type: ignore[return]
    raise AssertionError("an analysis without photos needs no networks")


def measured_over_http(frames: int) -> dict[str, float]:
    """Serve so many frames and analyse them, each in a process of its own."""
    from testkit.servers.processes import free_ports, running, wait_for

    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    serve = [sys.executable, "-m", "benchmarks.cloud.latent_s3"]
    serve += ["--port", str(port), "--frames", str(frames)]
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        with running(serve, log) as process:
            wait_for(lambda: _requests(url), log, process)
            figures = in_a_process(url)
            return figures | {f"requests {name}": n for name, n in _requests(url).items()}


def in_a_process(where: str) -> dict[str, float]:
    """As `analysed`, in a process of its own, so that its peak memory counts."""
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_REGION": "eu-west-1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "benchmarks.cloud.long_job", "--analyse", where]
    done = subprocess.run(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _requests(url: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{url}/{BUCKET}/requests", timeout=5) as answer:
        counted: dict[str, float] = json.loads(answer.read())
    return counted


def report(read_hours: float) -> str:
    read, whole = (round(hours * 3600 * FRAMES_A_SECOND) for hours in (read_hours, HOURS))
    over_http = measured_over_http(read)
    rows = [_row("over HTTP", read_hours, read, over_http)]
    longest = over_http
    if read < whole:
        longest = in_a_process(str(whole))
        rows.append(_row("without a network", HOURS, whole, longest))
    lines = [
        "# The analysis of a long job",
        "",
        "    python -m benchmarks long_job"
        + ("" if read_hours == READ_HOURS else f" --read-hours {read_hours:g}"),
        "",
        machine(),
        f"Other work ran on the machine: its load was {os.getloadavg()[1]:.1f} over the last five "
        f"minutes. The S3 is simulated, {LATENCY_SECONDS * 1000:.0f} ms a request, on the same "
        "cores.",
        "",
        *table(
            ("detections", "video", "frames", "elapsed", "frames/s", "processor", "memory"), rows
        ),
        "",
        _requests_in_words(over_http, read, whole)
        + f" {longest['sequences']:,.0f} sequences were found in {HOURS:g} hours.",
        "",
        _limits(),
        "",
    ]
    return "\n".join(lines)


def _requests_in_words(over_http: dict[str, float], read: int, whole: int) -> str:
    rate = read / over_http["seconds"]
    text = (
        f"Over HTTP that is {over_http['requests GET']:,.0f} GETs and "
        f"{over_http['requests LIST']:,.0f} listings: one GET a frame, two listings a thousand. A "
        f"detection takes {over_http['processor'] / read * 1000:.2f} ms of processor to read and "
        "follow."
    )
    if read < whole:
        text += (
            f" At {rate:,.0f} a second, {HOURS:g} hours take {whole / rate / 60:.0f} minutes, "
            "computed from the shorter run; memory is that of the longer."
        )
    return text


def _limits() -> str:
    from faceveil.jobs.chunks.budget import ANSWERS_PER_SECOND, SPARE

    most = FUNCTION_SECONDS * SPARE * ANSWERS_PER_SECOND
    return (
        f"A function has {FUNCTION_SECONDS} s. The budget assumes {ANSWERS_PER_SECOND:.0f} answers "
        f"a second and leaves half of the time over, so a job of more than {most:,.0f} frames "
        f"({most / FRAMES_A_SECOND / 60:.0f} minutes at 30 frames a second) is analysed in AWS "
        "Batch, where a job may take two hours unless `rendering.timeout_seconds` says "
        "otherwise. What a function or Fargate reaches against S3 itself was never measured."
    )


def _row(label: str, hours: float, frames: int, found: dict[str, float]) -> tuple[str, ...]:
    return (
        label,
        f"{hours:g} h",
        f"{frames:,}",
        f"{found['seconds']:,.0f} s",
        f"{frames / found['seconds']:,.0f}",
        f"{found['processor']:,.0f} s",
        f"{found['peak'] / _MEGABYTE:,.0f} MB",
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", nargs="?", type=Path, help="write the report to this file, too")
    parser.add_argument("--read-hours", type=float, default=READ_HOURS, metavar="H")
    parser.add_argument("--analyse", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.analyse:
        print(json.dumps(analysed(options.analyse)))
        return
    text = report(options.read_hours)
    print(text)
    if options.report:
        options.report.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
