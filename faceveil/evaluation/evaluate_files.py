"""Evaluation of files: truth and output are read, JSON and a page are written."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import orjson

from faceveil.analysis import FORMAT as ANALYSIS_FORMAT
from faceveil.analysis import read_analysis
from faceveil.errors import InputError, UsageError
from faceveil.evaluation.coverage import coverage_of_output
from faceveil.evaluation.document import evaluation_document
from faceveil.evaluation.html_report import worst_frames, write_html
from faceveil.evaluation.judging import Evaluation, evaluate, judge_coverage
from faceveil.evaluation.output import Output, output_of_analysis, output_of_boxes
from faceveil.evaluation.truth import Truth
from faceveil.evaluation.truth_formats import Clip, read_truth
from faceveil.faces import Image, Kind
from faceveil.files import replace_file
from faceveil.media.open import open_source
from faceveil.veils.styles import VeilStyle

UNFOLLOWED = "track -1"
"""The person of boxes in MOT text that belong to no track."""


def evaluate_files(
    truth_path: Path,
    output_path: Path,
    *,
    keep: Collection[str] = (),
    style: VeilStyle | None = None,
    grow: float = 0.0,
    is_round: bool = False,
    json: Path | None = None,
    html: Path | None = None,
    video: Path | None = None,
) -> Evaluation:
    """Compare an output with the truth, and write the results that are asked for.

    Parameters
    ----------
    truth_path : Path
        Truth in faceveil's own format, MOT text or COCO JSON.
    output_path : Path
        analysis.json, or the boxes of another program as MOT text or COCO JSON.
    keep : collection of str
        People of the truth who may stay visible.
    style : VeilStyle, optional
        The veil of an analysis.
    grow : float
        Boxes of another program are grown by this share of their size on each side.
    is_round : bool
        Of boxes of another program only the inscribed ellipses are covered.
    json, html : Path, optional
        Where the evaluation is written.
    video : Path, optional
        The input, for pictures of the worst frames in the page.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        For files that cannot be used.
    UsageError
        For people who are not in the truth.
    OutputError
        When a file cannot be written.
    """
    analysis = read_analysis(output_path) if _is_analysis(output_path) else None
    clip = None
    if analysis is not None:
        source = analysis.source
        clip = Clip(source.name, source.width, source.height, source.frame_count)
    truth = read_truth(truth_path, clip)
    output = (
        output_of_analysis(analysis, style)
        if analysis is not None
        else _boxes(output_path, truth, grow, is_round=is_round)
    )
    try:
        evaluation = evaluate(truth, output, keep)
    except KeyError as error:
        people = ", ".join(truth.of_kind(Kind.FACE).people)
        raise UsageError(f"{truth_path}: {error.args[0]}; it knows {people}") from error
    if json is not None:
        replace_file(
            json, orjson.dumps(evaluation_document(evaluation), option=orjson.OPT_INDENT_2)
        )
    if html is not None:
        truth = truth.of_kind(Kind.FACE)
        verdict = judge_coverage(truth, coverage_of_output(truth, output), keep)
        wanted = worst_frames(evaluation, truth, verdict)
        pictures = {} if video is None else _pictures(video, wanted)
        title = f"{output_path.name} against {truth_path.name}"
        write_html(html, title, evaluation, truth, output, verdict, pictures)
    return evaluation


def summarise_evaluation(evaluation: Evaluation) -> str:
    """Return the evaluation in a few lines, followed by the longest uncovered runs."""
    veils, tracks, frames = evaluation.veils, evaluation.tracks, evaluation.frames
    lines = [
        f"faces veiled      {veils.recall:.4f}  ({veils.hits} of {veils.faces}; "
        f"{evaluation.bare} missed ones hardly covered)",
        f"longest exposed   {evaluation.longest_run()} frames "
        f"({evaluation.longest_run(24)} of a face from 24 pixels)",
        f"tracks exposed    {tracks.faces - tracks.hits} of {tracks.faces}",
        f"veils on a face   {evaluation.precision:.4f}  "
        f"({evaluation.boxes.hits} of {evaluation.boxes.faces})",
        f"wrong person kept {evaluation.wrong_kept} boxes; kept people veiled in "
        f"{evaluation.kept.faces - evaluation.kept.hits} of {evaluation.kept.faces} frames",
        f"frames            TP {frames.tp}  TN {frames.tn}  FP {frames.fp}  FN {frames.fn}  "
        f"accuracy {frames.accuracy:.3f}  precision {frames.precision:.3f}  "
        f"recall {frames.recall:.3f}  F1 {frames.f1:.3f}",
        f"area veiled       {evaluation.area.veiled:.2%} of the picture, "
        f"{evaluation.area.wasted:.2%} on no face",
        f"jitter            {evaluation.jitter.centre:.4f} face sizes, "
        f"size {evaluation.jitter.size:.4f}",
    ]
    if evaluation.identities is not None:
        errors = evaluation.identities
        lines.append(
            f"identities        {errors.mixed} of {errors.boxes} boxes mixed, {errors.split} split"
        )
    lines += [
        f"{f'{kind}s veiled':<17} {value.veils.recall:.4f}  ({value.veils.hits} of "
        f"{value.veils.faces}, longest exposed {value.longest_run} frames); veils on one "
        f"{value.boxes.recall:.4f}  ({value.boxes.hits} of {value.boxes.faces}); "
        f"{value.area.wasted:.2%} of the picture on none"
        for kind, value in evaluation.by_kind.items()
    ]
    lines += [
        f"  exposed: {run.person}, frames {run.first}-{run.last}, {run.size:.0f} pixels high, "
        f"at least {run.coverage:.0%} covered"
        for run in evaluation.runs[:10]
    ]
    return "\n".join(lines)


def _is_analysis(path: Path) -> bool:
    if path.suffix.lower() == ".txt":
        return False
    try:
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path}: is not JSON ({error})") from error
    return isinstance(document, dict) and document.get("format") == ANALYSIS_FORMAT


def _boxes(path: Path, truth: Truth, grow: float, *, is_round: bool) -> Output:
    """The boxes of another program, in a format of truth."""
    found = read_truth(path, Clip(path.stem, truth.width, truth.height, truth.frame_count))
    followed = ~found.rows_of({UNFOLLOWED} & set(found.people))
    sequence = np.where(followed, found.track, np.int32(-1))
    return output_of_boxes(
        found.frames,
        found.boxes,
        grow=grow,
        is_round=is_round,
        sequence=sequence,
        kinds=found.kinds,
    )


def _pictures(video: Path, wanted: Iterable[int]) -> dict[int, Image]:
    numbers = set(wanted)
    return {frame.number: frame.rgb() for frame in open_source(video) if frame.number in numbers}
