"""The options of commands as the objects of the library."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from fractions import Fraction
from typing import Any

from faceveil.assure.verify import EVERY
from faceveil.decisions import Point
from faceveil.detect.build import AnalyzerOptions
from faceveil.errors import UsageError
from faceveil.frame_range import FrameRange
from faceveil.identity.request import SelectionRequest, TimeSpan
from faceveil.media.frames import EncodeOptions
from faceveil.progress import choose_progress
from faceveil.rendering import VerifyOptions
from faceveil.sampling.adaptive import SamplingOptions
from faceveil.sequence.options import THESIS, SequenceOptions
from faceveil.tracking.track import TrackOptions
from faceveil.veils.styles import VeilStyle


def request_of(options: Namespace) -> SelectionRequest:
    """The people to veil. Raises UsageError where the options contradict each other."""
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


def analysis_options_of(options: Namespace) -> dict[str, Any]:
    """The arguments that `pipeline.veil` and `pipeline.analyse_and_decide` share."""
    return {
        "networks": analyzer_options_of(options),
        "sequences": sequence_options_of(options),
        "sampling": sampling_of(options),
        "tracking": tracking_of(options),
        "regions": tuple(getattr(options, "region", ())),
        "workers": options.workers,
        "progress": choose_progress(options.progress, options.quiet),
    }


def analyzer_options_of(options: Namespace) -> AnalyzerOptions:
    """The networks, and what they run on."""
    return AnalyzerOptions(
        detector=options.detector,
        recognizer=options.recognizer,
        profile=options.profile,
        min_face_size=options.min_face_size,
        engine=options.engine,
        threads=options.threads,
        accept_licence=options.accept_licence,
        also=tuple(getattr(options, "also", ())),
    )


def every_of(options: Namespace) -> int | None:
    """Every how many frames the networks verify the output; None where verification is off."""
    chosen: int | str = options.verify_frames
    if isinstance(chosen, int):
        return chosen
    return EVERY if chosen == "sampled" else None


def verify_options_of(options: Namespace) -> VerifyOptions | None:
    """How the output is verified; None where that is switched off."""
    every = every_of(options)
    if every is None:
        return None
    return VerifyOptions(
        every=every,
        publish_violations=options.on_violation == "report",
        crops=options.crops,
        networks=analyzer_options_of(options),
    )


def sequence_options_of(options: Namespace) -> SequenceOptions:
    """How faces are followed."""
    changed = given(
        options,
        "distance",
        "join_gap",
        "interpolation",
        "smoothing",
        "smoothing_window",
        "extension",
        "min_length",
    )
    return replace(THESIS if options.thesis else SequenceOptions(), **changed)


def sampling_of(options: Namespace) -> SamplingOptions | None:
    """How few frames are analysed; None analyses every frame."""
    return SamplingOptions() if options.sampling == "adaptive" else None


def tracking_of(options: Namespace) -> TrackOptions | None:
    """How faces are followed by their pixels; None where they are not, as in the thesis."""
    return TrackOptions() if options.tracking == "on" and not options.thesis else None


def style_of(options: Namespace) -> VeilStyle:
    """What a veil looks like."""
    return VeilStyle(name=options.veil, **given(options, "margin"))


def encode_options_of(options: Namespace) -> EncodeOptions:
    """How a video is encoded."""
    return EncodeOptions(
        **given(options, "crf", "preset", "rate", "codec", "audio", "unveiled", "strip_metadata")
    )


def check_report_options(options: Namespace) -> None:
    """Raise UsageError where a report that is not written would be signed or name a reviewer."""
    for name in ("sign", "reviewer"):
        if getattr(options, name) is not None and options.report is None:
            raise UsageError(f"--{name} is for the report: add --report report.html")


def given(options: Namespace, *names: str) -> dict[str, Any]:
    """The options that were set, by name, for dataclasses that know their own defaults."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}
