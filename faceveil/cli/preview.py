"""`faceveil veil --preview`: a few seconds of a video, from where faces are."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from faceveil.cli.many import Work
from faceveil.cli.messages import say
from faceveil.cli.veil import veil_one
from faceveil.errors import UsageError
from faceveil.paths import check_paths, written_paths


def preview(options: argparse.Namespace, work: Work) -> int:
    """Veil an excerpt of the input into the output; returns the exit code.

    Raises UsageError for what is not a video file.
    """
    from faceveil.cli.options import analyzer_options_of
    from faceveil.detect.build import build_analyzer
    from faceveil.faces import Image
    from faceveil.media.excerpt import copy_excerpt, find_start
    from faceveil.media.single_picture import is_picture

    check_paths([work.input], written_paths(output=Path(work.output)), overwrite=options.overwrite)
    if not work.input.is_file() or is_picture(work.input):
        raise UsageError(f"--preview: {work.input} is no video file of this machine")
    analyzer = build_analyzer(analyzer_options_of(options))

    def shows_a_face(image: Image) -> bool:
        return len(analyzer(image)) > 0

    start = find_start(work.input, shows_a_face)
    say(options, f"preview: {float(options.preview):g} s from {float(start):.1f} s on")
    with tempfile.TemporaryDirectory(prefix="faceveil-preview-") as folder:
        excerpt = Path(folder, f"{work.input.stem[:100]}.mkv")
        copy_excerpt(work.input, start, options.preview, excerpt)
        return veil_one(options, replace(work, input=excerpt))
