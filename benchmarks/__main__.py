"""Run the benchmarks: `python -m benchmarks [NAME …]`, all of them where none is named.

Each runs in a process of its own and writes its report to benchmarks/reports/NAME.md.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from pathlib import Path

from testkit import PROJECT

REPORTS = PROJECT / "benchmarks" / "reports"
MODULES = {
    "detection": "detection.mtcnn",
    "recognition": "detection.recognition",
    "other_networks": "detection.other_networks",
    "third_member": "detection.third_member",
    "shots": "detection.shots",
    "veil_speed": "veil.speed",
    "steadiness": "veil.steadiness",
    "verification": "veil.verification",
    "hamilton": "veil.hamilton",
    "synthetic_truth": "quality.synthetic_truth",
    "quality": "quality.conditions",
    "quality_steps": "quality.steps",
    "heads": "quality.heads",
    "engines": "quality.engines",
    "risk": "quality.risk",
    "attack": "attack.recognisers",
    "serving": "cloud.serving",
    "scale": "cloud.scale",
    "long_job": "cloud.long_job",
    "s3_frames": "cloud.s3_frames",
    "postprocessing": "cloud.postprocessing",
    "thesis": "cloud.thesis",
    "whole_command": "speed.whole_command",
    "review_scale": "review.scale",
    "ten_faults": "review.ten_faults",
    "stages": "speed.stages",
    "presets": "speed.presets",
    "gop_copy": "speed.gop_copy",
    "memory": "speed.memory",
}
"""The module of each report, below benchmarks/."""


def summary(name: str) -> str:
    """The first line of a benchmark's docstring."""
    path = Path(__file__).parent.joinpath(*MODULES[name].split(".")).with_suffix(".py")
    text = path.read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Run benchmarks and write their reports to benchmarks/reports/.",
        epilog="\n".join(f"  {name:<16} {summary(name)}" for name in MODULES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="see below; default: all")
    names = parser.parse_args().names or list(MODULES)
    for name in names:
        if name not in MODULES:
            parser.error(f"no benchmark {name!r}: choose from {', '.join(MODULES)}")
    failed = []
    for name in names:
        print(f"\n== {name}: {summary(name)}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{MODULES[name]}", str(REPORTS / f"{name}.md")]
        if subprocess.run(command, cwd=PROJECT, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
