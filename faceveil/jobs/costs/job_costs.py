"""Time and money of a job: its SageMaker jobs, post-processing, and S3."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from faceveil.jobs.chunks.budget import SECONDS_PER_FRAME, SECONDS_PER_MEGAPIXEL, SPARE
from faceveil.jobs.chunks.plan import CHUNK_FRAMES
from faceveil.jobs.costs.prices import Prices
from faceveil.jobs.transforms.request import concurrent_transforms, payload_megabytes, vcpus_of

FUNCTION_SECONDS = 900
BATCH_AT_ONCE = 16
"""Chunks rendered at the same time: max_vcpus by vcpus of the deployment's defaults."""
HOUR, GB = 3600, 1e9


@dataclass(frozen=True, slots=True)
class Load:
    """A video: how many frames of how many pixels, stored as jpeg or png."""

    frames: int
    width: int
    height: int
    format: str = "jpeg"

    @property
    def megapixels(self) -> float:
        """Of a frame."""
        return self.width * self.height / 1e6


@dataclass(frozen=True, slots=True)
class Row:
    """A job on instances of one type: a transform job and what follows, or Processing jobs alone.

    frames_per_second: of detection, on all instances. instance_seconds: that each instance is paid
    for. minutes: from the start to the last frame, post-processing included. instances,
    postprocess, requests: dollars, storage of a month apart.
    """

    kind: Literal["transform", "processing"]
    instance_type: str
    instance_count: int
    frames_per_second: float
    instance_seconds: float
    minutes: float
    instances: float
    postprocess: float
    requests: float

    @property
    def total(self) -> float:
        """Without storage."""
        return self.instances + self.postprocess + self.requests


def run_cost(seconds: float, count: int, hourly: float, minimum_seconds: float = 0.0) -> float:
    """Dollars of instances that are paid for by the second."""
    return max(seconds, minimum_seconds) * count * hourly / HOUR


def frames_per_second(prices: Prices, load: Load) -> float:
    """Of one vCPU, by our benchmark."""
    speed = prices["speed"]
    return float(1 / (speed["detect_fixed"] + speed["detect_per_megapixel"] * load.megapixels))


def frame_bytes(prices: Prices, load: Load) -> float:
    """Of a frame as it is stored."""
    return float(load.megapixels * 1e6 * prices["speed"]["bytes_per_pixel"][load.format])


def frames_at_once(prices: Prices, load: Load, instance_type: str) -> int:
    """Frames that SageMaker sends to an instance at once: one a vCPU, together at most 100 MB.

    Raises UsageError for an instance type that cannot be one, InputError for frames that are larger
    than SageMaker takes.
    """
    return concurrent_transforms(instance_type, payload_megabytes(frame_bytes(prices, load)))


def transform_row(prices: Prices, load: Load, instance_type: str, count: int, speed: float) -> Row:
    """A transform job on `count` instances, each of `speed` frames per second."""
    working = math.ceil(load.frames / count) / speed
    start = prices["billing"]["startup_seconds"]
    paid = _paid_seconds(prices, working)
    after, postprocess = postprocessing(prices, load)
    return Row(
        kind="transform",
        instance_type=instance_type,
        instance_count=count,
        frames_per_second=speed * count,
        instance_seconds=paid,
        minutes=(start + working + after) / 60,
        instances=run_cost(paid, count, prices.transform[instance_type]),
        postprocess=postprocess,
        requests=requests(prices, load),
    )


def processing_row(prices: Prices, load: Load, instance_type: str, count: int, speed: float) -> Row:
    """Processing jobs on `count` instances, each detecting in `speed` frames per second.

    One job does all on one instance; on several, one detects and one renders, and both start. The
    instances veil and verify as well; what following faces by their pixels takes is not counted.
    """
    share, jobs = math.ceil(load.frames / count), 1 if count == 1 else 2
    megapixels = share * load.megapixels
    rendering = megapixels * prices["speed"]["postprocess_per_megapixel"] / vcpus_of(instance_type)
    work = [share / speed, rendering]
    paid = sum(_paid_seconds(prices, each) for each in ([sum(work)] if jobs == 1 else work))
    speeds, s3 = prices["speed"], prices["s3"]
    # Each host that renders is brought all frames and all detections.
    gets = 1 if jobs == 1 else 1 + 2 * count
    each_frame = gets * s3["get"] + speeds["puts_per_frame"] * s3["put"]
    return Row(
        kind="processing",
        instance_type=instance_type,
        instance_count=count,
        frames_per_second=speed * count,
        instance_seconds=paid,
        minutes=(jobs * prices["billing"]["startup_seconds"] + sum(work)) / 60,
        instances=run_cost(paid, count, prices.transform[instance_type]),
        postprocess=jobs * prices["lambda"]["request"],
        requests=load.frames * each_frame,
    )


def _paid_seconds(prices: Prices, working: float) -> float:
    """Of one instance in one job."""
    billing = prices["billing"]
    start = billing["startup_seconds"] if billing["startup_is_paid"] else 0
    return max(start + working, float(billing["minimum_seconds"]))


def rendered_by(load: Load) -> str:
    """Lambda for what fits well into its time, else Batch: as `chunks.budget` decides."""
    guess = load.frames * (load.megapixels * SECONDS_PER_MEGAPIXEL + SECONDS_PER_FRAME)
    return "Lambda" if guess <= FUNCTION_SECONDS * SPARE else "Batch"


def postprocessing(prices: Prices, load: Load) -> tuple[float, float]:
    """Seconds and dollars, with a veil on every frame, which is the dearest case."""
    work = load.frames * load.megapixels * prices["speed"]["postprocess_per_megapixel"]
    if rendered_by(load) == "Lambda":
        table = prices["lambda"]
        seconds = work / table["cores"]
        return seconds, seconds * table["memory_gb"] * table["gb_second"] + 2 * table["request"]
    table = prices["fargate"]
    chunks = math.ceil(load.frames / CHUNK_FRAMES)
    each = table["startup_seconds"] + work / chunks / table["vcpus"]
    hourly = table["vcpus"] * table["vcpu_hour"] + table["memory_gb"] * table["gb_hour"]
    return each * math.ceil(chunks / BATCH_AT_ONCE), run_cost(each * chunks, 1, hourly)


def requests(prices: Prices, load: Load) -> float:
    """Dollars of S3's requests: frames in, answers, frames read and written."""
    speed, s3 = prices["speed"], prices["s3"]
    each = speed["gets_per_frame"] * s3["get"] + speed["puts_per_frame"] * s3["put"]
    return float(load.frames * each)


def stored_gigabytes(prices: Prices, load: Load) -> float:
    """Frames, and as much again veiled."""
    speed = prices["speed"]
    return float(load.frames * (2 * frame_bytes(prices, load) + speed["answer_bytes"]) / GB)
