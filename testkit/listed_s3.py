"""A bucket that can only be listed, with the latency of a request: for more keys than a test can
write."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

PAGE = 1000
LATENCY_SECONDS = 0.03
"""Of a ListObjectsV2 of 1,000 keys from a function in the same region, about."""


class ListedS3:
    """In place of a client of S3.

    requests: how many pages were listed. written: the keys that were put.
    """

    def __init__(self, keys: Iterable[str], latency: float = LATENCY_SECONDS) -> None:
        self.keys = sorted(keys)
        self.latency = latency
        self.requests = 0
        self.written: list[str] = []
        self.modified = datetime.now(UTC)

    def put_object(self, **request: Any) -> dict[str, Any]:
        self.written.append(request["Key"])
        return {"ETag": '""'}

    def get_paginator(self, operation: str) -> ListedS3:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **request: str) -> Iterator[dict[str, Any]]:
        """The pages of ListObjectsV2: keys, and folders where a delimiter is given."""
        prefix, delimiter = request["Prefix"], request.get("Delimiter", "")
        start_after = request.get("StartAfter", "")
        place = max(bisect_left(self.keys, prefix), bisect_right(self.keys, start_after))
        while True:
            time.sleep(self.latency)
            self.requests += 1
            contents: list[dict[str, Any]] = []
            folders: list[dict[str, str]] = []
            while len(contents) + len(folders) < PAGE and place < len(self.keys):
                key = self.keys[place]
                if not key.startswith(prefix):
                    place = len(self.keys)
                    break
                folder, found, _ = key[len(prefix) :].partition(delimiter or "\0")
                if found:
                    folders.append({"Prefix": f"{prefix}{folder}{delimiter}"})
                    place = bisect_left(self.keys, f"{prefix}{folder}{chr(ord(delimiter) + 1)}")
                else:
                    contents.append(
                        {"Key": key, "Size": 1, "ETag": '""', "LastModified": self.modified}
                    )
                    place += 1
            yield {"Contents": contents, "CommonPrefixes": folders}
            if place >= len(self.keys):
                return
