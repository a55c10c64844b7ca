"""`faceveil render`: veil what an analysis says, without detecting again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command, add_progress, add_reading
from faceveil.cli.finding_arguments import add_networks, add_selection
from faceveil.cli.output_arguments import add_rendering, add_verification
from faceveil.errors import UsageError

if TYPE_CHECKING:
    from faceveil.analysis import Analysis
    from faceveil.identity.request import SelectionRequest
    from faceveil.identity.select import Selection


def add_render_parser(commands: Commands) -> None:
    """Add `render` to the commands."""
    parser = add_command(
        commands,
        "render",
        "INPUT ANALYSIS OUTPUT",
        "veil what an analysis says, without detection; a choice made here replaces its own",
    )
    parser.add_argument("input", type=parsing.path, help="the video or folder that was analysed")
    parser.add_argument("analysis", type=parsing.path, help="analysis.json, edited or not")
    parser.add_argument(
        "output",
        type=parsing.place,
        help="a video (.mp4, .mov, .mkv, .webm, .ts …), a picture, a folder with a slash at its "
        "end, or - for standard output",
    )
    add_selection(parser)
    parser.add_argument(
        "--corrections",
        type=parsing.path,
        metavar="JSON",
        help="what a person changed, as `faceveil review` saves it; it wins over every choice",
    )
    parser.add_argument(
        "--features",
        type=parsing.path,
        metavar="NPZ",
        help="features saved by `analyse`: a new choice by photo needs them, and so does "
        "verification to recognise the people who are veiled",
    )
    add_reading(parser)
    add_networks(parser)
    add_rendering(parser)
    add_verification(parser)
    add_progress(parser)
    parser.set_defaults(func=run_render)


def run_render(options: argparse.Namespace) -> int:
    """`faceveil render`. Raises VerificationError when the output shows a face."""
    from faceveil import pipeline, rendering
    from faceveil.analysis import write_analysis
    from faceveil.assure.signature import Signer
    from faceveil.cli.analysed import open_analysed, read_analysed
    from faceveil.cli.messages import say_rendered
    from faceveil.cli.options import (
        check_report_options,
        encode_options_of,
        request_of,
        style_of,
        verify_options_of,
    )
    from faceveil.corrections.apply import apply_corrections
    from faceveil.corrections.document import read_corrections
    from faceveil.media.matte import open_matte
    from faceveil.media.open import open_sink
    from faceveil.progress import choose_progress

    style, request = style_of(options), request_of(options)
    check_report_options(options)
    _check_paths(options, request)
    signer = Signer(options.sign) if options.sign else None
    corrections = read_corrections(options.corrections) if options.corrections else None
    analysis = read_analysed(options.analysis, options.features)
    source = open_analysed(analysis, options)
    encoding = encode_options_of(options)
    sink = open_sink(options.output, source, encoding, overwrite=options.overwrite)
    matte = None
    if options.matte:
        matte = open_matte(options.matte, source, rate=encoding.rate, output=sink)
    if request.mode != "all":
        analysis = pipeline.decide_again(analysis, _selection(request, analysis, options))
    if options.analysis_output:
        corrected = apply_corrections(analysis, corrections).analysis if corrections else analysis
        write_analysis(corrected, options.analysis_output)
    rendered = rendering.render(
        source,
        analysis,
        sink,
        style,
        corrections=corrections,
        verification=verify_options_of(options),
        boxes_only=options.draw_boxes,
        contact_sheet=options.contact_sheet,
        report=options.report,
        signer=signer,
        reviewer=options.reviewer,
        matte=matte,
        keyframes=options.keyframes,
        workers=options.workers,
        progress=choose_progress(options.progress, options.quiet),
        check=False,
    )
    return say_rendered(options, options.input, rendered)


def _check_paths(options: argparse.Namespace, request: SelectionRequest) -> None:
    from faceveil.paths import check_paths, written_paths

    read = (
        options.input,
        options.analysis,
        options.features,
        options.corrections,
        options.sign,
        *request.photos,
    )
    written = written_paths(
        output=Path(options.output),
        crops=options.crops,
        analysis=options.analysis_output,
        contact_sheet=options.contact_sheet,
        report=options.report,
        matte=Path(options.matte) if options.matte else None,
        keyframes=options.keyframes,
    )
    check_paths(filter(None, read), written, overwrite=options.overwrite)


def _selection(
    request: SelectionRequest, analysis: Analysis, options: argparse.Namespace
) -> Selection:
    """The request with its photos represented by the recogniser of the analysis."""
    from fractions import Fraction

    from faceveil.cli.options import analyzer_options_of
    from faceveil.detect.build import build_analyzer

    recognizer = analysis.models.recognizer if analysis.models else None
    analyzer = None
    if request.photos:
        if not options.features:
            raise UsageError(
                "choosing by photo needs the features of the faces: analyse with --features "
                "FILE, then render with the same; or choose by point or identity"
            )
        analyzer = build_analyzer(analyzer_options_of(options))
        if recognizer not in (None, analyzer.models.recognizer):
            raise UsageError(
                f"the people of the analysis were recognised by {recognizer}: choose by photo "
                f"with --recognizer {recognizer}, not {analyzer.models.recognizer}"
            )
    rate = analysis.source.rate
    return request.resolve(analyzer, None if rate is None else Fraction(rate))
