"""Run before the server listens: opens the networks as a worker will, and looks at one picture.

In a process of its own, so that its memory is given back and a crash while loading is seen.
"""

from __future__ import annotations

import os
import sys

import numpy as np

from faceveil.detect.build import UNION, AnalyzerOptions, build_analyzer
from faceveil.errors import FaceveilError, WeightsError
from faceveil.weights.cache import weights_folder
from faceveil.weights.catalogue import verify_networks
from faceveil.weights.manifest import INSTALLED, load_manifest
from handler.options import ServiceOptions
from handler.weights import WEIGHTS_VARIABLE

SIDE = 64


def main() -> int:
    try:
        options = ServiceOptions.from_environment(os.environ).analyzer
        require_weights(options)
        build_analyzer(options)(np.zeros((SIDE, SIDE, 3), np.uint8))
    except FaceveilError as problem:
        print(f"faceveil serve: {problem}", file=sys.stderr)
        return problem.exit_code
    return 0


def require_weights(options: AnalyzerOptions) -> None:
    """Raise WeightsError unless the networks are in the weights folder, intact.

    The library would fetch what is missing; a server in a closed network must say so at once.
    Raises LicenceError for a network that needs its licence accepted. Networks given by path are
    read when they are opened, like those of a package.
    """
    known = load_manifest()
    detectors = ("mtcnn", "centerface") if options.detector == UNION else (options.detector,)
    names = [name for name in (*detectors, options.recognizer) if name in known]
    for name in names:
        known[name].require_licence(options.accept_licence)
    names = [name for name in names if known[name].source.kind != INSTALLED]
    if not names:
        return
    wrong = [
        f"{row.network.name} is {row.state}"
        for row in verify_networks(names)
        if row.state != "intact"
    ]
    if wrong:
        raise WeightsError(
            f"{weights_folder()}: {', '.join(wrong)}; give a model.tar.gz made by python -m "
            f"model.build as the model, or set {WEIGHTS_VARIABLE} to a folder that "
            "`faceveil weights fetch` has filled"
        )


if __name__ == "__main__":
    raise SystemExit(main())
