"""dlib, which the extra `dlib` brings: loaded only when one of its networks is asked for."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from faceveil.errors import WeightsError


def load_dlib() -> ModuleType:
    """The module dlib. Raises WeightsError that says what to install where it is not there."""
    try:
        return import_module("dlib")
    except ImportError as error:
        raise WeightsError(
            f"dlib cannot be loaded ({error}); install faceveil with its extra: "
            "pip install 'faceveil[dlib]'"
        ) from error
