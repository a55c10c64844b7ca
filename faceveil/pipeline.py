"""The stages joined: `veil` does all of it, with the defaults of the command.

`finding.analyse` detects and follows faces, `decide` groups them into people and says who is
veiled, and `rendering.render` veils them. Each stage is an argument or a function of its own, so
that any of them can be replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from faceveil.analysis import Analysis, SourceInfo, write_analysis
from faceveil.assure.signature import Signer
from faceveil.decisions import Point
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.errors import InputError
from faceveil.faces import Models
from faceveil.finding import Found, analyse, with_regions
from faceveil.frame_range import FrameRange
from faceveil.identity.cluster import cluster
from faceveil.identity.features import write_features
from faceveil.identity.limit import limit
from faceveil.identity.request import SelectionRequest, TimeSpan
from faceveil.identity.select import Selection, decide_sequences
from faceveil.identity.thresholds import thresholds_of
from faceveil.media.frames import EncodeOptions, FrameSource
from faceveil.media.matte import open_matte
from faceveil.media.open import open_sink, open_source
from faceveil.paths import check_paths, readable, written_paths
from faceveil.progress import Progress
from faceveil.rendering import Clock, Rendered, VerifyOptions, render
from faceveil.sampling.adaptive import SamplingOptions
from faceveil.sequence.options import SequenceOptions
from faceveil.sequence.regions import FixedRegion
from faceveil.tracking.track import TrackOptions
from faceveil.veils.styles import VeilStyle

Paths = str | Path | Sequence[str | Path]
"""One path, or several."""

_CHOOSING = ("keep", "only")
"""Selections by which it matters who is who."""


def decide(
    found: Found,
    source: FrameSource,
    selection: Selection | None = None,
    parameters: dict[str, Any] | None = None,
) -> Analysis:
    """Group the sequences into identities and say which are veiled, and why.

    Parameters
    ----------
    found
        What `analyse` or `follow` found.
    source
        The frames it was found in, for the analysis to name.
    selection
        Whom to veil; by default everyone.
    parameters
        Written down in analysis.json as they are.

    Returns
    -------
    Analysis
        Sequences that cross the border of a time range of the selection are split there.

    Raises
    ------
    InputError
        Where the selection names a point or identity that does not exist.
    """
    selection = selection or Selection()
    recognizer = _recognizer(found.models)
    identities = cluster(found.sequences, thresholds_of(recognizer).merge)
    analysis = Analysis(
        source=_describe(source, found.frame_count),
        models=found.models,
        parameters=parameters or {},
        shot_starts=found.shot_starts,
        unknown_frames=found.unknown_frames,
        sequences=found.sequences,
        identities=identities,
        decisions=decide_sequences(found.sequences, identities, selection, recognizer=recognizer),
        detections=found.detections,
        leftovers=found.leftovers,
        selection=selection.record(recognizer),
    )
    return limit(analysis, selection.times)


def decide_again(analysis: Analysis, selection: Selection) -> Analysis:
    """Return the same faces with the decisions of another selection.

    What a person decided by hand (`Decision.by`) stays as it is.

    Parameters
    ----------
    analysis
        Its sequences need their features only where people are selected by photo: see
        `identity.features.read_features`.
    selection
        Whom to veil now.

    Returns
    -------
    Analysis
        Sequences that cross the border of a time range of the selection are split there.

    Raises
    ------
    InputError
        Where the selection names a point or identity that does not exist, or photos that another
        recogniser represents; or where it chooses people, and the networks ran for an
        output in which everyone is veiled (`AnalyzerOptions.everyone_veiled`).
    """
    networks = analysis.parameters.get("networks") or {}
    if networks.get("everyone_veiled") and selection.mode in _CHOOSING:
        raise InputError(
            f"{analysis.source.name}: was analysed for an output in which everyone is veiled, on "
            "an engine that tells people apart worse; analyse it again to choose people"
        )
    recognizer = _recognizer(analysis.models)
    chosen = decide_sequences(
        analysis.sequences, analysis.identities, selection, recognizer=recognizer
    )
    decided = replace(
        analysis,
        decisions=[
            new if old.by is None else old
            for old, new in zip(analysis.decisions, chosen, strict=True)
        ],
        selection=selection.record(recognizer),
    )
    return limit(decided, selection.times)


def _recognizer(models: Models | None) -> str | None:
    return models.recognizer if models else None


def _describe(source: FrameSource, frame_count: int) -> SourceInfo:
    return SourceInfo(
        name=readable(source.path.name),
        kind=source.kind,
        digest=source.digest(),
        width=source.width,
        height=source.height,
        frame_count=frame_count,
        rate=None if source.rate is None else str(source.rate),
    )


def veil(
    input: str | Path,
    output: str | Path,
    *,
    keep: Paths = (),
    only: Paths = (),
    keep_at: Sequence[tuple[int, float, float]] = (),
    only_at: Sequence[tuple[int, float, float]] = (),
    nobody: bool = False,
    between: Sequence[FrameRange | TimeSpan] = (),
    request: SelectionRequest | None = None,
    style: VeilStyle | None = None,
    stills: bool = False,
    recursive: bool = False,
    hwaccel: str | None = None,
    networks: AnalyzerOptions = AnalyzerOptions(),
    sequences: SequenceOptions = SequenceOptions(),
    sampling: SamplingOptions | None = None,
    tracking: TrackOptions | None = TrackOptions(),
    regions: Sequence[FixedRegion] = (),
    encode: EncodeOptions | None = None,
    verification: VerifyOptions | None = VerifyOptions(),
    boxes_only: bool = False,
    features: Path | None = None,
    analysis: Path | None = None,
    contact_sheet: Path | None = None,
    report: Path | None = None,
    sign: Path | None = None,
    reviewer: str | None = None,
    matte: str | Path | None = None,
    keyframes: Path | None = None,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    check: bool = True,
) -> Rendered:
    """Find, follow and veil faces, and verify the output: all that `faceveil veil` does.

    Parameters
    ----------
    input
        A video file or a folder of frames.
    output
        A video file or a folder.
    keep, only
        Photos, or folders of photos, of the people who stay visible, or who alone are veiled.
        Without any choice everyone is veiled.
    keep_at, only_at
        Places (frame, x, y) at which such a person is seen: a 0-based frame, and pixels of the
        upright frame.
    nobody
        Leave everyone visible.
    between
        When the choice counts; everyone is veiled outside.
    request
        The choice as one object, instead of the arguments above.
    style
        What the veils look like.
    stills
        The input is a folder of unrelated pictures.
    recursive
        Read the pictures of sub-folders, too.
    hwaccel
        The kind of device that decodes a video, as FFmpeg names it (`cuda`, `qsv`).
    networks
        The networks that detect and recognise. Where everyone is veiled, every frame is analysed
        and no analysis is written from which someone could be left visible later, they may run on
        a faster engine.
    sequences
        How detections become sequences.
    sampling
        Analyse only as many frames as needed; None analyses every frame.
    tracking
        How faces are followed by their pixels; None switches that off.
    regions
        Parts of the picture that are veiled for some time, whatever is seen there.
    encode
        How a video is encoded.
    verification
        How the output is verified before it is published; None switches that off.
    boxes_only
        Draw boxes instead of veils; such an output is not verified.
    features, analysis, contact_sheet, report
        Where to write the features (biometric data), analysis.json, a picture with a row for each
        identity, and the report: report.json, or a page where the name ends in .html.
    sign
        An Ed25519 key in PEM that signs the report (`assure.signature.Signer`).
    reviewer
        Who answers for the output, for the report.
    matte
        Where to write a matte, white where the output is veiled: a .mov file or a folder.
    keyframes
        Where to write the veils as keyframes, for editing programs.
    overwrite
        Replace outputs that exist; without it they are kept, and nothing is done.
    workers
        Frames analysed at once; by default one per core.
    progress
        Receives the progress of each stage.
    check
        Whether to raise VerificationError when the output shows what must be veiled. Without it,
        call `Rendered.require` before using the output.

    Returns
    -------
    Rendered

    Raises
    ------
    UsageError, InputError, WeightsError
        Where the arguments, the input or the networks cannot be used.
    CoverageError
        Where a detected face that is to be veiled would not lie inside a veil.
    VerificationError
        Where the output shows what must be veiled, and is kept as `NAME.unverified`.
    OutputError
        Where the output cannot be written.

    Examples
    --------
    >>> from faceveil import veil
    >>> result = veil("talk.mp4", "out.mp4", keep="photos/anchor/")  # doctest: +SKIP
    """
    request = request or SelectionRequest(
        keep=_paths(keep),
        only=_paths(only),
        keep_at=tuple(Point(*place) for place in keep_at),
        only_at=tuple(Point(*place) for place in only_at),
        nobody=nobody,
        between=tuple(between),
    )
    check_paths(
        [Path(input), *request.photos, *([sign] if sign else [])],
        written_paths(
            output=Path(output),
            crops=verification.crops if verification else None,
            features=features,
            analysis=analysis,
            contact_sheet=contact_sheet,
            report=report,
            matte=None if matte is None else Path(matte),
            keyframes=keyframes,
        ),
        overwrite=overwrite,
    )
    # With sampled frames a face was exposed for a frame in bfloat16 that was not in float32.
    if request.mode == "all" and not (sampling or analysis or features):
        networks = replace(networks, everyone_veiled=True)
    signer = None if sign is None else Signer(sign)
    clock = Clock()
    source = open_source(input, stills=stills, recursive=recursive, hwaccel=hwaccel)
    sink = open_sink(output, source, encode, overwrite=overwrite)
    mattes = None
    if matte is not None:
        rate = (encode or EncodeOptions()).rate
        mattes = open_matte(matte, source, rate=rate, output=sink)
    decided = analyse_and_decide(
        source,
        request,
        networks=networks,
        sequences=sequences,
        sampling=sampling,
        tracking=tracking,
        regions=regions,
        workers=workers,
        progress=progress,
        clock=clock,
    )
    if features is not None:
        write_features(decided.sequences, decided.source.digest, features)
    if analysis is not None:
        write_analysis(decided, analysis)
    return render(
        source,
        decided,
        sink,
        style,
        verification=verification,
        boxes_only=boxes_only,
        contact_sheet=contact_sheet,
        report=report,
        signer=signer,
        reviewer=reviewer,
        matte=mattes,
        keyframes=keyframes,
        workers=workers,
        progress=progress,
        clock=clock,
        check=check,
    )


def analyse_and_decide(
    source: FrameSource,
    request: SelectionRequest,
    *,
    networks: AnalyzerOptions = AnalyzerOptions(),
    sequences: SequenceOptions = SequenceOptions(),
    sampling: SamplingOptions | None = None,
    tracking: TrackOptions | None = TrackOptions(),
    regions: Sequence[FixedRegion] = (),
    workers: int | None = None,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Analysis:
    """Analyse a source and decide as a request asks; the arguments are those of `veil`.

    The parameters are written down in the analysis, so that deciding and verifying later can use
    the same networks.
    """
    clock = clock or Clock()
    with clock.stage("load"):
        analyzer = build_analyzer(networks)
        recognizes = bool(analyzer.recognizer.feature_size)
        selection = request.resolve(analyzer if recognizes else None, source.rate)
    with clock.stage("analyse"):
        found = analyse(
            source,
            analyzer,
            sequences,
            sampling=sampling,
            tracking=tracking,
            recognise_all=selection.mode in _CHOOSING,
            workers=workers,
            progress=progress,
        )
    parameters = {
        "networks": networks.to_dict(),
        "sequences": asdict(sequences),
        "sampling": sampling and asdict(sampling),
        "tracking": tracking and asdict(tracking),
        "frames_looked_at": found.analysed_frames,
    }
    if regions:
        found = with_regions(found, regions, source)
    with clock.stage("decide"):
        return decide(found, source, selection, parameters)


def _paths(paths: Paths) -> tuple[Path, ...]:
    if isinstance(paths, str | Path):
        return (Path(paths),)
    return tuple(map(Path, paths))
