"""What all reports share: the machine they were made on, their tables, and where they are written.

def report() -> str:
    return "\\n".join(["# Title", "", machine(), "", *table(("", "ms"), [("detect", "12.3")])])

if __name__ == "__main__":
    publish(report)                 # python -m benchmarks.PACKAGE.MODULE [report.md]
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

from faceveil import __version__
from testkit import SHARED_DATA

LIBRARIES = ("av", "numpy", "onnxruntime", "opencv-python-headless", "scipy")
_NUMBER = re.compile(
    r"(\*\*)?[-+<>=≤≥ ]*\d[\d,.]*( ?[%x]| ?(ms|s|KB|MB|GB|MiB|\$))?( \(.*\)| of [\d,]+)?(\*\*)?|-|"
)


def machine() -> str:
    """When and on what a report was made."""
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{date.today().isoformat()}; {len(os.sched_getaffinity(0))} cores ({processor()}); "
        f"Python {platform.python_version()}, faceveil {__version__}, {versions}."
    )


def processor() -> str:
    """The architecture, and the widest vectors that matter to the networks."""
    information = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    flags = next(line for line in information.splitlines() if line.startswith("flags")).split()
    widest = next((flag for flag in ("avx512f", "avx2") if flag in flags), "no avx2")
    return f"{platform.machine()}, {widest}"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a Markdown table; a column that holds nothing but numbers is set to the right.

    Raises
    ------
    ValueError
        A row has more or fewer cells than there are columns.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    for row in cells:
        if len(row) != len(columns):
            raise ValueError(f"{len(row)} cells in a table of {len(columns)} columns: {row}")
    are_numbers = [
        bool(cells) and all(_NUMBER.fullmatch(cell) for cell in column)
        for column in zip(*cells, strict=True)
    ] or [False] * len(columns)
    rule = ["---:" if each else "---" for each in are_numbers]
    return [_line(columns), f"|{'|'.join(rule)}|", *map(_line, cells)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def publish(report: Callable[[], str], needs_data: bool = True) -> Path | None:
    """Print a report, and write it to the file that the command line names. Returns that file."""
    main = sys.modules["__main__"]
    parser = argparse.ArgumentParser(
        prog=f"python -m {main.__spec__.name}" if main.__spec__ else None,
        description=main.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("report", nargs="?", type=Path, help="write the report to this file, too")
    target: Path | None = parser.parse_args().report
    if needs_data and not SHARED_DATA.is_dir():
        sys.exit("needs the real clips of ../shared/data, which are not beside this checkout")
    text = report()
    print(text)
    if target:
        target.write_text(text, encoding="utf-8")
    return target
