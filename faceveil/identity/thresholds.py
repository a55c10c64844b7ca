"""How alike two faces must be: each recogniser has a scale of its own, written in the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from faceveil.weights.manifest import load_manifest

USUAL_RECOGNIZER = "arcface-mobilefacenet"
"""Whose thresholds count for a recogniser that the manifest does not know."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Cosines of a recogniser's features: from `accept` on a face matches a reference, from
    `uncertain` on it may match; clusters that are alike from `merge` on average are one person.
    """

    accept: float
    uncertain: float
    merge: float


@lru_cache(maxsize=64)
def thresholds_of(recognizer: str | None) -> Thresholds:
    """Those of the recogniser of that name (`Models.recognizer`); None is the usual one."""
    networks = load_manifest()
    network = networks.get(recognizer or USUAL_RECOGNIZER)
    if network is None or network.role != "recognizer":
        network = networks[USUAL_RECOGNIZER]
    values = network.thresholds
    return Thresholds(values["accept"], values["uncertain"], values["merge"])
