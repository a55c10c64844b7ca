"""An analysis as columns, for rendering, and without features, as analysis.json is.

Of eight hours, that file takes its reader 3 GB and half a minute; the columns take a tenth of the
memory and a second.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from io import BytesIO
from typing import Any
from zipfile import BadZipFile

import numpy as np
import orjson
from numpy.typing import NDArray

from faceveil.analysis import Analysis, SourceInfo, read_selection, selection_to_dict
from faceveil.decisions import Decision
from faceveil.errors import InputError
from faceveil.faces import DetectionLog, FaceSequence, Kind, Models
from faceveil.leftovers import Leftovers


def without_features(analysis: Analysis) -> Analysis:
    """As it would be read back from analysis.json."""
    plain = [
        FaceSequence(
            item.frames, item.boxes, item.scores, item.provenance, item.shot, kind=item.kind
        )
        for item in analysis.sequences
    ]
    return replace(analysis, sequences=plain)


def pack(analysis: Analysis) -> bytes:
    """The columns of an analysis; the same analysis makes the same bytes."""
    sequences = analysis.sequences
    others = {
        "source": asdict(analysis.source),
        "models": analysis.models.to_dict() if analysis.models else None,
        "parameters": analysis.parameters,
        "selection": selection_to_dict(analysis.selection),
        "decisions": [asdict(decision) for decision in analysis.decisions],
    }
    log = analysis.detections
    content = BytesIO()
    np.savez(
        content,
        others=np.frombuffer(orjson.dumps(others), np.uint8),
        shot_starts=analysis.shot_starts,
        unknown_frames=analysis.unknown_frames,
        identities=analysis.identities,
        lengths=np.array([len(item) for item in sequences], np.int64),
        shots=np.array([item.shot for item in sequences], np.int32),
        kinds=np.array([item.kind for item in sequences], np.uint8),
        frames=_joined([item.frames for item in sequences]),
        boxes=_joined([item.boxes for item in sequences]).reshape(-1, 4),
        scores=_joined([item.scores for item in sequences]),
        provenance=_joined([item.provenance for item in sequences]),
        detection_frames=log.frames,
        detection_boxes=log.boxes,
        detection_sequence=log.sequence,
        leftover_frames=analysis.leftovers.frames,
        leftover_boxes=analysis.leftovers.boxes,
        leftover_scores=analysis.leftovers.scores,
    )
    return content.getvalue()


def unpack(content: bytes, where: str) -> Analysis:
    """The analysis that `pack` has packed. Raises InputError for anything else."""
    try:
        with np.load(BytesIO(content), allow_pickle=False) as file:
            return _analysis({name: file[name] for name in file.files})
    except (OSError, EOFError, KeyError, TypeError, ValueError, BadZipFile) as error:
        raise InputError(f"{where}: is damaged ({error!r}); delete it") from error


def _analysis(columns: dict[str, NDArray[Any]]) -> Analysis:
    others = orjson.loads(columns["others"].tobytes())
    ends = np.cumsum(columns["lengths"])
    rows = [slice(end - n, end) for end, n in zip(ends, columns["lengths"], strict=True)]
    sequences = [
        FaceSequence(
            columns["frames"][row],
            columns["boxes"][row],
            columns["scores"][row],
            columns["provenance"][row],
            int(shot),
            kind=Kind(kind),
        )
        for row, shot, kind in zip(rows, columns["shots"], columns["kinds"], strict=True)
    ]
    return Analysis(
        source=SourceInfo(**others["source"]),
        models=Models.from_dict(others["models"]) if others["models"] else None,
        parameters=others["parameters"],
        shot_starts=columns["shot_starts"],
        unknown_frames=columns["unknown_frames"],
        sequences=sequences,
        identities=columns["identities"],
        decisions=[Decision(**item) for item in others["decisions"]],
        detections=DetectionLog(
            columns["detection_frames"],
            columns["detection_boxes"],
            columns["detection_sequence"],
        ),
        selection=read_selection(others),
        leftovers=Leftovers(
            columns["leftover_frames"], columns["leftover_boxes"], columns["leftover_scores"]
        ),
    )


def _joined(columns: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(columns) if columns else np.zeros(0, np.float32)
