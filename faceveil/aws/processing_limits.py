"""What SageMaker allows a Processing job (API reference, CreateProcessingJob and its types)."""

from __future__ import annotations

import re

MOST_INSTANCES = 100
MOST_RUNTIME_SECONDS = 777_600
"""Nine days."""
MOST_VOLUME_GB = 16_384
_LOCAL_STORAGE = re.compile(r"ml\.(?:[a-z][0-9]+[a-z]*d[a-z]*|g[5-9][a-z]*|p[45][a-z]*)\..+")


def has_local_storage(instance_type: str) -> bool:
    """Whether instances of a type have storage of their own, encrypted by their hardware, for which
    SageMaker takes no key: families with a `d`, such as r5d and g4dn, and the newer GPU ones."""
    return _LOCAL_STORAGE.fullmatch(instance_type) is not None
