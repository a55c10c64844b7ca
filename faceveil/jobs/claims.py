"""Claims: of many workers that want to do one thing, one does it, and another if that one dies.

A claim is a row of objects `chunks/claims/<name>/0000`, `0001`, …, each put only where none is yet
(If-None-Match). The last one holds: it names its owner and when it expires. A worker that finds it
expired puts the next one, and of several that do so, S3 lets one win. What is done under a claim
must still be idempotent: a claimant may be slow rather than dead.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from faceveil.aws.s3 import S3Location
from faceveil.jobs.job_folder import CLAIMS

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a job, as `owner` sees them. clock: seconds since 1970."""

    folder: S3Location
    owner: str
    clock: Clock = time.time

    def take(self, name: str, seconds: float) -> bool:
        """Claim `name` for so many seconds. Returns False when another owner holds it.

        An owner receives its own claim again, so that it goes on at once after a restart.
        """
        place = self._place(name)
        names = [item.name for page in place.pages() for item in page]
        if names:
            last = orjson.loads(place.read(max(names)))
            if last["owner"] != self.owner and last["until"] > self.clock():
                return False
        return self._put(place, len(names), self.clock() + seconds)

    def is_held(self, name: str) -> bool:
        """Whether any owner holds a claim that has not expired."""
        place = self._place(name)
        names = [item.name for page in place.pages() for item in page]
        return bool(names) and orjson.loads(place.read(max(names)))["until"] > self.clock()

    def release(self, name: str) -> None:
        """Release a claim, so that the next owner need not wait until it expires."""
        place = self._place(name)
        count = sum(len(page) for page in place.pages())
        self._put(place, count, 0)

    def remove_all(self) -> None:
        """Delete all claims of the job, when nothing is left to claim."""
        place = self.folder.folder(CLAIMS)
        names = [item.name for page in place.pages(recursive=True) for item in page]
        place.delete(names)

    def _place(self, name: str) -> S3Location:
        return self.folder.folder(f"{CLAIMS}{name}")

    def _put(self, place: S3Location, number: int, until: float) -> bool:
        # The nonce tells this attempt from another one of the same owner.
        claim = {"owner": self.owner, "until": until, "nonce": uuid.uuid4().hex}
        return place.put_if_absent(f"{number:04d}", orjson.dumps(claim))
