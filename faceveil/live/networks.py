"""The networks of a stream in which everyone is veiled."""

from __future__ import annotations

from dataclasses import replace

from faceveil.detect.build import UNION, AnalyzerOptions
from faceveil.detect.no_recognizer import NO_RECOGNIZER
from faceveil.weights.engines import AUTO, OPENVINO, available_engines, engine_named


def veiling_everyone(networks: AnalyzerOptions, recognizer: str = NO_RECOGNIZER) -> AnalyzerOptions:
    """Return the faster networks that do as well where no one can become visible.

    No face has to be recognised, and the union may detect in bfloat16: it finds as many faces, and
    what it cannot do as well is to tell people apart (benchmarks/reports/engines.md).
    """
    engine = networks.engine
    is_free = engine_named(engine) == AUTO and networks.detector == UNION and not networks.also
    if is_free and OPENVINO in available_engines():
        engine = OPENVINO
    return replace(networks, recognizer=recognizer, engine=engine)
