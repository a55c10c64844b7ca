"""A Batch Transform job from its listing to its event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from faceveil.aws.clients import region
from faceveil.errors import FaceveilError, InputError, OutputError
from faceveil.local_transform.event import Announce, Status, state_change
from faceveil.local_transform.inputs import MEGABYTE, TransformInput, open_input, readable
from faceveil.local_transform.listing import Listing, listed
from faceveil.local_transform.outputs import TransformOutput, check_apart, open_output
from faceveil.local_transform.parameters import Parameters, TransformJob, settle
from faceveil.local_transform.server import Server, check_reachable
from faceveil.local_transform.server_client import (
    ServerClient,
    execution_parameters,
    wait_until_healthy,
)
from faceveil.parallel import unordered_map
from faceveil.progress import Progress

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

NAMED_FAILURES = 5
"""How many failed objects FailureReason names."""


@dataclass(frozen=True, slots=True)
class ObjectFailure:
    """An object without an answer, and why."""

    name: str
    reason: str


@dataclass(slots=True)
class TransformOutcome:
    """What became of a job's objects: how many, and the first that failed."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    first_failures: list[ObjectFailure] = field(default_factory=list)

    def add(self, failure: ObjectFailure | None) -> None:
        """Count an object that has been dealt with."""
        if failure is None:
            self.done += 1
            return
        self.failed += 1
        if len(self.first_failures) < NAMED_FAILURES:
            self.first_failures.append(failure)

    @property
    def failure_reason(self) -> str | None:
        """One sentence for people, None when nothing failed."""
        if not self.failed:
            return None
        named = "; ".join(f"{each.name}: {each.reason}" for each in self.first_failures)
        more = "; …" if self.failed > len(self.first_failures) else ""
        return f"{self.failed} of {self.failed + self.done} objects failed: {named}{more}"


def run_job(
    job: TransformJob,
    server: AbstractContextManager[Server],
    client: S3Client,
    *,
    start_seconds: float,
    resume: bool,
    progress: Progress,
    announce: Announce,
    report: Callable[[ObjectFailure], None],
) -> TransformOutcome:
    """Transform every object of a job as SageMaker does, and announce how it ended.

    The server is entered once there is something to do and left before the announcement. An
    object that fails (`report` is told at once) does not keep the others from their answers;
    afterwards the job counts as failed. resume: leave alone what has an answer. The event is
    announced whether the job completes, fails or is interrupted.

    Raises InputError (input), OutputError (answers cannot be kept), UsageError (parameters) or
    FaceveilError (no healthy server, or none any more) when the job cannot go on.
    """
    if not job.manifest:
        check_apart(job.input, job.output)
    run = _Run(job, client, progress, report)
    try:
        run.transform(server, resume, start_seconds)
    except KeyboardInterrupt:
        announce(run.event("Stopped", None))
        raise
    except FaceveilError as error:
        announce(run.event("Failed", str(error)))
        raise
    reason = run.outcome.failure_reason
    announce(run.event("Failed" if reason else "Completed", reason))
    return run.outcome


class _Run:
    def __init__(
        self,
        job: TransformJob,
        client: S3Client,
        progress: Progress,
        report: Callable[[ObjectFailure], None],
    ) -> None:
        self._job, self._client, self._progress, self._report = job, client, progress, report
        self._created = datetime.now(UTC)
        self._started: datetime | None = None
        self._ended: datetime | None = None
        self._parameters: Parameters | None = None
        self.outcome = TransformOutcome()

    def event(self, status: Status, reason: str | None) -> dict[str, object]:
        """The state change of this moment."""
        times = (self._created, self._started, self._ended or datetime.now(UTC))
        return state_change(self._job, status, reason, self._parameters, times, region())

    def transform(
        self, server: AbstractContextManager[Server], resume: bool, start_seconds: float
    ) -> None:
        source = open_input(self._job.input, self._job.manifest, self._client)
        target = open_output(self._job.output, self._client)
        with listed(source.names, target.written if resume else None) as listing:
            self.outcome.skipped = listing.skipped
            if not listing.count and not listing.skipped:
                raise InputError(f"{self._job.input}: holds no objects to transform")
            if not listing.count:
                return
            with server as running:
                wait_until_healthy(running.url, start_seconds, running.check)
                self._parameters = settle(self._job, execution_parameters(running.url))
                self._started = datetime.now(UTC)
                self._post_all(listing, source, target, running)
                self._ended = datetime.now(UTC)

    def _post_all(
        self, listing: Listing, source: TransformInput, target: TransformOutput, server: Server
    ) -> None:
        assert self._parameters is not None
        concurrent = self._parameters.max_concurrent
        limit = self._parameters.max_payload_mb * MEGABYTE or None
        job = self._job

        def transform(name: str) -> ObjectFailure | None:
            try:
                body = source.read(name, limit)
                answer = http.invoke(body, job.content_type, job.accept, chunked=limit is None)
                target.write(name, answer)
            except InputError as error:
                return ObjectFailure(readable(name), str(error))
            except OutputError:
                raise
            except FaceveilError as error:
                check_reachable(server)
                return ObjectFailure(readable(name), str(error))
            return None

        with _client(server, concurrent, job) as http:
            # Twice as many as may be with the server: others read and write meanwhile.
            results = unordered_map(transform, listing, 2 * concurrent)
            stages = self._progress.stage("transform", listing.count)
            # Closed before the server is: an interrupt first calls off what has not begun.
            with closing(results), stages as stage:
                for failure in results:
                    self.outcome.add(failure)
                    if failure is not None:
                        self._report(failure)
                    stage.advance()


@contextmanager
def _client(server: Server, concurrent: int, job: TransformJob) -> Iterator[ServerClient]:
    client = ServerClient(
        server.url, concurrent, job.timeout_seconds, job.max_retries, check_alive=server.check
    )
    try:
        yield client
    finally:
        client.close()
