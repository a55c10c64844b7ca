"""Run a SageMaker Batch Transform job on this machine (`--help`)."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from faceveil.aws.clients import events_client, s3_client
from faceveil.aws.transform_limits import DEFAULT_CONTENT_TYPE
from faceveil.cli.program import run_program
from faceveil.errors import UsageError
from faceveil.local_transform import event, server
from faceveil.local_transform.model import unpacked
from faceveil.local_transform.parameters import STRATEGIES, TransformJob
from faceveil.local_transform.run import run_job
from faceveil.progress import choose_progress

CHECKOUT = Path(__file__).resolve().parents[1]

PROGRAM = "batch_transform"
EXIT_FAILED = 1

DESCRIPTION = """\
Run a SageMaker Batch Transform job on this machine: start the server, wait until it is healthy,
post every object once, write each answer to <name>.out, and report how the job ended.

  batch_transform.py frames/ detections/                          the server of this checkout
  batch_transform.py frames/ detections/ --image faceveil         the container, as on SageMaker
  batch_transform.py s3://in/frames/ s3://out/detections/ --resume
  batch_transform.py coarse.json detections/ --manifest --url http://127.0.0.1:8080
"""

EXIT_CODES = """\
exit codes:
  0 completed   1 failed: an object has no answer, or the server did not start
  2 wrong usage   3 bad input   5 answers or event cannot be written   130, 143 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit code (see EXIT_CODES)."""
    options = build_parser().parse_args(arguments)
    return run_program(
        PROGRAM,
        lambda: run(options),
        interrupted="finished answers are kept, --resume does the rest",
    )


def run(options: argparse.Namespace) -> int:
    """Run the job that the options describe."""
    if options.url and (options.model_data or options.server_log):
        raise UsageError(
            "--model-data and --server-log apply to a server started here: leave out --url"
        )
    if not options.image and (options.engine or options.memory):
        raise UsageError("--engine and --memory apply to a container: add --image")
    job = TransformJob(
        name=options.job_name or f"faceveil-{datetime.now(UTC):%Y-%m-%d-%H-%M-%S-%f}",
        input=options.input,
        output=options.output,
        manifest=options.manifest,
        model_name=options.model_name,
        content_type=options.content_type,
        accept=options.accept,
        max_concurrent=options.max_concurrent_transforms,
        max_payload_mb=options.max_payload_in_mb,
        batch_strategy=options.batch_strategy,
        timeout_seconds=options.invocations_timeout_in_seconds,
        max_retries=options.invocations_max_retries,
        environment=dict(options.env),
    )
    client = s3_client(options.endpoint_url)
    outcome = run_job(
        job,
        serve(options, job),
        client,
        start_seconds=options.start_timeout,
        resume=options.resume,
        progress=choose_progress(options.progress),
        announce=announcer(options),
        report=lambda failure: say(f"{failure.name}: {failure.reason}"),
    )
    skipped = f", {outcome.skipped} had an answer already" if outcome.skipped else ""
    say(f"{job.name}: {outcome.done} objects transformed, {outcome.failed} failed{skipped}")
    return EXIT_FAILED if outcome.failed else 0


@contextmanager
def serve(options: argparse.Namespace, job: TransformJob) -> Iterator[server.Server]:
    """The server that the options ask for, for as long as the block lasts."""
    if options.url:
        yield server.RunningServer(options.url.rstrip("/"))
        return
    with ExitStack() as stack:
        model = None
        if options.model_data:
            client = s3_client(options.endpoint_url)
            model = stack.enter_context(unpacked(options.model_data, client))
        variables = job.container_environment()
        if options.image:
            yield stack.enter_context(
                server.serve_container(
                    options.image,
                    variables,
                    model,
                    options.server_log,
                    engine=options.engine,
                    memory=options.memory,
                )
            )
        else:
            own = options.command is None
            command = server.DEFAULT_COMMAND if own else shlex.split(options.command)
            yield stack.enter_context(
                server.serve_process(
                    command, variables, model, options.server_log, folder=CHECKOUT if own else None
                )
            )


def announcer(options: argparse.Namespace) -> event.Announce:
    """Returns a function that sends the job's event to each destination of the options."""
    destinations: list[event.Announce] = []
    if options.event == "-":
        destinations.append(event.to_stdout)
    elif options.event:
        destinations.append(event.to_file(Path(options.event)))
    if options.event_bus:
        bus = events_client(options.endpoint_url)
        destinations.append(event.to_bus(bus, options.event_bus, options.event_source))

    def announce(change: event.Event) -> None:
        for destination in destinations:
            destination(change)

    return announce


def build_parser() -> argparse.ArgumentParser:
    """The options, named as in SageMaker's API where it has them."""
    parser = argparse.ArgumentParser(
        prog="batch_transform.py",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", help="s3://bucket/prefix, a folder, or with --manifest a manifest")
    parser.add_argument("output", help="s3://bucket/prefix or a folder for the answers")
    parser.add_argument("--manifest", action="store_true", help="the input is a ManifestFile")
    parser.add_argument("--resume", action="store_true", help="skip objects that have an answer")
    parser.add_argument(
        "--endpoint-url", metavar="URL", help="S3 and EventBridge here instead of AWS"
    )
    parser.add_argument("--progress", choices=("auto", "bar", "json", "none"), default="auto")
    _add_job(parser.add_argument_group("the job, as in CreateTransformJob"))
    _add_server(parser.add_argument_group("the server (default: this checkout's, as a process)"))
    _add_event(parser.add_argument_group("the event when the job has ended"))
    return parser


def _add_job(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--job-name", metavar="NAME")
    group.add_argument("--model-name", metavar="NAME", default="faceveil")
    group.add_argument("--content-type", metavar="TYPE", default=DEFAULT_CONTENT_TYPE)
    group.add_argument("--accept", metavar="TYPE")
    group.add_argument(
        "--max-concurrent-transforms",
        type=int,
        metavar="N",
        help="default: what the server asks for",
    )
    group.add_argument(
        "--max-payload-in-mb",
        type=int,
        metavar="MB",
        help="0: no limit; default: what the server asks for",
    )
    group.add_argument("--batch-strategy", choices=tuple(STRATEGIES))
    group.add_argument(
        "--invocations-timeout-in-seconds", type=int, metavar="S", default=600, help="default 600"
    )
    group.add_argument(
        "--invocations-max-retries", type=int, metavar="N", default=3, help="default 3"
    )
    group.add_argument(
        "--env",
        type=_variable,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="environment variable of the server",
    )


def _add_server(group: argparse._ArgumentGroup) -> None:
    kind = group.add_mutually_exclusive_group()
    kind.add_argument("--image", help="run this image's `serve`")
    kind.add_argument("--command", help="run this command; it listens on SAGEMAKER_BIND_TO_PORT")
    kind.add_argument("--url", help="a server that is running, http://host:port")
    group.add_argument("--model-data", metavar="ADDRESS", help="model.tar.gz, a file or s3://…")
    group.add_argument("--engine", choices=server.ENGINES, help="default: the first one installed")
    group.add_argument("--memory", metavar="SIZE", help="the container's memory limit, such as 4g")
    group.add_argument(
        "--server-log", type=Path, metavar="FILE", help="write the server's output here"
    )
    group.add_argument(
        "--start-timeout",
        type=float,
        metavar="S",
        default=300,
        help="seconds until it must be healthy; default 300",
    )


def _add_event(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--event", metavar="FILE", help="write it to this file; -: standard output")
    group.add_argument("--event-bus", metavar="NAME", help="put it on this EventBridge bus")
    group.add_argument(
        "--event-source",
        metavar="NAME",
        default=event.SOURCE,
        help=f"source of the event (default {event.SOURCE}, which AWS itself refuses)",
    )


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def say(line: str) -> None:
    """Print a line to standard error."""
    print(f"{PROGRAM}: {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
