"""What `render` and `verify` read: an analysis with its features, and the input it was made of."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil.analysis import read_analysis
from faceveil.identity.features import read_features
from faceveil.media.open import open_source

if TYPE_CHECKING:
    from faceveil.analysis import Analysis
    from faceveil.media.frames import FrameSource


def read_analysed(path: Path, features: Path | None) -> Analysis:
    """Read an analysis, with the features of its faces where their file is named.

    Raises
    ------
    InputError
        When a file cannot be read, or when the features belong to another analysis.
    """
    analysis = read_analysis(path)
    if features is None:
        return analysis
    sequences = read_features(analysis.sequences, analysis.source.digest, features)
    return replace(analysis, sequences=sequences)


def open_analysed(analysis: Analysis, options: argparse.Namespace) -> FrameSource:
    """Open the input of an analysis (`options.input`). Raises InputError for another one."""
    source = open_source(
        options.input,
        stills=analysis.source.kind == "stills",
        recursive=options.recursive,
        hwaccel=options.hwaccel,
    )
    analysis.check_source(source.digest())
    return source
