"""Every frame written with its veils, and the output verified before it is published."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faceveil.analysis import Analysis
from faceveil.assure.contact_sheet import ContactSheet
from faceveil.assure.coverage import Coverage
from faceveil.assure.kept_pictures import KeptPictures
from faceveil.assure.report import build_report, is_page, write_report
from faceveil.assure.signature import Signer
from faceveil.assure.step import VerificationStep
from faceveil.assure.verification import Verification
from faceveil.assure.verify import EVERY
from faceveil.corrections.apply import apply_corrections
from faceveil.corrections.document import Corrections, summary
from faceveil.detect.also import AlsoOptions
from faceveil.detect.analyzer import FaceAnalyzer
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.errors import InputError, UsageError
from faceveil.files import path_digest
from faceveil.media.frames import FrameSource, LocalSink, Loss, Problem
from faceveil.media.matte import MatteSink
from faceveil.media.video_sink import VideoSink
from faceveil.paths import readable
from faceveil.progress import Progress
from faceveil.resources import usable_cores
from faceveil.veiling import changed_frames, render_frames
from faceveil.veils.keyframes import write_keyframes
from faceveil.veils.styles import VeilStyle


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """How the output is verified before it is published.

    Parameters
    ----------
    every
        The networks see every `every`-th frame, and one frame at least of each veiled sequence;
        of unrelated pictures all.
        The pixels of every veil on every frame are compared with the input in any case.
    publish_violations
        Whether an output that shows what must be veiled is published under its own name all the
        same. Otherwise it is kept as `NAME.unverified`.
    crops
        A folder for pictures of what was found, which are confidential.
    networks
        The networks that verify; None takes those of the analysis.
    """

    every: int = EVERY
    publish_violations: bool = False
    crops: Path | None = None
    networks: AnalyzerOptions | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"every {self.every}: verification looks at every 1st, 2nd, … frame")


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """What rendering wrote and verification found.

    Parameters
    ----------
    analysis
        What was rendered.
    target
        The name that the output was to have.
    path
        Where it lies: at `target`, or as `NAME.unverified` where it shows what must be veiled.
    coverage
        The detections that were checked to lie under veils, before the first frame was written.
    verification
        What verification found; None where it was switched off or no face was to be veiled.
    problems
        The parts of the input that could not be read.
    losses
        The properties of the input that the output could not keep.
    seconds
        Seconds on the clock of each stage.
    unresolved
        The corrections that could not be applied, and why.
    """

    analysis: Analysis
    target: Path
    path: Path
    coverage: Coverage
    verification: Verification | None
    problems: Sequence[Problem]
    losses: Sequence[Loss]
    seconds: dict[str, float]
    unresolved: Sequence[str] = ()

    def require(self, advice: str = "") -> None:
        """Raise VerificationError, with advice at its end, unless the output was published."""
        if self.verification is not None and self.path != self.target:
            self.verification.require(f"{self.target}: not published, kept as {self.path}", advice)


def render(
    source: FrameSource,
    analysis: Analysis,
    sink: LocalSink,
    style: VeilStyle | None = None,
    *,
    corrections: Corrections | None = None,
    verification: VerifyOptions | None = VerifyOptions(),
    analyzer: FaceAnalyzer | None = None,
    boxes_only: bool = False,
    contact_sheet: Path | None = None,
    report: Path | None = None,
    signer: Signer | None = None,
    reviewer: str | None = None,
    matte: MatteSink | None = None,
    keyframes: Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    clock: Clock | None = None,
    refuse_problems: bool = False,
    check: bool = True,
) -> Rendered:
    """Write every frame with its veils, verify the output and publish it.

    Parameters
    ----------
    source
        The frames that were analysed.
    analysis
        What was found in them, and the decisions.
    sink
        Where the output goes, not entered yet: this function enters it, and leaving it publishes.
    style
        What the veils look like.
    corrections
        What a person changed, applied to the analysis here and named in the report.
    verification
        How the output is verified; None switches verification off.
    analyzer
        The networks that verify; by default those of the analysis, opened here.
    boxes_only
        Draw boxes instead of veils; such an output is not verified.
    contact_sheet
        Where to write a picture with a row for each identity. It shows faces that the output
        veils: treat it like the input.
    report
        Where to write the report, also when verification fails: report.json, or a page for people
        where the name ends in .html.
    signer
        Signs the report.
    reviewer
        Who answers for the output, for the report.
    matte
        Where mattes go (`media.matte.open_matte`), not entered yet: frames that are white where the
        output is veiled.
    keyframes
        Where to write the veils as keyframes, for editing programs (`veils.keyframes`).
    workers
        Frames verified at once; by default one per core.
    progress
        Told about the stages "render" and "verify".
    clock
        Continues to measure here, so that the report holds the stages before as well.
    refuse_problems
        Whether to publish nothing where parts of the input could not be read.
    check
        Whether to raise VerificationError when the output shows what must be veiled. Without it,
        call `Rendered.require` before using the output.

    Returns
    -------
    Rendered

    Raises
    ------
    InputError
        Where parts of the input could not be read and that is to be refused, and where the
        corrections are of another input.
    CoverageError
        Where a detected face that is to be veiled would not lie inside a veil.
    VerificationError
        Where the output shows what must be veiled, and is kept as `NAME.unverified`; or where it
        cannot be verified at all, and is removed.
    UsageError
        Where the networks that verify cannot recognise the people of the analysis.
    """
    if boxes_only and matte is not None:
        raise UsageError("a matte is of veils: leave it out where boxes are drawn instead")
    clock, workers = clock or Clock(), workers or usable_cores()
    style, target = style or VeilStyle(), sink.path
    unresolved: tuple[str, ...] = ()
    if corrections is not None:
        corrected = apply_corrections(analysis, corrections)
        analysis = corrected.analysis
        unresolved = corrected.unapplied
    sheet = None if contact_sheet is None else _contact_sheet(analysis)
    step = None
    if verification is not None and not boxes_only and _veils_anyone(analysis):
        step = VerificationStep(
            analysis,
            style,
            analyzer or build_analyzer(verifier_networks(analysis, verification)),
            every=verification.every,
            workers=workers,
            crops=verification.crops,
            accept=verification.publish_violations,
            progress=progress,
        )
    pictures = None
    if report is not None and is_page(report) and not boxes_only:
        pictures = KeptPictures(analysis)
    if isinstance(sink, VideoSink) and not boxes_only:
        sink.copy_unchanged(changed_frames(analysis))
    found = None
    with matte or nullcontext(), sink:
        with clock.stage("render"):
            coverage = render_frames(
                source,
                analysis,
                sink,
                style,
                boxes_only=boxes_only,
                contact_sheet=sheet,
                traces=None if step is None else step.traces,
                matte=matte,
                kept_pictures=pictures,
                progress=progress,
            )
        if refuse_problems and source.problems:
            raise InputError("; ".join(problem.message for problem in source.problems))
        if step is not None:
            with clock.stage("verify"):
                found = step(sink)
    rendered = Rendered(
        analysis,
        target,
        sink.path,
        coverage,
        found,
        tuple(source.problems),
        tuple(sink.losses),
        clock.seconds,
        unresolved,
    )
    if sheet is not None and contact_sheet is not None:
        sheet.save(contact_sheet)
    if keyframes is not None:
        write_keyframes(analysis, style, keyframes)
    if report is not None:
        # A picture shows what the output shows: there is none of what was not published.
        shown = pictures.pictures if pictures is not None and sink.path == target else []
        write_report(_report_of(rendered, style, reviewer, corrections), report, shown, signer)
    if check:
        rendered.require()
    return rendered


def _contact_sheet(analysis: Analysis) -> ContactSheet:
    return ContactSheet(
        analysis.sequences, analysis.identities, analysis.decisions, analysis.source.frame_count
    )


def _report_of(
    rendered: Rendered, style: VeilStyle, reviewer: str | None, corrections: Corrections | None
) -> dict[str, Any]:
    return build_report(
        rendered.analysis,
        rendered.coverage,
        style=style,
        verification=rendered.verification,
        output=readable(rendered.path.name),
        output_digest=path_digest(rendered.path),
        seconds=rendered.seconds,
        problems=rendered.problems,
        losses=rendered.losses,
        reviewer=reviewer,
        corrections=None if corrections is None else summary(corrections, rendered.unresolved),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _veils_anyone(analysis: Analysis) -> bool:
    """False only where everyone was chosen to stay visible, so that nothing can be wrong."""
    return analysis.selection.mode != "none" or bool(analysis.veiled.any())


def verifier_networks(analysis: Analysis, options: VerifyOptions) -> AnalyzerOptions:
    """The networks of an analysis, each detecting once: verification detects again by itself."""
    of_analysis = _networks_of(analysis)
    chosen = options.networks or of_analysis
    # What was found beside faces must be looked for again, also where it is not named again.
    return replace(chosen.detecting_once(), also=chosen.also or of_analysis.also)


def _networks_of(analysis: Analysis) -> AnalyzerOptions:
    stored: dict[str, Any] = dict(analysis.parameters.get("networks") or {})
    # What networks run on is a matter of this machine, not of the one of the analysis.
    names = set(AnalyzerOptions.__slots__) - {"engine"}
    known = {name: stored[name] for name in names if name in stored}
    if known.get("thresholds") is not None:
        known["thresholds"] = tuple(known["thresholds"])
    known["also"] = tuple(AlsoOptions(**one) for one in known.get("also", ()))
    return AnalyzerOptions(**known)


class Clock:
    """Seconds on the clock of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the block as the stage `name`."""
        start = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - start
