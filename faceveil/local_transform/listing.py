"""The names of a job's objects, kept on disk: counted before the first request, never in memory."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import IO

BATCH = 1000
"""Names that `written` is asked about at a time: a page of an S3 listing."""


@dataclass(frozen=True, slots=True)
class Listing:
    """`count` names to transform; `skipped` more had an answer already."""

    count: int
    skipped: int
    file: IO[str]

    def __iter__(self) -> Iterator[str]:
        self.file.seek(0)
        return map(json.loads, self.file)


@contextmanager
def listed(
    names: Iterable[str], written: Callable[[Sequence[str]], set[str]] | None
) -> Iterator[Listing]:
    """Take down all names but those that `written` knows, for as long as the block lasts.

    Like SageMaker, a job sees the objects that were there when it began.
    """
    count = skipped = 0
    rest = iter(names)
    with tempfile.TemporaryFile("w+", prefix="faceveil-listing-", encoding="ascii") as file:
        while batch := list(islice(rest, BATCH)):
            done = written(batch) if written else set()
            # As JSON: a key may hold any character, a line break included.
            file.writelines(f"{json.dumps(name)}\n" for name in batch if name not in done)
            count += len(batch) - len(done)
            skipped += len(done)
        yield Listing(count, skipped, file)
