"""What each command does: options in, library calls, messages out."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from fractions import Fraction

import numpy as np

from faceveil import pipeline
from faceveil.analysis import Analysis, read_analysis, write_analysis
from faceveil.assure.contact_sheet import ContactSheet
from faceveil.assure.report import build_report, write_report
from faceveil.assure.step import VerificationStep
from faceveil.assure.verify import EVERY
from faceveil.cli.options import (
    analyzer_options_of,
    encode_options_of,
    mode_of,
    sampling_of,
    say,
    selection_of,
    selection_parameters,
    sequence_options_of,
    style_of,
    tracking_of,
    verifier_options_of,
)
from faceveil.detect.analyzer import build_analyzer
from faceveil.errors import InputError, UsageError
from faceveil.files import path_digest
from faceveil.identity.features import read_features, write_features
from faceveil.identity.limit import limit
from faceveil.identity.select import decide as decide_each
from faceveil.media.frames import FrameSource, LocalSink
from faceveil.media.open import open_sink, open_source
from faceveil.progress import choose_progress
from faceveil.resources import usable_cores
from faceveil.veils.styles import VeilStyle
from faceveil.weights import catalogue


class _Clock:
    """Seconds of each stage on the wall."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - start


def veil(options: Namespace) -> int:
    """`faceveil veil`: analyse and render in one go."""
    clock = _Clock()
    source = open_source(options.input, stills=options.stills)
    sink = open_sink(options.output, source, encode_options_of(options))
    style = style_of(options)
    analysis = _analyse(source, options, clock)
    if options.features:
        write_features(analysis.sequences, analysis.source.digest, options.features)
    return _render(source, sink, analysis, style, options, clock)


def analyse(options: Namespace) -> int:
    """`faceveil analyse`: write analysis.json, and the features on request."""
    source = open_source(options.input, stills=options.stills)
    analysis = _analyse(source, options, _Clock())
    if options.features:
        write_features(analysis.sequences, analysis.source.digest, options.features)
    write_analysis(analysis, options.analysis)
    say(options, summary(analysis))
    return _answer(source)


def render(options: Namespace) -> int:
    """`faceveil render`: veil what an analysis says, or what is chosen now."""
    analysis = read_analysis(options.analysis)
    source = open_source(options.input, stills=analysis.source.kind == "stills")
    analysis.check_source(source.digest())
    sink = open_sink(options.output, source, encode_options_of(options))
    style = style_of(options)
    if options.features:
        features = read_features(analysis.sequences, analysis.source.digest, options.features)
        analysis = replace(analysis, sequences=features)
    if mode_of(options) is not None or options.between:
        analysis = _decided_again(analysis, options)
    return _render(source, sink, analysis, style, options, _Clock())


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
    fetched = catalogue.fetch(names, options.accept_licence, progress=print)
    for located in fetched:
        print(f"{located.network.name}: ready, {next(iter(located.files.values())).parent}")
    return 0


def weights_verify(options: Namespace) -> int:
    """`faceveil weights verify`: exit code 6 when a cached file is corrupt."""
    rows = catalogue.verify(options.names)
    for row in rows:
        print(f"{row.network.name}: {row.state}")
    return 6 if any(row.state == "corrupt" for row in rows) else 0


def _analyse(source: FrameSource, options: Namespace, clock: _Clock) -> Analysis:
    sequence_options = sequence_options_of(options)
    sampling, tracking = sampling_of(options), tracking_of(options)
    analyzer_options = analyzer_options_of(options)
    mode = mode_of(options)
    with clock.stage("load"):
        analyzer = build_analyzer(analyzer_options)
        selection = selection_of(options, mode or "all", analyzer, source.rate)
    with clock.stage("analyse"):
        found = pipeline.analyse(
            source,
            analyzer,
            sequence_options,
            sampling=sampling,
            tracking=tracking,
            workers=options.workers or usable_cores(),
            progress=choose_progress(options.progress, options.quiet),
        )
    parameters = {
        "networks": asdict(analyzer_options),
        "sequences": asdict(sequence_options),
        "sampling": sampling and asdict(sampling),
        "tracking": tracking and asdict(tracking),
        "frames_looked_at": found.looked_at,
        "selection": selection_parameters(selection, analyzer.models.recognizer),
    }
    with clock.stage("decide"):
        return pipeline.decide(found, source, selection, parameters)


def _render(
    source: FrameSource,
    sink: LocalSink,
    analysis: Analysis,
    style: VeilStyle,
    options: Namespace,
    clock: _Clock,
) -> int:
    sheet = None
    if options.contact_sheet:
        sheet = ContactSheet(
            analysis.sequences,
            analysis.identities,
            analysis.decisions,
            analysis.source.frame_count,
        )
    verification, verify = None, _verification_step(analysis, style, options)
    with sink:
        with clock.stage("render"):
            coverage = pipeline.render(
                source,
                analysis,
                sink,
                style,
                boxes_only=options.draw_boxes,
                contact_sheet=sheet,
                traces=None if verify is None else verify.traces,
                progress=choose_progress(options.progress, options.quiet),
            )
        if verify:
            with clock.stage("verify"):
                verification = verify(sink)
    if sheet is not None:
        sheet.save(options.contact_sheet)
    if options.analysis_output:
        write_analysis(analysis, options.analysis_output)
    if options.report:
        report = build_report(
            analysis,
            coverage,
            style=style,
            verification=verification,
            output=sink.path.name,
            output_digest=path_digest(sink.path),
            seconds=clock.seconds,
            problems=source.problems,
        )
        write_report(report, options.report)
    say(options, summary(analysis))
    code = _answer(source)
    if verification:
        say(options, verification.summary())
        if not options.accept_violations:
            verification.require(
                f"{options.output}: not published, kept as {sink.path}",
                "; if it is nothing that matters, render with --accept-violations",
            )
    return code


def _verification_step(
    analysis: Analysis, style: VeilStyle, options: Namespace
) -> VerificationStep | None:
    """None where it is switched off or nothing is to be veiled."""
    nobody = options.nobody and not analysis.veiled.any()
    if options.verify == "off" or options.draw_boxes or nobody:
        return None
    return VerificationStep(
        analysis,
        style,
        build_analyzer(verifier_options_of(options)),
        every=1 if options.verify == "every" else EVERY,
        workers=options.workers or usable_cores(),
        crops=options.crops,
        accept=options.accept_violations,
        progress=choose_progress(options.progress, options.quiet),
    )


def _decided_again(analysis: Analysis, options: Namespace) -> Analysis:
    mode = mode_of(options) or "all"
    recognizer = analysis.models.recognizer if analysis.models else None
    analyzer = None
    if options.keep or options.only:
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
    selection = selection_of(options, mode, analyzer, None if rate is None else Fraction(rate))
    decisions = decide_each(
        analysis.sequences, analysis.identities, selection, recognizer=recognizer
    )
    parameters = {**analysis.parameters, "selection": selection_parameters(selection, recognizer)}
    decided = replace(analysis, decisions=decisions, parameters=parameters)
    return limit(decided, selection.times)


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


def _answer(source: FrameSource) -> int:
    """0, or the code of bad input after naming what could not be read."""
    for problem in source.problems:
        print(f"faceveil: {source.path}: {problem.where}: {problem.message}", file=sys.stderr)
    return InputError.exit_code if source.problems else 0
