"""The tags of a video: which of them are kept in a new one."""

from __future__ import annotations

import re
from collections.abc import Mapping

_STALE = (
    "encoder",
    "major_brand",
    "minor_version",
    "compatible_brands",
    "duration",
    "bps",
    "number_of",
    "_statistics",
)
_PICTURE_KEYS = ("metadata_block_picture", "coverart", "covr", "apic", "thumbnail", "artwork")
_ENCODED = re.compile(r"(?:[A-Za-z0-9+/_=-]{40,}\s*){4,}|[A-Za-z0-9+/_=-]{160,}")
"""Base64 or hexadecimal digits, in lines or not: text of a person has spaces between its words."""

_HARMLESS = ("language", "title")
"""What is kept where metadata is stripped: nothing about place, time, device or people."""


def current(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that still hold for a new video; its brands, length and statistics do not."""
    return {key: text for key, text in tags.items() if not key.lower().startswith(_STALE)}


def holds_picture(key: str, text: str) -> bool:
    """Whether a tag is a picture, or encoded data that may be one."""
    name = key.lower()
    return any(word in name for word in _PICTURE_KEYS) or _ENCODED.search(text) is not None


def without_pictures(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that are text."""
    return {key: text for key, text in tags.items() if not holds_picture(key, text)}


def stripped(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that tell nothing about where, when, by whom and with what a video was made."""
    return {key: text for key, text in tags.items() if key.lower() in _HARMLESS}
