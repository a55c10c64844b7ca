"""dlib, which the extra `dlib` installs: loaded only when one of its networks is used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from faceveil.errors import WeightsError


def load_dlib() -> ModuleType:
    """Return the module dlib. Raises WeightsError, saying what to install, where it is missing."""
    try:
        return import_module("dlib")
    except ImportError as error:
        raise WeightsError(
            f"dlib cannot be loaded ({error}); install faceveil with its extra: "
            "pip install 'faceveil[dlib]'"
        ) from error
