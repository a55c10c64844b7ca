"""Every frame written with its veils, and the output verified before it is published."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from faceveil.analysis import Analysis
from faceveil.assure.contact_sheet import ContactSheet
from faceveil.assure.coverage import Coverage, check_coverage
from faceveil.assure.kept_pictures import KeptPictures
from faceveil.assure.report import build_report, is_page, write_report
from faceveil.assure.signature import Signer
from faceveil.assure.step import VerificationStep
from faceveil.assure.traces import TraceLog
from faceveil.assure.verification import Verification
from faceveil.assure.verify import EVERY
from faceveil.corrections.apply import apply_corrections
from faceveil.corrections.document import Corrections, summary
from faceveil.detect.also import AlsoOptions
from faceveil.detect.analyzer import AnalyzerOptions, FaceAnalyzer, build_analyzer
from faceveil.errors import InputError, UsageError
from faceveil.files import path_digest
from faceveil.media.frames import Frame, FrameSink, FrameSource, LocalSink, Loss, Problem
from faceveil.media.matte import Matte, MatteSink
from faceveil.paths import readable
from faceveil.progress import Progress, QuietProgress
from faceveil.resources import usable_cores
from faceveil.veils.draw import draw_boxes
from faceveil.veils.keyframes import write_keyframes
from faceveil.veils.kinds import planned_opacity, veil_planned
from faceveil.veils.plan import FramePlans, VeilPlan
from faceveil.veils.render import veil_whole
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
        unresolved = tuple(f"{entry.id}, {entry.op}: {why}" for entry, why in corrected.unresolved)
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
    known = {name: stored[name] for name in AnalyzerOptions.__slots__ if name in stored}
    for name in ("providers", "thresholds"):
        if known.get(name) is not None:
            known[name] = tuple(known[name])
    known["also"] = tuple(AlsoOptions(**one) for one in known.get("also", ()))
    return AnalyzerOptions(**known)


def render_frames(
    source: FrameSource,
    analysis: Analysis,
    sink: FrameSink,
    style: VeilStyle | None = None,
    *,
    boxes_only: bool = False,
    contact_sheet: ContactSheet | None = None,
    traces: TraceLog | None = None,
    matte: MatteSink | None = None,
    kept_pictures: KeptPictures | None = None,
    progress: Progress | None = None,
) -> Coverage:
    """Write every frame with its veils into an entered sink, without verification.

    This is the step inside `render`, for callers that verify by themselves, such as a chunk of a
    job. Coverage is checked before the first frame is written. The sink publishes when its own
    block ends, so an error here leaves no output.

    Parameters
    ----------
    source, analysis, style, boxes_only, contact_sheet, progress
        As for `render`.
    sink
        Where the frames go, entered.
    traces
        Takes of every frame what verification compares the output with.
    matte
        Where mattes go, entered.
    kept_pictures
        Takes pictures of the people who are kept, out of veiled frames.

    Returns
    -------
    Coverage
        The detections that were checked.

    Raises
    ------
    CoverageError
        Where a detected face that is to be veiled would not lie inside a veil.
    """
    style = style or VeilStyle()
    shown = np.ones_like(analysis.veiled) if boxes_only else analysis.veiled
    plan = VeilPlan.build(
        analysis.sequences,
        shown,
        secret=analysis.source.digest,
        unknown_frames=analysis.unknown_frames,
    )
    coverage = _checked_coverage(analysis, plan, style)
    with (progress or QuietProgress()).stage("render", analysis.source.frame_count) as stage:
        for frame in source:
            if contact_sheet is not None and frame.number in contact_sheet.wanted_frames:
                contact_sheet.add(frame.number, frame.rgb())
            if traces is not None:
                traces.add(frame)
            if matte is not None:
                matte.write(frame, _matte(frame, plan, analysis, style))
            if boxes_only:
                sink.write(frame, _draw(frame, plan, analysis))
            else:
                changed = veil_frame_of(frame, plan, analysis, style)
                if kept_pictures is not None and frame.number in kept_pictures.wanted_frames:
                    kept_pictures.add(frame.number, frame.rgb())
                sink.write(frame, changed)
            stage.advance()
    return coverage


def _checked_coverage(analysis: Analysis, plan: VeilPlan, style: VeilStyle) -> Coverage:
    width, height = analysis.source.width, analysis.source.height
    coverage = check_coverage(
        analysis.detections, plan, analysis.veiled, style, width=width, height=height
    )
    coverage.require()
    return coverage


def veil_frame_of(frame: Frame, plan: FramePlans, analysis: Analysis, style: VeilStyle) -> bool:
    """Veil one frame in place: whole where it was never analysed ("fail closed")."""
    if plan.whole(frame.number) or frame.number >= analysis.source.frame_count:
        veil_whole(frame.planes(), plan.whole_seed, style)
        return True
    planned = plan.at(frame.number)
    return len(planned) > 0 and veil_planned(frame.planes(), planned, style)


def _matte(frame: Frame, plan: VeilPlan, analysis: Analysis, style: VeilStyle) -> Matte:
    """Where `veil_frame_of` veils the frame, uint8 [height, width]."""
    if plan.whole(frame.number) or frame.number >= analysis.source.frame_count:
        return np.full((frame.height, frame.width), 255, np.uint8)
    return planned_opacity(plan.at(frame.number), style, frame.width, frame.height)


def _draw(frame: Frame, plan: VeilPlan, analysis: Analysis) -> bool:
    planned = plan.at(frame.number)
    if len(planned) == 0:
        return False
    rows = planned.sequence
    return draw_boxes(
        frame.planes(),
        planned.boxes,
        analysis.veiled[rows],
        planned.provenance,
        analysis.identities[rows],
    )


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
