"""The options of commands as the objects of the library: who is veiled, by which networks, how."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from fractions import Fraction
from typing import Any

from faceveil.assure.verify import EVERY
from faceveil.decisions import Mode, Point
from faceveil.detect.analyzer import AnalyzerOptions
from faceveil.frame_range import FrameRange
from faceveil.identity.request import SelectionRequest, TimeSpan
from faceveil.media.frames import EncodeOptions
from faceveil.rendering import VerifyOptions
from faceveil.sampling.adaptive import SamplingOptions
from faceveil.sequence.options import THESIS, SequenceOptions
from faceveil.tracking.track import TrackOptions
from faceveil.veils.styles import VeilStyle


def request_of(options: Namespace) -> SelectionRequest:
    """Whom the options ask to veil. Raises UsageError where they contradict each other."""
    return SelectionRequest(
        keep=tuple(options.keep),
        only=tuple(options.only),
        keep_at=tuple(Point(*place) for place in options.keep_at),
        only_at=tuple(Point(*place) for place in options.only_at),
        keep_identity=tuple(options.keep_identity),
        only_identity=tuple(options.only_identity),
        nobody=options.nobody,
        between=tuple(map(_span, options.between)),
        accept=options.accept,
        uncertain=options.uncertain,
    )


def _span(between: tuple[Fraction, Fraction, bool]) -> FrameRange | TimeSpan:
    start, end, in_seconds = between
    return TimeSpan(start, end) if in_seconds else FrameRange(int(start), int(end))


def mode_of(options: Namespace) -> Mode | None:
    """The mode the options ask for, None where they say nothing."""
    mode = request_of(options).mode
    return None if mode == "all" else mode


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


def verify_options_of(options: Namespace) -> VerifyOptions | None:
    """How the output is verified; None where that is switched off."""
    if options.verify == "off":
        return None
    return VerifyOptions(
        every=1 if options.verify == "every" else EVERY,
        publish_violations=options.accept_violations,
        crops=options.crops,
        networks=analyzer_options_of(options),
    )


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
