"""Reading options from environment variables, with messages that name the variable."""

from __future__ import annotations

import math
from collections.abc import Mapping

from faceveil.errors import UsageError

ON = ("1", "true", "yes", "on")
OFF = ("0", "false", "no", "off")


class Environment:
    """Variables by name; an empty value counts as none. Every reader raises UsageError."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        return self._values.get(name, "").strip() or None

    def whole(self, name: str, low: int, high: int) -> int | None:
        """A whole number from low to high."""
        text = self.text(name)
        if text is None:
            return None
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise UsageError(f"{name}={text!r}: must be a whole number from {low} to {high}")
        return value

    def number(self, name: str) -> float | None:
        text = self.text(name)
        return None if text is None else _finite(name, text)

    def numbers(self, name: str, count: int) -> tuple[float, ...] | None:
        """So many numbers with commas between them."""
        text = self.text(name)
        if text is None:
            return None
        parts = text.split(",")
        if len(parts) != count:
            raise UsageError(f"{name}={text!r}: must be {count} numbers with commas between them")
        return tuple(_finite(name, part) for part in parts)

    def words(self, name: str) -> tuple[str, ...]:
        """Words with commas between them; none where the variable is not set."""
        text = self.text(name) or ""
        return tuple(word.strip() for word in text.split(",") if word.strip())

    def switch(self, name: str, default: bool) -> bool:
        text = self.text(name)
        if text is None:
            return default
        if text.lower() not in ON + OFF:
            raise UsageError(f"{name}={text!r}: must be on or off")
        return text.lower() in ON


def _finite(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"{name}={text!r}: {text.strip()!r} is not a number")
    return value
