"""Which weights a server uses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sagemaker_inference import parameters

WEIGHTS_VARIABLE = "FACEVEIL_WEIGHTS"
"""The library's own (`faceveil.weights.cache`, whose import takes too long here)."""
IMAGE_WEIGHTS_VARIABLE = "FACEVEIL_IMAGE_WEIGHTS"
"""Set in the image: where its own weights are."""


def choose_weights_folder(values: Mapping[str, str]) -> str | None:
    """FACEVEIL_WEIGHTS, else the model that SageMaker mounted, else the image's own.

    A mounted model counts when its folder holds anything, so that a wrong artifact is an error
    rather than a job done with other weights. None leaves the library's own cache.
    """
    if configured := values.get(WEIGHTS_VARIABLE):
        return configured
    mounted = Path(values.get(parameters.BASE_PATH_ENV) or "/opt/ml", "model")
    if mounted.is_dir() and any(mounted.iterdir()):
        return str(mounted)
    return values.get(IMAGE_WEIGHTS_VARIABLE) or None
