"""The commands that judge an output: `faceveil evaluate`, `faceveil verify`."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace

import orjson

from faceveil.analysis import Analysis, read_analysis
from faceveil.assure.step import check_recognizer
from faceveil.assure.verify import verify as look_at
from faceveil.cli.options import analyzer_options_of, say, style_of
from faceveil.detect.analyzer import build_analyzer
from faceveil.evaluation.evaluate_files import evaluate_files, summarise_evaluation
from faceveil.files import replace_file
from faceveil.identity.features import read_features
from faceveil.media.frames import FrameSource
from faceveil.media.open import open_source
from faceveil.progress import choose_progress
from faceveil.resources import usable_cores


def evaluate(options: Namespace) -> int:
    """`faceveil evaluate`: compare an output with the truth."""
    evaluation = evaluate_files(
        options.truth,
        options.output,
        keep=options.keep,
        style=style_of(options),
        grow=options.grow,
        is_round=options.round,
        json=options.json,
        html=options.html,
        video=options.video,
    )
    print(summarise_evaluation(evaluation))
    return 0


def verify(options: Namespace) -> int:
    """`faceveil verify`: look at an output again."""
    analysis = read_analysis(options.analysis)
    is_stills = analysis.source.kind == "stills"
    output = open_source(options.output, stills=is_stills)
    original = _original(analysis, options)
    if options.features:
        features = read_features(analysis.sequences, analysis.source.digest, options.features)
        analysis = replace(analysis, sequences=features)
    analyzer = build_analyzer(analyzer_options_of(options).detecting_once())
    check_recognizer(analysis, analyzer)
    verification = look_at(
        output,
        analysis,
        analyzer,
        style_of(options),
        original=original,
        every=options.every,
        workers=options.workers or usable_cores(),
        crops=options.crops,
        progress=choose_progress(options.progress, options.quiet),
    )
    if options.json:
        content = orjson.dumps(verification.to_dict(), option=orjson.OPT_INDENT_2)
        replace_file(options.json, content)
    say(options, verification.summary())
    verification.require(str(options.output))
    return 0


def _original(analysis: Analysis, options: Namespace) -> FrameSource | None:
    if options.input is None:
        return None
    original = open_source(options.input, stills=analysis.source.kind == "stills")
    analysis.check_source(original.digest())
    return original
