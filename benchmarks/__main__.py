"""Run the benchmarks: `python -m benchmarks [NAME …]`, all of them where none is named.

Each runs in a process of its own and writes its report to benchmarks/reports/NAME.md.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
NAMES = (
    "detection",
    "recognition",
    "other_networks",
    "veil_speed",
    "synthetic_truth",
    "hamilton",
    "whole_command",
    "serving",
    "shots",
    "s3_frames",
    "postprocessing",
    "scale",
    "quality",
    "quality_steps",
    "attack",
    "verification",
)


def summary(name: str) -> str:
    """The first line of a benchmark's docstring."""
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Run benchmarks and write their reports to benchmarks/reports/.",
        epilog="\n".join(f"  {name:<16} {summary(name)}" for name in NAMES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="see below; default: all")
    names = parser.parse_args().names or NAMES
    for name in names:
        if name not in NAMES:
            parser.error(f"no benchmark {name!r}: choose of {', '.join(NAMES)}")
    failed = []
    for name in names:
        report = FOLDER / "reports" / f"{name}.md"
        print(f"\n== {name}: {summary(name)}", flush=True)
        command = [sys.executable, str(FOLDER / f"{name}.py"), str(report)]
        if subprocess.run(command, cwd=FOLDER.parent, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nnot done: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
