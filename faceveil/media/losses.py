"""What many files do not keep, each property once with the files that had it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from faceveil.media.frames import Loss

_NAMED_AT_MOST = 3


class LossList:
    """Losses of many files. Iterating yields each once, with how many files, and which first."""

    def __init__(self) -> None:
        self._names: dict[Loss, list[str]] = {}
        self._counts: dict[Loss, int] = {}

    def add(self, name: str, losses: Iterable[Loss]) -> None:
        """Note what a file does not keep."""
        for loss in losses:
            names = self._names.setdefault(loss, [])
            if len(names) < _NAMED_AT_MOST:
                names.append(name)
            self._counts[loss] = self._counts.get(loss, 0) + 1

    def __iter__(self) -> Iterator[Loss]:
        for loss, names in self._names.items():
            count = self._counts[loss]
            more = f" and {count - len(names)} more" if count > len(names) else ""
            yield Loss(loss.what, loss.why, ", ".join(names) + more)
