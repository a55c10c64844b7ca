"""SageMaker's ManifestFile: a prefix, then names that are appended to it."""

from __future__ import annotations

import orjson

from faceveil.errors import InputError

FORMAT = 'a manifest is [{"prefix": "s3://bucket/frames/"}, "img0000001.jpg", …]'


def parse_manifest(content: bytes) -> tuple[str, tuple[str, ...]]:
    """The prefix, and the names in their order, each once.

    The whole list is held, about 100 bytes a name.
    Raises InputError when the content is not such a list.
    """
    try:
        head, *names = orjson.loads(content)
        prefix = head["prefix"]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"is not a manifest ({error}): {FORMAT}") from error
    if not isinstance(prefix, str) or not prefix:
        raise InputError(f"its prefix is {prefix!r}: {FORMAT}")
    for position, name in enumerate(names, 1):
        if not isinstance(name, str) or not name:
            raise InputError(f"entry {position} is {name!r}, no object's name: {FORMAT}")
    return prefix, tuple(dict.fromkeys(names))
