"""report.json: what a run did, for people and for other programs. It contains no features.

report.html (`html_report`) shows the same data.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from faceveil import __version__
from faceveil.analysis import Analysis, selection_to_dict
from faceveil.assure.coverage import Coverage
from faceveil.assure.html_report import write_html_report
from faceveil.assure.kept_pictures import KeptPicture
from faceveil.assure.risk_rows import SEEN
from faceveil.assure.signature import Signer
from faceveil.assure.verification import Verification
from faceveil.decisions import Decision
from faceveil.faces import FaceSequence, Kind, Provenance
from faceveil.files import replace_file
from faceveil.media.frames import Loss, Problem
from faceveil.paths import readable
from faceveil.sequence.doubt import is_doubtful
from faceveil.veils.styles import VeilStyle

FORMAT = "faceveil-report"
VERSION = 1
_LIBRARIES = ("av", "numpy", "onnxruntime", "opencv-python-headless", "scipy")


def build_report(
    analysis: Analysis,
    coverage: Coverage,
    *,
    style: VeilStyle,
    verification: Verification | None,
    output: str,
    output_digest: str,
    seconds: Mapping[str, float],
    problems: Sequence[Problem],
    losses: Sequence[Loss] = (),
    corrections: Mapping[str, Any] | None = None,
    reviewer: str | None = None,
    made: str | None = None,
) -> dict[str, Any]:
    """Return the report as plain data, as report.schema.json describes it.

    Parameters
    ----------
    analysis : Analysis
    coverage : Coverage
    style : VeilStyle
    verification : Verification, optional
        None where the output was not verified.
    output, output_digest : str
        Name and digest of the output.
    seconds : mapping of str to float
        Wall time of each stage.
    problems : sequence of Problem
        The parts of the input that could not be read.
    losses : sequence of Loss
        The properties of the input that the output could not keep.
    corrections : mapping, optional
        What people changed: the digest of the document and its entries.
    reviewer : str, optional
        Who answers for the output.
    made : str, optional
        When the output was made, ISO 8601.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "faceveil": __version__,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
        "input": asdict(analysis.source),
        "output": {"name": output, "digest": output_digest},
        "made": made,
        "reviewer": reviewer,
        "corrections": corrections,
        "models": analysis.models.to_dict() if analysis.models else None,
        "parameters": analysis.parameters,
        "selection": selection_to_dict(analysis.selection),
        "veil": asdict(style),
        "shots": len(analysis.shot_starts),
        "boxes": _boxes_by_provenance(analysis),
        "coverage": {"checked": coverage.checked, "breaches": len(coverage.frames)},
        "verification": None if verification is None else verification.to_dict(),
        "unknown_frames": analysis.unknown_frames,
        "identities": _identities(analysis),
        "uncertain": _uncertain(analysis),
        "doubtful": _doubtful(analysis),
        "problems": [_readable(problem) for problem in problems],
        "losses": [_readable(loss) for loss in losses],
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
    }


def _readable(item: Problem | Loss) -> dict[str, str]:
    """The texts, which may name files whose names are not UTF-8."""
    return {name: readable(text) for name, text in asdict(item).items()}


def is_page(path: Path) -> bool:
    """Return whether a report at this path is a page for people, not JSON."""
    return path.suffix.lower() in (".html", ".htm")


def write_report(
    report: Mapping[str, Any],
    path: Path,
    pictures: Sequence[KeptPicture] = (),
    signer: Signer | None = None,
) -> None:
    """Write a report as JSON, or as a page where the path says so.

    Parameters
    ----------
    report : mapping
        What `build_report` returned.
    path : Path
    pictures : sequence of KeptPicture
        Of people who are kept, for the page.
    signer : Signer, optional

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    data = dict(report)
    if is_page(path):
        data["pictures"] = [picture.to_dict() for picture in pictures]
    if signer is not None:
        data = signer.sign(data)
    if is_page(path):
        write_html_report(data, pictures, path)
        return
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_INDENT_2
    replace_file(path, orjson.dumps(data, option=options))


def _boxes_by_provenance(analysis: Analysis) -> dict[str, dict[str, int]]:
    counts = {"veiled": np.zeros(len(Provenance), int), "kept": np.zeros(len(Provenance), int)}
    for sequence, decision in zip(analysis.sequences, analysis.decisions, strict=True):
        fate = "veiled" if decision.veil else "kept"
        counts[fate] += np.bincount(sequence.provenance, minlength=len(Provenance))
    return {
        fate: {item.name.lower(): int(row[item]) for item in Provenance}
        for fate, row in counts.items()
    }


def _identities(analysis: Analysis) -> list[dict[str, Any]]:
    detections = np.bincount(
        analysis.detections.sequence[analysis.detections.sequence >= 0],
        minlength=len(analysis.sequences),
    )
    rows = []
    for number in np.unique(analysis.identities).tolist():
        members = np.flatnonzero(analysis.identities == number).tolist()
        sequences = [analysis.sequences[member] for member in members]
        decisions = [analysis.decisions[member] for member in members]
        longest = max(range(len(members)), key=lambda index: len(sequences[index]))
        rows.append(
            {
                "identity": number,
                **_kind(analysis.sequences[members[0]]),
                "person": next((item.person for item in decisions if item.person), None),
                "reason": decisions[longest].reason,
                "sequences": len(members),
                "frames": sum(map(len, sequences)),
                "first_frame": min(item.first for item in sequences),
                "last_frame": max(item.last for item in sequences),
                "veiled_sequences": sum(int(decision.veil) for decision in decisions),
                "detections": int(detections[members].sum()),
                "longest_undetected": max(map(_longest_undetected, sequences)),
                "spans": _spans(sequences, decisions),
            }
        )
    return rows


def _kind(sequence: FaceSequence) -> dict[str, str]:
    """The field that says what an identity is; none for a person."""
    return {} if sequence.kind == Kind.FACE else {"kind": sequence.kind.word}


def _longest_undetected(sequence: FaceSequence) -> int:
    """The most consecutive boxes that neither a network nor a person placed on their frame."""
    seen = np.flatnonzero(np.isin(sequence.provenance, SEEN))
    return int(np.diff(np.concatenate([[-1], seen, [len(sequence)]])).max()) - 1


def _spans(
    sequences: Sequence[FaceSequence], decisions: Sequence[Decision]
) -> list[tuple[int, int, bool]]:
    """First and last frame of each stretch in which a person is veiled, or kept, in order."""
    spans: list[tuple[int, int, bool]] = []
    ordered = sorted(zip(sequences, decisions, strict=True), key=lambda pair: pair[0].first)
    for sequence, decision in ordered:
        if spans and spans[-1][2] == decision.veil and sequence.first <= spans[-1][1] + 1:
            first, last, _ = spans.pop()
            spans.append((first, max(last, sequence.last), decision.veil))
        else:
            spans.append((sequence.first, sequence.last, decision.veil))
    return spans


def _uncertain(analysis: Analysis) -> list[dict[str, Any]]:
    return [
        {
            "sequence": index,
            "identity": int(identity),
            "first_frame": sequence.first,
            "last_frame": sequence.last,
            "person": decision.person,
            "similarity": decision.similarity,
            "reason": decision.reason,
        }
        for index, (sequence, identity, decision) in enumerate(
            zip(analysis.sequences, analysis.identities, analysis.decisions, strict=True)
        )
        if decision.uncertain
    ]


def _doubtful(analysis: Analysis) -> list[dict[str, Any]]:
    """Sequences that are probably not a face, which were neither extended nor tracked."""
    return [
        {
            "sequence": index,
            "first_frame": sequence.first,
            "last_frame": sequence.last,
            "seen_in_frames": int((sequence.provenance == Provenance.DETECTED).sum()),
            "best_score": float(sequence.scores.max(initial=0)),
        }
        for index, sequence in enumerate(analysis.sequences)
        if sequence.kind == Kind.FACE and is_doubtful(sequence)
    ]
