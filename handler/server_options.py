"""How the server runs: ports, workers, payload, time limits. Read from the environment once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from sagemaker_inference import parameters

from faceveil.errors import UsageError
from handler.environment import Environment

HIGHEST_PORT = 32766
"""multi-model-server refuses ports above."""
TRANSFORM_LIMIT_MB = 100
"""SageMaker: MaxConcurrentTransforms x MaxPayloadInMB must not be above this."""
DEFAULT_PAYLOAD_MB = 20
"""Room for a 4K frame stored as PNG."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the server runs.

    workers: processes that analyse pictures. concurrent_transforms and payload_mb are what
    /execution-parameters answers; their product is at most 100. A worker busy with one request
    for longer than request_seconds is killed and replaced. startup_seconds: the server gives up
    when no worker is ready by then. drain_seconds: how long after SIGTERM requests in flight may
    take.
    """

    bind_address: str
    port: int
    workers: int
    threads: int
    payload_mb: int
    concurrent_transforms: int
    request_seconds: int
    startup_seconds: int
    drain_seconds: int
    jvm_flags: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, values: Mapping[str, str]) -> ServerOptions:
        """Raises UsageError that names the variable whose value makes no sense."""
        environment = Environment(values)
        threads = environment.whole("FACEVEIL_THREADS", 1, 256) or 1
        workers = environment.whole(parameters.MODEL_SERVER_WORKERS_ENV, 1, 256) or max(
            1, len(os.sched_getaffinity(0)) // threads
        )
        # 0 is SageMaker's word for "no limit"
        asked = environment.whole(parameters.MAX_REQUEST_SIZE, 0, TRANSFORM_LIMIT_MB)
        payload_mb, concurrent = transform_limits(
            workers, TRANSFORM_LIMIT_MB if asked == 0 else asked
        )
        flags = environment.text(parameters.MODEL_SERVER_VMARGS) or ""
        return cls(
            bind_address=_address(environment),
            port=environment.whole(parameters.BIND_TO_PORT_ENV, 1, HIGHEST_PORT) or 8080,
            workers=workers,
            threads=threads,
            payload_mb=payload_mb,
            concurrent_transforms=concurrent,
            request_seconds=environment.whole(
                parameters.MODEL_SERVER_TIMEOUT_SECONDS_ENV, 1, 86_400
            )
            or 60,
            startup_seconds=environment.whole(parameters.STARTUP_TIMEOUT_ENV, 1, 86_400) or 120,
            drain_seconds=environment.whole("FACEVEIL_DRAIN_SECONDS", 1, 3600) or 25,
            jvm_flags=tuple(flags.split()),
        )


def transform_limits(workers: int, payload_mb: int | None) -> tuple[int, int]:
    """Payload in MB and concurrent transforms, whose product is at most 100.

    A payload that was asked for is kept, at the cost of concurrency: a job that sends large
    pictures must not fail for it. The default gives way to concurrency.
    """
    if payload_mb is not None:
        return payload_mb, min(workers, TRANSFORM_LIMIT_MB // payload_mb)
    concurrent = min(workers, TRANSFORM_LIMIT_MB)
    return min(DEFAULT_PAYLOAD_MB, TRANSFORM_LIMIT_MB // concurrent), concurrent


def _address(environment: Environment) -> str:
    address = environment.text("FACEVEIL_BIND_ADDRESS") or "0.0.0.0"
    if any(not part.isdigit() or int(part) > 255 for part in address.split(".")) or (
        address.count(".") != 3
    ):
        raise UsageError(f"FACEVEIL_BIND_ADDRESS={address!r}: must be an IPv4 address")
    return address
