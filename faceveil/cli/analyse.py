"""`faceveil analyse`: find and follow faces, and write analysis.json."""

from __future__ import annotations

import argparse

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_analysed, add_command, add_overwrite, add_progress
from faceveil.cli.finding_arguments import add_following, add_networks, add_regions, add_selection


def add_analyse_parser(commands: Commands) -> None:
    """Add `analyse` to the commands."""
    parser = add_command(
        commands, "analyse", "INPUT ANALYSIS", "find and follow faces; write analysis.json"
    )
    parser.add_argument("input", type=parsing.path, help="a video file or a folder of frames")
    parser.add_argument(
        "analysis", type=parsing.path, help="the file to write; it holds no features"
    )
    add_analysed(parser)
    add_overwrite(parser)
    add_selection(parser)
    add_regions(parser)
    add_networks(parser)
    add_following(parser)
    add_progress(parser)
    parser.set_defaults(func=run_analyse)


def run_analyse(options: argparse.Namespace) -> int:
    """`faceveil analyse`: write analysis.json, and the features on request."""
    from faceveil import pipeline
    from faceveil.analysis import write_analysis
    from faceveil.assure.summary import summary
    from faceveil.cli.messages import say, say_problems
    from faceveil.cli.options import analysis_options_of, request_of
    from faceveil.identity.features import write_features
    from faceveil.media.open import open_source
    from faceveil.paths import check_paths, written_paths

    request = request_of(options)
    check_paths(
        [options.input, *request.photos],
        written_paths(analysis=options.analysis, features=options.features),
        overwrite=options.overwrite,
    )
    source = open_source(
        options.input,
        stills=options.stills,
        recursive=options.recursive,
        hwaccel=options.hwaccel,
    )
    analysis = pipeline.analyse_and_decide(source, request, **analysis_options_of(options))
    if options.features:
        write_features(analysis.sequences, analysis.source.digest, options.features)
    write_analysis(analysis, options.analysis)
    say(options, summary(analysis))
    return say_problems(source.path, source.problems)
