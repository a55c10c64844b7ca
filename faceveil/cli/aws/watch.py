"""`faceveil aws watch`: follow a job until it has ended."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from faceveil import errors
from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command, add_progress
from faceveil.cli.aws.deployment import add_deployment, client_of
from faceveil.cli.messages import say
from faceveil.errors import FaceveilError, UsageError

if TYPE_CHECKING:
    from faceveil.jobs.client import JobClient, JobFailure, State, Status
    from faceveil.jobs.costs.prices import Prices
    from faceveil.jobs.transforms.watch import SageMakerWatch

DESCRIPTION = """\
Follow a job until it has ended: its state, its progress, the time left, and the cost so far.

The exit code is 0 when the job has completed, else that of its error: 3 bad input, 4 a face would
stay visible, 5 the output cannot be written, 6 networks unavailable.
"""

LINE_SECONDS = 30.0
"""Between two lines where standard error is no terminal."""
PATIENCE_SECONDS = 120.0


def add_watch_parser(verbs: Commands) -> None:
    """Add `watch` to the verbs."""
    parser = add_command(verbs, "watch", "JOB", "follow a job until it has ended", DESCRIPTION)
    parser.add_argument("job", metavar="JOB")
    parser.add_argument(
        "--every", type=float, default=5.0, metavar="S", help="seconds between two queries (5)"
    )
    parser.add_argument("--prices", type=parsing.path, metavar="TOML", help="as for `estimate`")
    add_deployment(parser)
    add_progress(parser)
    parser.set_defaults(func=run_watch)


def run_watch(options: argparse.Namespace) -> int:
    """`faceveil aws watch`. Raises an error of the kind that the job failed with."""
    from faceveil.aws.clients import sagemaker_client
    from faceveil.jobs.costs.prices import prices_here
    from faceveil.jobs.transforms.watch import SageMakerWatch

    if options.every <= 0:
        raise UsageError(f"--every {options.every}: must be more than 0")
    client = client_of(options)
    watch = SageMakerWatch.of_job(sagemaker_client(), client.bucket, options.job)
    watcher = Watcher(watch, prices_here(options.prices), _teller(options))
    status = client.wait(options.job, progress=watcher.look, pause=options.every)
    if status.failure is not None:
        raise _error(options.job, status.failure)
    say(options, _results(client, options.job))
    return 0


def _results(client: JobClient, job_id: str) -> str:
    """The results of a completed job, in the words of the local command."""
    from faceveil.assure.summary import summary
    from faceveil.assure.verification import Verification

    lines = [summary(client.analysis(job_id))]
    verified = client.results(job_id).report["verification"]
    if verified is not None:
        lines.append(Verification.from_dict(verified).summary())
    lines.append(f"next: faceveil aws download {job_id} {job_id}/")
    return "\n".join(lines)


def _error(job_id: str, failure: JobFailure) -> FaceveilError:
    kind = getattr(errors, failure.error, FaceveilError)
    return kind(f"job {job_id} failed at {failure.stage}: {failure.reason}")


@dataclass(frozen=True, slots=True)
class Look:
    """A job at one moment, for people and programs. None stands for what is not known yet."""

    job_id: str
    state: State
    text: str
    done: int
    total: int
    per_second: float | None
    eta_seconds: float | None
    dollars: float | None
    ended: bool

    def __str__(self) -> str:
        parts = [f"{self.job_id}: {self.text}"]
        if self.per_second:
            parts.append(f"{self.per_second:.1f}/s")
        if self.eta_seconds is not None:
            parts.append(f"ETA {_clock(self.eta_seconds)}")
        if self.dollars is not None:
            parts.append(f"about {self.dollars:.2f} $ so far")
        return ", ".join(parts)

    def to_json(self) -> str:
        """One line."""
        names = ("job_id", "state", "text", "done", "total", "per_second", "eta_seconds", "dollars")
        return json.dumps({name: getattr(self, name) for name in names} | {"finished": self.ended})


@dataclass(slots=True)
class Watcher:
    """Makes a Look of each status; the speed follows from the statuses before it."""

    watch: SageMakerWatch
    prices: Prices
    tell: Callable[[Look], None]
    _state: State | None = None
    _first: tuple[float, int] = (0.0, 0)

    def look(self, status: Status) -> None:
        """Report a status."""
        from faceveil.jobs.costs.spent import dollars_so_far

        done, total = _progress(status)
        now = time.monotonic()
        if status.state != self._state:
            self._state, self._first = status.state, (now, done)
        since, before = self._first
        speed = (done - before) / (now - since) if done > before and now > since else None
        text = str(status)
        if status.state == "submitted" and _age(status) > PATIENCE_SECONDS:
            text += ": not started yet: does the deployment have its images?"
        machines = self.watch.look()
        if machines and status.state == "detecting":
            newest = machines[-1]
            text += f" ({newest.kind.word} {newest.status})"
        for instance_type in {
            used.instance_type for used in machines
        } - self.prices.transform.keys():
            text += f" (no price of {instance_type}: --prices)"
        self.tell(
            Look(
                job_id=status.job_id,
                state=status.state,
                text=text,
                done=done,
                total=total,
                per_second=speed,
                eta_seconds=(total - done) / speed if speed else None,
                dollars=dollars_so_far(self.prices, status, machines),
                ended=status.has_ended,
            )
        )


def _progress(status: Status) -> tuple[int, int]:
    """What is done, of how many, in the unit of this state."""
    if status.chunks is not None:
        return status.chunks_rendered, status.chunks
    return status.frames_detected or 0, status.frames


def _age(status: Status) -> float:
    return (datetime.now(UTC) - status.submitted).total_seconds()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _teller(options: argparse.Namespace) -> Callable[[Look], None]:
    if options.quiet or options.progress == "none":
        return lambda _: None
    if options.progress == "json":
        return lambda look: print(look.to_json(), file=sys.stderr, flush=True)
    return _Lines(options.progress == "bar" or sys.stderr.isatty())


@dataclass(slots=True)
class _Lines:
    """Rewrites one line on a terminal; elsewhere prints a line now and then."""

    rewrite: bool
    _told: float = float("-inf")
    _state: State | None = None

    def __call__(self, look: Look) -> None:
        if self.rewrite:
            end = "\n" if look.ended else ""
            # A line that wraps could not be overwritten.
            line = str(look) if look.ended else str(look)[: shutil.get_terminal_size().columns - 1]
            print(f"\r\x1b[K{line}", end=end, file=sys.stderr, flush=True)
            return
        now = time.monotonic()
        if look.state != self._state or now - self._told >= LINE_SECONDS:
            print(look, file=sys.stderr, flush=True)
            self._state, self._told = look.state, now
