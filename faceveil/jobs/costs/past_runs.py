"""Runs that took place, computed again to the cent: the check of the arithmetic and its prices.

[[run]]
name = "table 4.5, first row"
instance_type = "ml.c5.xlarge"
instance_count = 1
seconds = 1234.5
hourly = 0.24        # what the type cost then and there; else of the price table
stated = 0.08        # dollars, as written where the run comes from
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from faceveil.errors import InputError
from faceveil.jobs.costs.job_costs import run_cost
from faceveil.jobs.costs.prices import Prices, read_toml

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run as its source tells it. Money in dollars; stated None where nothing is said."""

    name: str
    instance_type: str
    seconds: float
    hourly: float
    instance_count: int = 1
    stated: float | None = None

    @property
    def cost(self) -> Decimal:
        """To the cent."""
        exact = run_cost(self.seconds, self.instance_count, self.hourly)
        return Decimal(repr(exact)).quantize(CENT, ROUND_HALF_UP)

    @property
    def agrees(self) -> bool:
        """Whether this is what its source says."""
        return self.stated is None or self.cost == Decimal(repr(self.stated)).quantize(CENT)


def read_runs(path: Path, prices: Prices) -> str:
    """A line for each run of a file. Raises InputError where they make no sense or one is not what
    its source says.
    """
    runs = [_run(path, item, prices) for item in _items(path)]
    lines = [
        f"{run.name}: {run.instance_count} x {run.instance_type}, {run.seconds:.0f} s at "
        f"{run.hourly} $ an hour: {run.cost} $"
        + ("" if run.stated is None else f", stated {run.stated:.2f} $")
        for run in runs
    ]
    wrong = [line for line, run in zip(lines, runs, strict=True) if not run.agrees]
    if wrong:
        raise InputError(f"{path}: {len(wrong)} of {len(runs)} differ: {'; '.join(wrong)}")
    return "\n".join(lines)


def _items(path: Path) -> list[dict[str, Any]]:
    items = read_toml(path).get("run")
    if not isinstance(items, list) or not items:
        raise InputError(f"{path}: holds no [[run]]")
    return items


def _run(path: Path, item: dict[str, Any], prices: Prices) -> PastRun:
    try:
        hourly = item["hourly"] if "hourly" in item else prices.transform[item["instance_type"]]
        run = PastRun(**(item | {"hourly": hourly}))
        is_sound = run.cost >= 0
    except (KeyError, TypeError, ArithmeticError):
        is_sound = False
    if not is_sound:
        raise InputError(
            f"{path}: {item!r:.200}: a run has name, instance_type, seconds, and hourly unless "
            "the price table knows the type; instance_count and stated where there are such"
        )
    return run
