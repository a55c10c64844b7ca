"""What the service is asked to do, read from the environment once and checked before it listens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from faceveil.detect.also import AlsoOptions
from faceveil.detect.build import AnalyzerOptions
from faceveil.errors import UsageError
from faceveil.media.pictures import MAX_PIXELS
from faceveil.weights.engines import ENVIRONMENT_VARIABLE, engine_named
from handler.environment import Environment

DEFAULT_MAX_PIXELS = 40_000_000
"""An 8K frame has 33 million; what a picture decodes to must fit in a worker's memory."""
EXACT_DECIMALS = 9
MAX_THREADS = 256


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """How pictures are analysed and answered.

    thumbnail: whether the answer holds the 48x27 picture that finds shots. feature_decimals
    rounds features in the answer, None keeps them exactly. A picture of more than max_pixels is
    answered with an error.
    """

    analyzer: AnalyzerOptions
    thumbnail: bool = True
    feature_decimals: int | None = None
    max_pixels: int = DEFAULT_MAX_PIXELS

    @classmethod
    def from_environment(cls, values: Mapping[str, str]) -> ServiceOptions:
        """Raises UsageError that names the variable whose value makes no sense."""
        environment = Environment(values)
        return cls(
            analyzer=_analyzer_options(environment),
            thumbnail=environment.switch("FACEVEIL_THUMBNAIL", True),
            feature_decimals=environment.whole("FACEVEIL_FEATURE_DECIMALS", 1, EXACT_DECIMALS),
            max_pixels=environment.whole("FACEVEIL_MAX_PIXELS", 1, MAX_PIXELS)
            or DEFAULT_MAX_PIXELS,
        )


def _also(environment: Environment) -> tuple[AlsoOptions, ...]:
    """FACEVEIL_ALSO: networks for objects other than faces, with spaces between them."""
    words = (environment.text("FACEVEIL_ALSO") or "").split()
    try:
        return tuple(map(AlsoOptions.parse, words))
    except UsageError as problem:
        raise UsageError(f"FACEVEIL_ALSO: {problem}") from problem


def _engine(environment: Environment) -> str | None:
    """FACEVEIL_ENGINE: what the networks run on."""
    name = environment.text(ENVIRONMENT_VARIABLE)
    if name is not None:
        try:
            engine_named(name)
        except UsageError as problem:
            raise UsageError(f"{ENVIRONMENT_VARIABLE}: {problem}") from problem
    return name


def _analyzer_options(environment: Environment) -> AnalyzerOptions:
    defaults = AnalyzerOptions()
    options = replace(
        defaults,
        detector=environment.text("FACEVEIL_DETECTOR") or defaults.detector,
        recognizer=environment.text("FACEVEIL_RECOGNIZER") or defaults.recognizer,
        engine=_engine(environment) or defaults.engine,
        threads=environment.whole("FACEVEIL_THREADS", 1, MAX_THREADS) or defaults.threads,
        accept_licence=environment.switch("FACEVEIL_ACCEPT_LICENCE", False),
        also=_also(environment),
    )
    numbers = {
        "FACEVEIL_MIN_FACE_SIZE": ("min_face_size", environment.number),
        "FACEVEIL_MTCNN_THRESHOLDS": ("thresholds", lambda name: environment.numbers(name, 3)),
        "FACEVEIL_CENTERFACE_THRESHOLD": ("centerface_threshold", environment.number),
        "FACEVEIL_CENTERFACE_SCALE": ("centerface_scale", environment.number),
    }
    for variable, (field, read) in numbers.items():
        changed: dict[str, Any] = {field: read(variable)}
        try:
            options = replace(options, **changed)
        except UsageError as problem:
            raise UsageError(f"{variable}={environment.text(variable)!r}: {problem}") from problem
    return options
