"""What AWS charges, and how fast things go: data of prices.toml or of a file like it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from faceveil.aws import clients
from faceveil.errors import InputError, UsageError

NAME = "prices.toml"
_OPEN_TABLES = ("transform", "gpu", "regions")
"""Tables whose keys are not ours alone."""


@dataclass(frozen=True, slots=True)
class Prices:
    """tables: of prices.toml, which explains each figure. factor: what the instances of the tables
    were multiplied with, as they are those of another region."""

    date: str
    region: str
    source: str
    tables: Mapping[str, Mapping[str, Any]]
    factor: float = 1.0

    def __getitem__(self, table: str) -> Mapping[str, Any]:
        return self.tables[table]

    @property
    def transform(self) -> Mapping[str, float]:
        """Dollars an hour of each instance type, those with GPUs included."""
        return {**self.tables["transform"], **self.tables["gpu"]}

    @property
    def estimated(self) -> tuple[str, ...]:
        """The instance types whose speed can be told from that of a vCPU."""
        return tuple(self.tables["transform"])

    def in_region(self, region: str) -> Prices:
        """Return the prices of a region. Raises UsageError for one that is not in the table."""
        factors = self.tables["regions"]
        if region == self.region:
            return self
        if region not in factors or self.region not in factors:
            raise UsageError(
                f"{region}: no prices of this region are known, only of {', '.join(factors)}: give "
                "a file of your own with --prices"
            )
        factor = factors[region] / factors[self.region]
        scaled = {
            table: {name: price * factor for name, price in self.tables[table].items()}
            for table in ("transform", "gpu")
        }
        return replace(self, region=region, tables={**self.tables, **scaled}, factor=factor)

    def __str__(self) -> str:
        factor = "" if self.factor == 1 else f", instances x {self.factor:.2f}"
        return f"prices of {self.date}, {self.region}{factor} ({self.source})"


def read_prices(path: Path | None = None) -> Prices:
    """Ours, or those of a file, whose tables and figures replace ours; its instance types are
    then the only ones. Raises InputError for a file that makes no sense.
    """
    ours = tomllib.loads(prices_text())
    if path is None:
        return _prices(ours)
    theirs = read_toml(path)
    for name, value in theirs.items():
        if name not in ours:
            raise InputError(f"{path}: {name}: is none of {', '.join(ours)}")
        if type(value) is not type(ours[name]):
            raise InputError(
                f"{path}: {name}: must be like ours: faceveil aws estimate --show-prices"
            )
    for name in ("date", "region"):
        if name not in theirs:
            raise InputError(f"{path}: {name}: is missing: prices are of a date and a region")
    merged = ours | {"source": str(path)} | theirs
    for name, table in ours.items():
        if isinstance(table, dict) and name != "transform":
            merged[name] = table | theirs.get(name, {})
    _check_numbers(path, ours, merged)
    return _prices(merged)


def prices_here(path: Path | None = None, region: str | None = None) -> Prices:
    """The prices of a file, which are of its own region; without one ours of `region`, None for
    that of the environment and us-east-1 where its prices are not known.

    Raises InputError as `read_prices`, UsageError for a region whose prices are not known.
    """
    prices = read_prices(path)
    if path is not None:
        if region not in (None, prices.region):
            raise UsageError(f"--region {region}: {path} is of {prices.region}")
        return prices
    if region is None:
        here = clients.region()
        region = here if here in prices["regions"] else prices.region
    return prices.in_region(region)


def prices_text() -> str:
    """Our own, as they are written down."""
    return files(__package__).joinpath(NAME).read_text()


def read_toml(path: Path) -> dict[str, Any]:
    """A file of the user's. Raises InputError."""
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not TOML ({error})") from error


def _check_numbers(path: Path, ours: dict[str, Any], merged: dict[str, Any]) -> None:
    for name, table in merged.items():
        if not isinstance(table, dict):
            continue
        for key, value in table.items():
            if name not in _OPEN_TABLES and key not in ours[name]:
                raise InputError(f"{path}: {name}.{key}: is none of {', '.join(ours[name])}")
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            expected = ours[name].get(key, 0.0)
            if isinstance(expected, int | float) and not isinstance(expected, bool):
                if not is_number or value < 0:
                    raise InputError(f"{path}: {name}.{key}: must be a number from 0 on")
            elif type(value) is not type(expected):
                raise InputError(f"{path}: {name}.{key}: must be like {expected!r}")


def _prices(data: dict[str, Any]) -> Prices:
    tables = {name: value for name, value in data.items() if isinstance(value, dict)}
    return Prices(str(data["date"]), data["region"], data["source"], tables)
