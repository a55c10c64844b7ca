"""What each command does: options in, library calls, messages out."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from faceveil import pipeline, rendering
from faceveil.analysis import Analysis, read_analysis, write_analysis
from faceveil.cli.options import (
    analyzer_options_of,
    encode_options_of,
    request_of,
    sampling_of,
    say,
    sequence_options_of,
    style_of,
    tracking_of,
    verify_options_of,
)
from faceveil.detect.analyzer import build_analyzer
from faceveil.errors import InputError, UsageError
from faceveil.identity.features import read_features, write_features
from faceveil.identity.request import SelectionRequest
from faceveil.identity.select import Selection
from faceveil.media.frames import Problem
from faceveil.media.open import open_sink, open_source
from faceveil.progress import choose_progress
from faceveil.weights import catalogue


def veil(options: Namespace) -> int:
    """`faceveil veil`: analyse and render in one go."""
    rendered = pipeline.veil(
        options.input,
        options.output,
        request=request_of(options),
        style=style_of(options),
        stills=options.stills,
        encode=encode_options_of(options),
        verification=verify_options_of(options),
        boxes_only=options.draw_boxes,
        features=options.features,
        analysis=options.analysis_output,
        contact_sheet=options.contact_sheet,
        report=options.report,
        check=False,
        **_analysis_options(options),
    )
    return _answer_rendered(rendered, options)


def analyse(options: Namespace) -> int:
    """`faceveil analyse`: write analysis.json, and the features on request."""
    source = open_source(options.input, stills=options.stills)
    analysis = pipeline.analyse_and_decide(
        source, request_of(options), **_analysis_options(options)
    )
    if options.features:
        write_features(analysis.sequences, analysis.source.digest, options.features)
    write_analysis(analysis, options.analysis)
    say(options, summary(analysis))
    return _answer(source.path, source.problems)


def _analysis_options(options: Namespace) -> dict[str, Any]:
    return {
        "networks": analyzer_options_of(options),
        "sequences": sequence_options_of(options),
        "sampling": sampling_of(options),
        "tracking": tracking_of(options),
        "workers": options.workers,
        "progress": choose_progress(options.progress, options.quiet),
    }


def render(options: Namespace) -> int:
    """`faceveil render`: veil what an analysis says, or what is chosen now."""
    analysis = read_analysis(options.analysis)
    source = open_source(options.input, stills=analysis.source.kind == "stills")
    analysis.check_source(source.digest())
    sink = open_sink(options.output, source, encode_options_of(options))
    style, request = style_of(options), request_of(options)
    if options.features:
        features = read_features(analysis.sequences, analysis.source.digest, options.features)
        analysis = replace(analysis, sequences=features)
    if request.mode != "all":
        analysis = pipeline.decide_again(analysis, _selection(request, analysis, options))
    if options.analysis_output:
        write_analysis(analysis, options.analysis_output)
    rendered = rendering.render(
        source,
        analysis,
        sink,
        style,
        verification=verify_options_of(options),
        boxes_only=options.draw_boxes,
        contact_sheet=options.contact_sheet,
        report=options.report,
        workers=options.workers,
        progress=choose_progress(options.progress, options.quiet),
        check=False,
    )
    return _answer_rendered(rendered, options)


def _selection(request: SelectionRequest, analysis: Analysis, options: Namespace) -> Selection:
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


def _answer_rendered(rendered: rendering.Rendered, options: Namespace) -> int:
    """Say what was done; the exit code. Raises VerificationError when the output shows a face."""
    say(options, summary(rendered.analysis))
    code = _answer(options.input, rendered.problems)
    if rendered.verification:
        say(options, rendered.verification.summary())
        rendered.require("; if it is nothing that matters, render with --accept-violations")
    return code


def weights_list(options: Namespace) -> int:
    """`faceveil weights list`."""
    for row in catalogue.list_networks():
        network = row.network
        use = "commercial use allowed" if network.commercial_use else "NO commercial use"
        print(
            f"{network.name}  ({network.role}, {row.state})\n"
            f"    {network.summary}\n"
            f"    licence   {network.licence} ({use})\n"
            f"    trained   {network.training_data}\n"
            f"    from      {network.source.kind} {network.source.location}"
        )
    return 0


def weights_fetch(options: Namespace) -> int:
    """`faceveil weights fetch`."""
    names = options.names or catalogue.DEFAULT_NETWORKS
    fetched = catalogue.fetch_networks(names, options.accept_licence, progress=print)
    for located in fetched:
        print(f"{located.network.name}: ready, {next(iter(located.files.values())).parent}")
    return 0


def weights_verify(options: Namespace) -> int:
    """`faceveil weights verify`: exit code 6 when a cached file is corrupt."""
    rows = catalogue.verify_networks(options.names)
    for row in rows:
        print(f"{row.network.name}: {row.state}")
    return 6 if any(row.state == "corrupt" for row in rows) else 0


def summary(analysis: Analysis) -> str:
    """What was found and decided, in a few lines; the uncertain one by one."""
    veiled = analysis.veiled
    people = np.unique(analysis.identities)
    kept = np.unique(analysis.identities[~veiled])
    seen = f"{analysis.source.frame_count} frames in {len(analysis.shot_starts)} shots"
    if analysis.source.kind == "stills":
        seen = f"{analysis.source.frame_count} pictures"
    lines = [f"{seen}: {len(people)} people, {len(kept)} of them kept, all others veiled"]
    rows = zip(analysis.sequences, analysis.identities, analysis.decisions, strict=True)
    uncertain = [
        f"  frames {sequence.first}-{sequence.last}, identity {identity}: {decision.reason}"
        for sequence, identity, decision in rows
        if decision.uncertain
    ]
    if uncertain:
        lines += [f"{len(uncertain)} sequences uncertain, so veiled; look at them:", *uncertain]
    return "\n".join(lines)


def _answer(path: Path, problems: Sequence[Problem]) -> int:
    """0, or the code of bad input after naming what could not be read."""
    for problem in problems:
        print(f"faceveil: {path}: {problem.where}: {problem.message}", file=sys.stderr)
    return InputError.exit_code if problems else 0
