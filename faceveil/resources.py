"""The cores this process may use, and returning freed memory to the system."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Any


def usable_cores() -> int:
    """Return how many cores this process may run on, which may be fewer than the machine has."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def release_freed_memory() -> None:
    """Return freed memory to the system, where the C library can (glibc's malloc_trim).

    Threads that take turns in allocating large arrays leave holes that glibc keeps: without this
    the memory of a long video grows although nothing is held. It takes a few milliseconds.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Any:  # noqa: ANN401, a function of the C library
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None
