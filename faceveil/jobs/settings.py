"""What the functions and containers are told by their environment, and the clients made of it."""

from __future__ import annotations

import logging
import os
import re
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil.aws.clients import batch_client, events_client
from faceveil.aws.s3 import S3Location
from faceveil.errors import UsageError
from faceveil.jobs import events
from faceveil.jobs.chunks.batch_queue import BatchQueue
from faceveil.jobs.job import DETECTIONS, Job, Networks
from faceveil.jobs.job_folder import load_job
from faceveil.jobs.job_run import Announce, Count, JobRun
from faceveil.jobs.keys import Keys
from faceveil.resources import usable_cores

if TYPE_CHECKING:
    from faceveil.detect.analyzer import FaceAnalyzer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """FACEVEIL_BUCKET, FACEVEIL_EVENT_BUS, FACEVEIL_BATCH_QUEUE, FACEVEIL_BATCH_JOB_DEFINITION,
    FACEVEIL_BUCKET_OWNER and FACEVEIL_DEPLOYMENT, None where one is not set or empty; the keys,
    and FACEVEIL_INPUT_BUCKETS, the accounts of other buckets that frames are read from.
    """

    bucket: str | None = None
    event_bus: str | None = None
    batch_queue: str | None = None
    batch_job_definition: str | None = None
    bucket_owner: str | None = None
    deployment: str | None = None
    keys: Keys = field(default_factory=Keys)
    input_buckets: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        def value(name: str) -> str | None:
            return environment.get(f"FACEVEIL_{name}") or None

        return cls(
            bucket=value("BUCKET"),
            event_bus=value("EVENT_BUS"),
            batch_queue=value("BATCH_QUEUE"),
            batch_job_definition=value("BATCH_JOB_DEFINITION"),
            bucket_owner=value("BUCKET_OWNER"),
            deployment=value("DEPLOYMENT"),
            keys=Keys.from_environment(environment),
            input_buckets=read_input_buckets(environment),
        )

    def open_bucket(self) -> S3Location:
        """The whole bucket. Raises UsageError when none is named."""
        if self.bucket is None:
            raise UsageError("which bucket? Set FACEVEIL_BUCKET, or give --bucket")
        return S3Location.open(
            f"s3://{self.bucket}",
            expected_owner=self.bucket_owner,
            kms_key=self.keys.results,
            prefix_keys={DETECTIONS: self.keys.detections} if self.keys.detections else {},
            owners=self.input_buckets,
        )

    def announce(self) -> Announce:
        """Sends events to the bus; without one, they are only logged."""
        bus = self.event_bus
        if bus is None:
            return lambda event: log.info("%s: %s", event.detail_type, event.detail)
        client = events_client(None)
        return lambda event: events.publish(client, bus, event)

    def batch(self) -> BatchQueue | None:
        """The queue for chunks; None where there is none."""
        if self.batch_queue is None or self.batch_job_definition is None:
            return None
        return BatchQueue(batch_client(), self.batch_queue, self.batch_job_definition)

    def run(self, job_id: str, owner: str | None = None, count: Count | None = None) -> JobRun:
        """The job, ready to be worked on. owner: None for this machine.

        Raises UnknownJobError, and InputError for a job.json that cannot be used.
        """
        bucket = self.open_bucket()
        return self.run_of(bucket, load_job(bucket, job_id), owner, count)

    def run_of(
        self, bucket: S3Location, job: Job, owner: str | None = None, count: Count | None = None
    ) -> JobRun:
        """As `run`, of a job.json that has been read."""
        return JobRun(
            bucket=bucket,
            job=job,
            announce=self.announce(),
            analyzer=lambda: analyzer_of(job.networks),
            owner=owner or socket.gethostname(),
            scratch=Path(tempfile.gettempdir()),
            workers=usable_cores(),
            count=count or (lambda name: log.info("counted: %s", name)),
        )


def read_input_buckets(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Read FACEVEIL_INPUT_BUCKETS, `BUCKET=ACCOUNT` with commas between.

    Raises UsageError for anything else.
    """
    text = environment.get("FACEVEIL_INPUT_BUCKETS", "")
    pairs = [pair.partition("=") for pair in text.replace(",", " ").split()]
    if any(not re.fullmatch(r"\d{12}", account) for _, _, account in pairs):
        raise UsageError(f"FACEVEIL_INPUT_BUCKETS={text!r}: write BUCKET=ACCOUNT, commas between")
    return {bucket: account for bucket, _, account in pairs}


@lru_cache(maxsize=1)
def analyzer_of(networks: Networks) -> FaceAnalyzer:
    """The networks of a job, kept for the next call of a function. Raises WeightsError."""
    from faceveil.detect.also import AlsoOptions
    from faceveil.detect.build import AnalyzerOptions, build_analyzer

    return build_analyzer(
        AnalyzerOptions(
            networks.detector,
            networks.recognizer,
            accept_licence=networks.accept_licence,
            also=tuple(map(AlsoOptions.parse, networks.also)),
        )
    )
