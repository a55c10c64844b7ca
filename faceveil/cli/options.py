"""The options of commands as the objects of the library: who is veiled, by which networks, how."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from fractions import Fraction
from typing import Any

from faceveil.detect.analyzer import DEFAULT, FAST, UNION, AnalyzerOptions, FaceAnalyzer
from faceveil.errors import UsageError
from faceveil.frame_range import FrameRange
from faceveil.identity.points import Point
from faceveil.identity.references import load_references
from faceveil.identity.select import Mode, Selection
from faceveil.media.frames import EncodeOptions
from faceveil.sampling.adaptive import SamplingOptions
from faceveil.sequence.options import THESIS, SequenceOptions
from faceveil.tracking.track import TrackOptions
from faceveil.veils.styles import VeilStyle


def mode_of(options: Namespace) -> Mode | None:
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


def selection_of(
    options: Namespace, mode: Mode, analyzer: FaceAnalyzer | None, rate: Fraction | None
) -> Selection:
    """rate: frames per second of the input, None where it has none."""
    keep = mode == "keep"
    photos = options.keep if keep else options.only
    if photos and analyzer and not analyzer.recognizer.feature_size:
        raise UsageError(
            "choosing by photo needs a recogniser: name one with --recognizer, or choose by point "
            "or identity"
        )
    references = load_references(photos, analyzer) if photos and analyzer else None
    return Selection(
        mode=mode,
        references=references,
        points=tuple(Point(*p) for p in (options.keep_at if keep else options.only_at)),
        identities=tuple(options.keep_identity if keep else options.only_identity),
        accept=options.accept,
        uncertain=options.uncertain,
        times=tuple(_frame_range(between, rate) for between in options.between),
    )


def _frame_range(between: tuple[Fraction, Fraction, bool], rate: Fraction | None) -> FrameRange:
    start, end, in_seconds = between
    if not in_seconds:
        return FrameRange(int(start), int(end))
    if rate is None:
        raise UsageError("--between: pictures have no times, so name frames, such as 300-600")
    return FrameRange.of_seconds(start, end, rate)


def selection_parameters(selection: Selection, recognizer: str | None) -> dict[str, Any]:
    """What analysis.json says of it; recognizer: the one of the analysis."""
    thresholds = selection.thresholds(recognizer)
    people = selection.references.names if selection.references else ()
    return {
        "mode": selection.mode,
        "people": list(people),
        "points": [list(point) for point in selection.points],
        "identities": list(selection.identities),
        "accept": thresholds.accept,
        "uncertain": thresholds.uncertain,
        "times": [[item.first, item.end] for item in selection.times],
    }


def analyzer_options_of(options: Namespace) -> AnalyzerOptions:
    return AnalyzerOptions(
        detector=options.detector,
        recognizer=options.recognizer,
        profile=options.profile,
        min_face_size=options.min_face_size,
        providers=tuple(options.provider),
        threads=options.threads,
        accept_licence=options.accept_licence,
    )


def verifier_options_of(options: Namespace) -> AnalyzerOptions:
    """The networks of the analysis, each looking once: verification looks again itself."""
    chosen = analyzer_options_of(options)
    doubts = chosen.detector == UNION and chosen.profile == DEFAULT
    return replace(chosen, profile=FAST) if doubts else chosen


def sequence_options_of(options: Namespace) -> SequenceOptions:
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


def sampling_of(options: Namespace) -> SamplingOptions | None:
    """None for every frame."""
    return SamplingOptions() if options.sampling == "adaptive" else None


def tracking_of(options: Namespace) -> TrackOptions | None:
    """None where nothing is to be tracked; the thesis did not."""
    return TrackOptions() if options.tracking == "on" and not options.thesis else None


def style_of(options: Namespace) -> VeilStyle:
    return VeilStyle(name=options.veil, **_given(options, "margin"))


def encode_options_of(options: Namespace) -> EncodeOptions:
    return EncodeOptions(**_given(options, "crf", "preset", "rate"))


def _given(options: Namespace, *names: str) -> dict[str, Any]:
    """The options that were set, for dataclasses that know their own defaults."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def say(options: Namespace, text: str) -> None:
    if not options.quiet and options.progress != "json":
        print(text, file=sys.stderr)
