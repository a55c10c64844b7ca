"""`faceveil veil --dry-run`: what a run would read, write, keep and lose, and how long it takes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from faceveil.cli.many import Work
from faceveil.paths import check_paths, in_words, written_paths

if TYPE_CHECKING:
    from faceveil.media.frames import FrameSource, Loss

MEASURED_FRAMES = 4
"""After a first one, which is slower."""


def describe(options: argparse.Namespace, work: Work) -> int:
    """Print what veiling the input would do; nothing is written. Raises what veiling raises."""
    from faceveil.cli.options import encode_options_of, request_of
    from faceveil.media.open import open_sink, open_source

    request = request_of(options)
    written = written_paths(
        output=Path(work.output),
        crops=options.crops,
        features=options.features,
        analysis=options.analysis_output,
        contact_sheet=options.contact_sheet,
        report=options.report,
        matte=Path(options.matte) if options.matte else None,
        keyframes=options.keyframes,
    )
    has_folder = Path(work.output).parent.exists() or options.output_dir is None
    checked = [item for item in written if item.path.parent.exists() or options.output_dir is None]
    check_paths([work.input, *request.photos], checked, overwrite=options.overwrite)
    source = open_source(
        work.input, stills=options.stills, recursive=options.recursive, hwaccel=options.hwaccel
    )
    losses: Sequence[Loss] = ()
    room: Sequence[str] = ()
    if has_folder:
        encode = encode_options_of(options)
        sink = open_sink(work.output, source, encode, overwrite=options.overwrite)
        losses, room = sink.losses, [f"would need    at least about {in_words(sink.needed)}"]
    count = source.frame_count or "an unknown number of"
    rate = f", {float(source.rate):.2f} a second" if source.rate else ""
    lines = [
        f"would read    {work.input}: {count} frames of {source.width} x {source.height}{rate}",
        *(f"would read    {path}: photos" for path in request.photos),
        *(f"would write   {item.path}: {item.what}" for item in written),
        f"would veil    {_people(request.mode)}",
        *(f"would lose    {loss}" for loss in losses),
        *room,
        f"would take    {_duration(source, options)}",
        "nothing is written (--dry-run)",
    ]
    print("\n".join(lines), file=sys.stdout)
    return 0


def _people(mode: str) -> str:
    return {
        "all": "everyone",
        "keep": "everyone but the people chosen with --keep…",
        "only": "only the people chosen with --only…",
        "none": "no one (--nobody)",
    }[mode]


def _duration(source: FrameSource, options: argparse.Namespace) -> str:
    """The time of the analysis, which takes most of it, from a few frames of the input."""
    from faceveil.cli.options import analyzer_options_of
    from faceveil.detect.build import build_analyzer
    from faceveil.resources import usable_cores

    analyzer = build_analyzer(analyzer_options_of(options))
    images = [frame.rgb() for frame in islice(source, MEASURED_FRAMES + 1)]
    for image in images[:1]:
        analyzer(image)
    start = perf_counter()
    for image in images[1:]:
        analyzer(image)
    if len(images) < 2 or source.frame_count is None:
        return "a time that these frames do not tell"
    seconds = (perf_counter() - start) / (len(images) - 1) / (options.workers or usable_cores())
    minutes = source.frame_count * seconds / 60
    return f"about {minutes:.1f} minutes for the analysis on this machine, and some for rendering"
