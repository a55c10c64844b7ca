"""`faceveil aws render-again`: render a job again with changes, without detection."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command
from faceveil.cli.aws.deployment import add_deployment, add_dry_run, checked_id, client_of
from faceveil.cli.finding_arguments import add_also
from faceveil.errors import UsageError

DESCRIPTION = """\
Render the frames of a job again under a new id, with what a person changed. Nothing is detected:
the new job uses the detections of the first one, and its choice, veil and output.

  faceveil aws render-again talk-1 talk-2 --corrections talk-1.corrections.json
  faceveil aws render-again talk-1 talk-2 --also plates.onnx:kind=plate   verified with it, too

`faceveil review --job talk-1` makes such corrections, and submits a job like this one itself.
"""


def add_render_again_parser(verbs: Commands) -> None:
    """Add `render-again` to the verbs."""
    parser = add_command(
        verbs,
        "render-again",
        "JOB NEW_JOB",
        "render a job again with changes, without detection",
        DESCRIPTION,
    )
    parser.add_argument("job", metavar="JOB", help="the job that has been analysed")
    parser.add_argument("new_job", metavar="NEW_JOB", help="the id of the new job")
    parser.add_argument(
        "--corrections",
        type=parsing.path,
        metavar="JSON",
        help="what a person changed, as `faceveil review` saves it; uploaded with the job",
    )
    parser.add_argument("--veil", metavar="STYLE", help="another veil than that of the job")
    add_also(
        parser,
        "what made the detections of other kinds: the output is verified with it, too; several "
        "times",
    )
    add_deployment(parser)
    add_dry_run(parser)
    parser.set_defaults(func=run_render_again)


def run_render_again(options: argparse.Namespace) -> int:
    """`faceveil aws render-again`. Raises InputError for corrections of other frames."""
    from faceveil.corrections.document import read_corrections
    from faceveil.jobs.job_folder import JOB

    new_id = checked_id(options.new_job)
    if options.corrections is None and not options.veil and not options.also:
        raise UsageError("what is to change? Give --corrections, --veil or --also")
    corrections = None if options.corrections is None else read_corrections(options.corrections)
    client = client_of(options)
    where = client.bucket.uri(f"jobs/{new_id}/{JOB}")
    with_what = f", with {len(corrections.active)} corrections" if corrections else ""
    if options.dry_run:
        client.uncorrected(options.job)
        print(f"would write {where}{with_what} over job {options.job}")
        return 0
    changes: dict[str, Any] = {"veil": {"style": options.veil}} if options.veil else {}
    if options.also:
        networks = asdict(client.job(options.job).networks)
        changes["networks"] = {**networks, "also": [str(also) for also in options.also]}
    client.render_again(options.job, new_id, corrections=corrections, changes=changes)
    print(f"{where} starts the job{with_what} over job {options.job}")
    print(f"next: faceveil aws watch {new_id}")
    return 0
