"""The parameters of a Batch Transform job, and which value holds where several are given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from faceveil.aws.transform_limits import (
    DEFAULT_CONTENT_TYPE,
    MOST_MEGABYTES,
    MOST_RETRIES,
    MOST_TIMEOUT_SECONDS,
)
from faceveil.errors import FaceveilError, UsageError

DEFAULT_CONCURRENT, DEFAULT_PAYLOAD_MB, DEFAULT_STRATEGY = 1, 6, "MULTI_RECORD"
"""SageMaker's own, where neither the job nor the container says."""
JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
STRATEGIES = {"SingleRecord": "SINGLE_RECORD", "MultiRecord": "MULTI_RECORD"}
"""As CreateTransformJob writes them, and as containers see them."""


@dataclass(frozen=True)
class TransformJob:
    """What CreateTransformJob is given; None leaves a choice to the container.

    input: S3 prefix, folder, or with `manifest` a manifest's address. output: S3 prefix or
    folder. max_payload_mb 0: no limit, sent chunked. batch_strategy: a key of STRATEGIES; one
    object is one record here, so that it changes only what the container is told.
    environment: variables for the container. Raises UsageError for what SageMaker refuses.
    """

    name: str
    input: str
    output: str
    manifest: bool = False
    model_name: str = "faceveil"
    content_type: str = DEFAULT_CONTENT_TYPE
    accept: str | None = None
    max_concurrent: int | None = None
    max_payload_mb: int | None = None
    batch_strategy: str | None = None
    timeout_seconds: int = 600
    max_retries: int = 3
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not JOB_NAME.fullmatch(self.name):
            raise UsageError(
                f"the job name {self.name!r} is not 1 to 63 letters, digits and inner hyphens"
            )
        _check("MaxConcurrentTransforms", self.max_concurrent, 1, None)
        _check("MaxPayloadInMB", self.max_payload_mb, 0, MOST_MEGABYTES)
        _check("InvocationsTimeoutInSeconds", self.timeout_seconds, 1, MOST_TIMEOUT_SECONDS)
        _check("InvocationsMaxRetries", self.max_retries, 0, MOST_RETRIES)
        if self.batch_strategy not in (None, *STRATEGIES):
            raise UsageError(f"BatchStrategy is {self.batch_strategy!r}: {' or '.join(STRATEGIES)}")

    def container_environment(self) -> dict[str, str]:
        """What SageMaker sets for the container: the last three only where the job says."""
        variables = dict(self.environment)
        variables["SAGEMAKER_BATCH"] = "true"
        if self.max_payload_mb is not None:
            variables["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = str(self.max_payload_mb)
        if self.batch_strategy is not None:
            variables["SAGEMAKER_BATCH_STRATEGY"] = STRATEGIES[self.batch_strategy]
        if self.max_concurrent is not None:
            variables["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] = str(self.max_concurrent)
        return variables


@dataclass(frozen=True, slots=True)
class Parameters:
    """What holds for a job. batch_strategy is a value of STRATEGIES."""

    max_concurrent: int
    max_payload_mb: int
    batch_strategy: str


def settle(job: TransformJob, answer: bytes | None) -> Parameters:
    """The job's own value, else what /execution-parameters answered, else SageMaker's default.

    Raises UsageError when the product of requests and payload is more than SageMaker allows, and
    FaceveilError when the answer makes no sense.
    """
    offered = {} if answer is None else _read(answer)
    strategy = job.batch_strategy and STRATEGIES[job.batch_strategy]
    settled = Parameters(
        _first(job.max_concurrent, offered.get("MaxConcurrentTransforms"), DEFAULT_CONCURRENT),
        _first(job.max_payload_mb, offered.get("MaxPayloadInMB"), DEFAULT_PAYLOAD_MB),
        strategy or offered.get("BatchStrategy") or DEFAULT_STRATEGY,
    )
    if settled.max_concurrent * settled.max_payload_mb > MOST_MEGABYTES:
        raise UsageError(
            f"MaxConcurrentTransforms ({settled.max_concurrent}) x MaxPayloadInMB "
            f"({settled.max_payload_mb}) is more than {MOST_MEGABYTES} MB: lower one of them"
        )
    return settled


def _read(answer: bytes) -> dict[str, Any]:
    try:
        offered = orjson.loads(answer)
        concurrent, payload = offered.get("MaxConcurrentTransforms"), offered.get("MaxPayloadInMB")
        _check("MaxConcurrentTransforms", concurrent, 1, None)
        _check("MaxPayloadInMB", payload, 0, MOST_MEGABYTES)
        if offered.get("BatchStrategy") not in (None, *STRATEGIES.values()):
            raise ValueError(f"BatchStrategy is {offered['BatchStrategy']!r}")
    except (ValueError, TypeError, AttributeError, UsageError) as error:
        raise FaceveilError(
            f"/execution-parameters answered what SageMaker cannot use ({error}): {answer[:200]!r}"
        ) from error
    return dict(offered)


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)


def _check(name: str, value: int | None, least: int, most: int | None) -> None:
    if value is None:
        return
    if value < least or (most is not None and value > most):
        bounds = f"at least {least}" if most is None else f"{least} to {most}"
        raise UsageError(f"{name} is {value}: {bounds}")
