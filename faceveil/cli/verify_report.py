"""`faceveil verify-report`: check that a report is what was signed, and belongs to these files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command

if TYPE_CHECKING:
    from pathlib import Path

DESCRIPTION = """\
Check a report: was it signed with this key and never changed, and does it belong to these files?

  faceveil verify-report report.html --key public.pem
  faceveil verify-report report.json --key public.pem --output out.mp4 --input talk.mp4

Make a pair of keys with:

  openssl genpkey -algorithm ed25519 -out key.pem
  openssl pkey -in key.pem -pubout -out public.pem

Without --key, the key in the report itself is taken: that shows that nothing was changed since,
but not by whom it was signed. The exit code is 3 when something does not fit.
"""


def add_verify_report_parser(commands: Commands) -> None:
    """Add `verify-report` to the commands."""
    parser = add_command(
        commands,
        "verify-report",
        "REPORT",
        "check the signature and the digests of a report",
        DESCRIPTION,
    )
    parser.add_argument("report", type=parsing.path, help="a report.json or report.html")
    parser.add_argument(
        "--key", type=parsing.path, metavar="PEM", help="the public key that must have signed it"
    )
    parser.add_argument(
        "--output", type=parsing.path, metavar="FILE", help="the output that it describes"
    )
    parser.add_argument(
        "--input", type=parsing.path, metavar="FILE", help="the input that was veiled"
    )
    parser.add_argument(
        "--corrections", type=parsing.path, metavar="JSON", help="the corrections that were applied"
    )
    parser.set_defaults(func=run_verify_report)


def run_verify_report(options: argparse.Namespace) -> int:
    """`faceveil verify-report`. Raises InputError when something does not fit."""
    from faceveil.assure.html_report import read_report
    from faceveil.assure.signature import check_signature
    from faceveil.errors import InputError

    report = read_report(options.report)
    print(f"report: {report['output']['name']}, made of {report['input']['name']}")
    if report.get("signature") is None and options.key is None:
        print("signature: none")
    else:
        signer = check_signature(report, options.key)
        whose = f"{options.key}" if options.key else "the key in the report; name yours with --key"
        print(f"signature: valid, key {signer} ({whose})")
    wrong = []
    for what, path, digest, expected in _files(options, report):
        fits = digest == expected
        print(f"{what}: {path} {'is the one of the report' if fits else 'is ANOTHER'}")
        if not fits:
            wrong.append(f"{path} is not the {what} of the report ({digest}, not {expected})")
    if wrong:
        raise InputError("; ".join(wrong))
    return 0


def _files(
    options: argparse.Namespace, report: dict[str, Any]
) -> Iterator[tuple[str, Path, str, str]]:
    """What each file that was named is, its path and digest, and the digest in the report."""
    from faceveil.errors import InputError
    from faceveil.files import file_digest, path_digest
    from faceveil.media.open import open_source

    for path in (options.output, options.input, options.corrections):
        if path is not None and not path.exists():
            raise InputError(f"{path}: there is no such file or folder")
    if options.output is not None:
        yield "output", options.output, path_digest(options.output), report["output"]["digest"]
    if options.input is not None:
        is_stills = report["input"]["kind"] == "stills"
        source = open_source(options.input, stills=is_stills, recursive=is_stills)
        yield "input", options.input, source.digest(), report["input"]["digest"]
    if options.corrections is not None:
        applied = (report.get("corrections") or {}).get("digest", "none")
        yield "corrections", options.corrections, file_digest(options.corrections), applied
