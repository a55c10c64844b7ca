"""faceveil: veil the right faces in video, at cloud scale, without missing one.

>>> from faceveil import veil
>>> result = veil("talk.mp4", "out.mp4", keep="photos/anchor/")  # doctest: +SKIP

`veil` does all that the command does. `analyse`, `decide` and `render` are its stages.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faceveil.analysis import Analysis, read_analysis, write_analysis
    from faceveil.assure.verify import verify
    from faceveil.corrections.apply import Corrected, apply_corrections
    from faceveil.corrections.document import Corrections, read_corrections, write_corrections
    from faceveil.decisions import Decision, Point
    from faceveil.detect.build import AnalyzerOptions, build_analyzer
    from faceveil.errors import FaceveilError
    from faceveil.evaluation.judging import evaluate
    from faceveil.faces import FaceSequence, FrameFaces
    from faceveil.finding import Found, analyse, follow
    from faceveil.identity.request import SelectionRequest
    from faceveil.identity.select import Selection
    from faceveil.media.open import open_sink, open_source
    from faceveil.pipeline import decide, decide_again, veil
    from faceveil.rendering import Rendered, VerifyOptions, render
    from faceveil.veils.styles import VeilStyle

__version__ = "0.2.0"

_HOMES = {
    "analysis": ("Analysis", "read_analysis", "write_analysis"),
    "assure.verify": ("verify",),
    "corrections.apply": ("Corrected", "apply_corrections"),
    "corrections.document": ("Corrections", "read_corrections", "write_corrections"),
    "decisions": ("Decision", "Point"),
    "detect.build": ("AnalyzerOptions", "build_analyzer"),
    "errors": ("FaceveilError",),
    "evaluation.judging": ("evaluate",),
    "faces": ("FaceSequence", "FrameFaces"),
    "finding": ("Found", "analyse", "follow"),
    "identity.request": ("SelectionRequest",),
    "identity.select": ("Selection",),
    "media.open": ("open_sink", "open_source"),
    "pipeline": ("decide", "decide_again", "veil"),
    "rendering": ("Rendered", "VerifyOptions", "render"),
    "veils.styles": ("VeilStyle",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Analysis",
    "AnalyzerOptions",
    "Corrected",
    "Corrections",
    "Decision",
    "FaceSequence",
    "FaceveilError",
    "Found",
    "FrameFaces",
    "Point",
    "Rendered",
    "Selection",
    "SelectionRequest",
    "VeilStyle",
    "VerifyOptions",
    "analyse",
    "apply_corrections",
    "build_analyzer",
    "decide",
    "decide_again",
    "evaluate",
    "follow",
    "open_sink",
    "open_source",
    "read_analysis",
    "read_corrections",
    "render",
    "veil",
    "verify",
    "write_analysis",
    "write_corrections",
]


def __getattr__(name: str) -> object:
    """Import what is asked for: `import faceveil` itself opens nothing."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
