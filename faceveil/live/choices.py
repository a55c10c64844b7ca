"""Who is kept or veiled by a click, while a stream runs. In memory only, like the people."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from faceveil.errors import InputError

Choice = Literal["keep", "veil"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen so far, by the numbers of people.

    Attributes
    ----------
    kept
        People who stay visible where nothing contradicts.
    veiled
        People who are veiled, whatever else would keep them.
    """

    kept: frozenset[int] = frozenset()
    veiled: frozenset[int] = frozenset()


class Choices:
    """Takes clicks in any thread; the planner reads them with every plan."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chosen: dict[int, Choice] = {}
        self._known: frozenset[int] = frozenset()

    def choose(self, person: int, choice: Choice | None) -> None:
        """Keep or veil a person from now on; None takes the choice back.

        Raises InputError for a person who is not remembered.
        """
        with self._lock:
            if person not in self._known:
                raise InputError(f"person {person}: is not in the stream, or was forgotten")
            if choice is None:
                self._chosen.pop(person, None)
            else:
                self._chosen[person] = choice

    def of(self, people: Collection[int]) -> Chosen:
        """Return what was chosen of the people who are remembered; all others are forgotten."""
        with self._lock:
            self._known = frozenset(people)
            self._chosen = {
                person: choice for person, choice in self._chosen.items() if person in self._known
            }
        return self.chosen()

    def chosen(self) -> Chosen:
        """Return what was chosen so far."""
        with self._lock:
            chosen = self._chosen.items()
            return Chosen(
                frozenset(person for person, choice in chosen if choice == "keep"),
                frozenset(person for person, choice in chosen if choice == "veil"),
            )
