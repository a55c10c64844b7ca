"""What AWS charges, and how fast things go: data of prices.toml or of a file like it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from faceveil.errors import InputError

NAME = "prices.toml"


@dataclass(frozen=True, slots=True)
class Prices:
    """tables: of prices.toml, which explains each figure."""

    date: str
    region: str
    source: str
    tables: Mapping[str, Mapping[str, Any]]

    def __getitem__(self, table: str) -> Mapping[str, Any]:
        return self.tables[table]

    @property
    def transform(self) -> Mapping[str, float]:
        """Dollars an hour of each instance type."""
        return self.tables["transform"]

    def __str__(self) -> str:
        return f"prices of {self.date}, {self.region} ({self.source})"


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
            if name != "transform" and key not in ours[name]:
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
