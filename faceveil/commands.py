"""What each command does: options in, library calls, messages out."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from faceveil import pipeline
from faceveil.analysis import Analysis, read_analysis, write_analysis
from faceveil.assure.contact_sheet import ContactSheet
from faceveil.assure.coverage import Coverage
from faceveil.assure.report import build_report, write_report
from faceveil.detect.analyzer import AnalyzerOptions, FaceAnalyzer, build_analyzer
from faceveil.errors import InputError, UsageError
from faceveil.files import path_digest
from faceveil.identity.features import read_features, write_features
from faceveil.identity.points import Point
from faceveil.identity.references import load_references
from faceveil.identity.select import (
    ACCEPT_SIMILARITY,
    UNCERTAIN_SIMILARITY,
    Mode,
    Selection,
)
from faceveil.identity.select import decide as decide_each
from faceveil.media.frames import EncodeOptions, FrameSink, FrameSource
from faceveil.media.open import open_sink, open_source
from faceveil.progress import choose_progress
from faceveil.resources import usable_cores
from faceveil.sequence.options import THESIS, SequenceOptions
from faceveil.veil.styles import VeilStyle
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
    sink = open_sink(options.output, source, _encode_options(options))
    style = _style(options)
    found, analysis = _analyse(source, options, clock)
    if options.features:
        write_features(found.sequences, analysis.source.digest, options.features)
    return _render(source, sink, analysis, style, options, clock)


def analyse(options: Namespace) -> int:
    """`faceveil analyse`: write analysis.json, and the features on request."""
    source = open_source(options.input, stills=options.stills)
    found, analysis = _analyse(source, options, _Clock())
    if options.features:
        write_features(found.sequences, analysis.source.digest, options.features)
    write_analysis(analysis, options.analysis)
    _say(options, _summary(analysis))
    return _answer(source)


def render(options: Namespace) -> int:
    """`faceveil render`: veil what an analysis says, or what is chosen now."""
    analysis = read_analysis(options.analysis)
    source = open_source(options.input, stills=analysis.source.kind == "stills")
    analysis.check_source(source.digest())
    sink = open_sink(options.output, source, _encode_options(options))
    style = _style(options)
    if _mode(options) is not None:
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


def _analyse(
    source: FrameSource, options: Namespace, clock: _Clock
) -> tuple[pipeline.Found, Analysis]:
    sequence_options = _sequence_options(options)
    analyzer_options = _analyzer_options(options)
    mode = _mode(options)
    with clock.stage("load"):
        analyzer = build_analyzer(analyzer_options)
        selection = _selection(options, mode or "all", analyzer)
    with clock.stage("analyse"):
        found = pipeline.analyse(
            source,
            analyzer,
            sequence_options,
            workers=options.workers or usable_cores(),
            progress=choose_progress(options.progress, options.quiet),
        )
    parameters = {
        "networks": asdict(analyzer_options),
        "sequences": asdict(sequence_options),
        "selection": _selection_parameters(selection),
    }
    with clock.stage("decide"):
        return found, pipeline.decide(found, source, selection, parameters)


def _render(
    source: FrameSource,
    sink: FrameSink,
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
    with clock.stage("render"), sink:
        coverage = pipeline.render(
            source,
            analysis,
            sink,
            style,
            boxes_only=options.draw_boxes,
            contact_sheet=sheet,
            progress=choose_progress(options.progress, options.quiet),
        )
    if sheet is not None:
        sheet.save(options.contact_sheet)
    if options.analysis_output:
        write_analysis(analysis, options.analysis_output)
    if options.report:
        _write_report(source, analysis, coverage, options, clock)
    _say(options, _summary(analysis))
    return _answer(source)


def _write_report(
    source: FrameSource, analysis: Analysis, coverage: Coverage, options: Namespace, clock: _Clock
) -> None:
    report = build_report(
        analysis,
        coverage,
        output=options.output.name,
        output_digest=path_digest(options.output),
        seconds=clock.seconds,
        problems=source.problems,
    )
    write_report(report, options.report)


def _decided_again(analysis: Analysis, options: Namespace) -> Analysis:
    mode = _mode(options) or "all"
    sequences, analyzer = analysis.sequences, None
    if options.keep or options.only:
        if not options.features:
            raise UsageError(
                "choosing by photo needs the features of the faces: analyse with --features "
                "FILE, then render with the same; or choose by point or identity"
            )
        sequences = read_features(sequences, analysis.source.digest, options.features)
        analyzer = build_analyzer(_analyzer_options(options))
    selection = _selection(options, mode, analyzer)
    decisions = decide_each(sequences, analysis.identities, selection)
    parameters = {**analysis.parameters, "selection": _selection_parameters(selection)}
    return replace(analysis, decisions=decisions, parameters=parameters)


def _mode(options: Namespace) -> Mode | None:
    """The mode the options ask for, None where they say nothing."""
    keep = options.keep or options.keep_at or options.keep_identity
    only = options.only or options.only_at or options.only_identity
    if bool(keep) + bool(only) + options.nobody > 1:
        raise UsageError("choose one: --keep… (all but these), --only… (these), or --nobody")
    if keep:
        return "keep"
    if only:
        return "only"
    return "none" if options.nobody else None


def _selection(options: Namespace, mode: Mode, analyzer: FaceAnalyzer | None) -> Selection:
    keep = mode == "keep"
    photos = options.keep if keep else options.only
    references = load_references(photos, analyzer) if photos and analyzer else None
    accept = ACCEPT_SIMILARITY if options.accept is None else options.accept
    uncertain = UNCERTAIN_SIMILARITY if options.uncertain is None else options.uncertain
    return Selection(
        mode=mode,
        references=references,
        points=tuple(Point(*p) for p in (options.keep_at if keep else options.only_at)),
        identities=tuple(options.keep_identity if keep else options.only_identity),
        accept=accept,
        uncertain=min(uncertain, accept) if options.uncertain is None else uncertain,
    )


def _selection_parameters(selection: Selection) -> dict[str, Any]:
    people = selection.references.names if selection.references else ()
    return {
        "mode": selection.mode,
        "people": list(people),
        "points": [list(point) for point in selection.points],
        "identities": list(selection.identities),
        "accept": selection.accept,
        "uncertain": selection.uncertain,
    }


def _analyzer_options(options: Namespace) -> AnalyzerOptions:
    return AnalyzerOptions(
        detector=options.detector,
        recognizer=options.recognizer,
        min_face_size=options.min_face_size,
        providers=tuple(options.provider),
        threads=options.threads,
        accept_licence=options.accept_licence,
    )


def _sequence_options(options: Namespace) -> SequenceOptions:
    given = _given(
        options,
        "distance",
        "join_gap",
        "interpolation",
        "smoothing",
        "smoothing_window",
        "extension",
        "min_length",
    )
    return replace(THESIS if options.thesis else SequenceOptions(), **given)


def _style(options: Namespace) -> VeilStyle:
    return VeilStyle(name=options.veil, **_given(options, "margin"))


def _encode_options(options: Namespace) -> EncodeOptions:
    return EncodeOptions(**_given(options, "crf", "preset", "rate"))


def _given(options: Namespace, *names: str) -> dict[str, Any]:
    """The options that were set, for dataclasses that know their own defaults."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _summary(analysis: Analysis) -> str:
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


def _say(options: Namespace, text: str) -> None:
    if not options.quiet and options.progress != "json":
        print(text, file=sys.stderr)


def _answer(source: FrameSource) -> int:
    """0, or the code of bad input after naming what could not be read."""
    for problem in source.problems:
        print(f"faceveil: {source.path}: {problem.where}: {problem.message}", file=sys.stderr)
    return InputError.exit_code if source.problems else 0
