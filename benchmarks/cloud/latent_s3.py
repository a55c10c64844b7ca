"""A simulated S3 for analyses of hours: detections and a listing of frames, each after a latency.

    python -m benchmarks.cloud.latent_s3 --port N --frames N

It answers over HTTP what boto3 asks, in a process of its own: the listing of `frames/`, one
picture for the size of all, and the detections of each frame. These are made once for some minutes
of video and repeat from there on, so that hours of them fit into memory. What a job writes is kept.
Signatures are not checked.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
from botocore.exceptions import ClientError
from PIL import Image as Picture

from benchmarks.cloud.scale_scene import HEIGHT, WIDTH, scene

LATENCY_SECONDS = 0.02
"""Of a GET of some kilobytes from a function in the region of its bucket, about."""
REPEATED = 18_000
PAGE = 1000
FRAMES, DETECTIONS = "frames/hours/", "detections/hours/"
_NUMBER = re.compile(r"img([0-9]{7})\.jpg")


class LatentS3:
    """The objects, and how many requests of each kind were answered."""

    def __init__(self, frames: int, latency: float, repeated: int = REPEATED) -> None:
        self.frames, self.latency = frames, latency
        self.answers = [faces.to_json() for faces in scene(min(frames, repeated))]
        picture = io.BytesIO()
        Picture.new("RGB", (WIDTH, HEIGHT)).save(picture, "JPEG", quality=20)
        self.picture = picture.getvalue()
        self.written: dict[str, bytes] = {}
        self.requests: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ", 2)
                fields = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
                if fields.get("expect"):
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                status, content = self.answer(method, target, body)
                await asyncio.sleep(self.latency)
                size = len(content)
                writer.write(
                    f'HTTP/1.1 {status}\r\nETag: "0"\r\nContent-Length: {size}\r\n\r\n'.encode()
                )
                if method != "HEAD":
                    writer.write(content)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def answer(self, method: str, target: str, body: bytes) -> tuple[str, bytes]:
        """The status and the content for a request."""
        parts = urlsplit(target)
        key = unquote(parts.path).lstrip("/").partition("/")[2]
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if key == "requests":
            return "200 OK", orjson.dumps(self.requests)
        if "list-type" in query:
            self.requests["LIST"] += 1
            return "200 OK", self.page(query)
        self.requests[method] += 1
        if method == "PUT":
            self.written[key] = body
            return "200 OK", b""
        if method == "POST":
            return "200 OK", b"<DeleteResult/>"
        found = self.found(key)
        if found is None:
            return "404 Not Found", b"<Error><Code>NoSuchKey</Code></Error>"
        return "200 OK", found

    def found(self, key: str) -> bytes | None:
        """The object of a key."""
        if key in self.written:
            return self.written[key]
        match = _NUMBER.search(key)
        if match is None or not key.startswith((FRAMES, DETECTIONS)):
            return None
        if key.startswith(FRAMES):
            return self.picture
        return self.answers[(int(match[1]) - 1) % len(self.answers)]

    def page(self, query: dict[str, str]) -> bytes:
        """A page of ListObjectsV2: of the frames, nothing else is listed."""
        if not query.get("prefix", "").startswith(FRAMES):
            return b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
        first = int(query.get("continuation-token", 0))
        end = min(first + PAGE, self.frames)
        items = "".join(
            f"<Contents><Key>{FRAMES}img{number + 1:07d}.jpg</Key><Size>{len(self.picture)}</Size>"
            "<ETag>&quot;0&quot;</ETag><LastModified>2026-11-29T00:00:00.000Z</LastModified>"
            "</Contents>"
            for number in range(first, end)
        )
        more = "" if end == self.frames else f"<NextContinuationToken>{end}</NextContinuationToken>"
        truncated = "true" if more else "false"
        return (
            f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{more}{items}"
            "</ListBucketResult>"
        ).encode()


class DirectS3:
    """In place of a client of boto3: the same objects without a network, for memory and processor
    time of the analysis alone."""

    def __init__(self, store: LatentS3) -> None:
        self.store = store

    def get_object(self, **request: str) -> dict[str, Any]:
        """The object of a key, or boto3's error where there is none."""
        found = self.store.found(request["Key"])
        if found is None:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": ""}}, "GetObject")
        return {"Body": io.BytesIO(found)}

    def put_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401, boto3's
        """Keep an object."""
        self.store.written[request["Key"]] = request["Body"]
        return {"ETag": '"0"'}

    def get_paginator(self, operation: str) -> DirectS3:
        """Itself: only ListObjectsV2 has pages here."""
        return self

    def paginate(self, **request: str) -> Iterator[dict[str, Any]]:
        """The pages of the frames."""
        if not request["Prefix"].startswith(FRAMES):
            return
        after = _NUMBER.search(request.get("StartAfter", ""))
        size = len(self.store.picture)
        for first in range(int(after[1]) if after else 0, self.store.frames, PAGE):
            numbers = range(first, min(first + PAGE, self.store.frames))
            keys = (f"{FRAMES}img{number + 1:07d}.jpg" for number in numbers)
            yield {"Contents": [{"Key": key, "Size": size, "ETag": '"0"'} for key in keys]}


async def _serve(port: int, store: LatentS3) -> None:
    server = await asyncio.start_server(store.serve, "127.0.0.1", port, limit=1 << 20)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--latency", type=float, default=LATENCY_SECONDS)
    options = parser.parse_args()
    asyncio.run(_serve(options.port, LatentS3(options.frames, options.latency)))


if __name__ == "__main__":
    main()
