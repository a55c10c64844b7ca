"""How similar two faces must be: each recogniser has its own scale, given in the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from faceveil.weights.manifest import load_manifest

USUAL_RECOGNIZER = "arcface-mobilefacenet"
"""Its thresholds hold for recognisers that the manifest does not list."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Cosines of the features of a recogniser.

    Attributes
    ----------
    accept : float
        From here on a face matches a reference.
    uncertain : float
        From here on it may match.
    merge : float
        Clusters with this cosine on average are one person.
    """

    accept: float
    uncertain: float
    merge: float


@lru_cache(maxsize=64)
def thresholds_of(recognizer: str | None) -> Thresholds:
    """Return the thresholds of a recogniser by name (`Models.recognizer`); None is the default."""
    networks = load_manifest()
    network = networks.get(recognizer or USUAL_RECOGNIZER)
    if network is None or network.role != "recognizer":
        network = networks[USUAL_RECOGNIZER]
    values = network.thresholds
    return Thresholds(values["accept"], values["uncertain"], values["merge"])
