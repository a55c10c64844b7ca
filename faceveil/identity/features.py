"""Features kept on request, in a file of their own, so that people can be chosen by photo later.

They are biometric data: the file is readable by its owner only. Delete it as soon as the choice is
made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import iou
from faceveil.errors import InputError
from faceveil.faces import FaceSequence, Floats, Ints
from faceveil.files import replace_file
from faceveil.identity.select import SAME_FACE_OVERLAP

_COLUMNS = ("feature_frames", "feature_quality", "features")
_OWNER_ONLY = 0o600
_ROUNDED = 0.01
"""Pixels by which a box of analysis.json may differ from the one that was written."""


def write_features(sequences: Sequence[FaceSequence], digest: str, path: Path) -> None:
    """Write the feature samples of sequences as .npz, each with its box.

    Parameters
    ----------
    sequences : sequence of FaceSequence
    digest : str
        Digest of the input they belong to.
    path : Path

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    content = BytesIO()
    size = max((sequence.features.shape[1] for sequence in sequences), default=0)
    counts = np.array([len(sequence.features) for sequence in sequences], np.int64)
    np.savez(
        content,
        digest=np.array(digest),
        counts=counts,
        feature_frames=_joined([sequence.feature_frames for sequence in sequences]),
        feature_quality=_joined([sequence.feature_quality for sequence in sequences]),
        features=_joined([sequence.features.reshape(-1, size) for sequence in sequences]),
        boxes=_joined([_boxes_of(sequence, sequence.feature_frames) for sequence in sequences]),
    )
    replace_file(path, content.getvalue(), mode=_OWNER_ONLY)


def read_features(sequences: Sequence[FaceSequence], digest: str, path: Path) -> list[FaceSequence]:
    """Return the sequences of an analysis with the features of a file.

    Where corrections have changed the analysis since, a sample is that of the sequence whose box
    lies in its place; those of no sequence are left out.

    Raises
    ------
    InputError
        When the file was not written by `write_features`, or belongs to another input or analysis.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = {name: file[name] for name in ("digest", "counts", *_COLUMNS)}
            boxes = np.asarray(file["boxes"], np.float32) if "boxes" in file else None
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise InputError(f"{path}: is not a file of features ({error})") from error
    count = int(stored["counts"].sum())
    lengths = [len(stored[name]) for name in _COLUMNS] + ([] if boxes is None else [len(boxes)])
    if any(length != count for length in lengths):
        raise InputError(f"{path}: is damaged; analyse again")
    frames = stored["feature_frames"].astype(np.int32)
    rows = _same_rows(sequences, stored["counts"], frames, boxes)
    if rows is None and boxes is not None:
        rows = _rows_by_place(sequences, frames, boxes.reshape(-1, 4))
    if str(stored["digest"]) != digest or rows is None:
        raise InputError(f"{path}: belongs to another input or analysis; analyse again")
    return [
        replace(
            sequence,
            feature_frames=frames[row],
            feature_quality=stored["feature_quality"][row].astype(np.float32),
            features=stored["features"][row].astype(np.float32),
        )
        for sequence, row in zip(sequences, rows, strict=True)
    ]


def _same_rows(
    sequences: Sequence[FaceSequence], counts: Ints, frames: Ints, boxes: Floats | None
) -> list[NDArray[np.intp]] | None:
    """The samples of each sequence where the analysis is the one they were written with."""
    if len(counts) != len(sequences):
        return None
    rows = np.split(np.arange(len(frames)), np.cumsum(counts)[:-1]) if len(counts) else []
    for sequence, row in zip(sequences, rows, strict=True):
        if not np.isin(frames[row], sequence.frames).all():
            return None
        if boxes is not None and not np.allclose(
            boxes[row].reshape(-1, 4), _boxes_of(sequence, frames[row]), atol=_ROUNDED
        ):
            return None
    return rows


def _rows_by_place(
    sequences: Sequence[FaceSequence], frames: Ints, boxes: Floats
) -> list[NDArray[np.intp]] | None:
    """The samples whose box overlaps that of a sequence most, for each; None where most samples
    are of none, as those of another analysis."""
    owners = np.repeat(np.arange(len(sequences)), [len(item) for item in sequences])
    all_frames = _joined([item.frames for item in sequences]).astype(np.int32)
    all_boxes = _joined([item.boxes for item in sequences]).reshape(-1, 4)
    order = np.argsort(all_frames, kind="stable")
    start, end = (np.searchsorted(all_frames[order], frames, side) for side in ("left", "right"))
    best = np.full(len(frames), SAME_FACE_OVERLAP, np.float32)
    owner = np.full(len(frames), -1)
    for offset in range(int((end - start).max(initial=0))):
        samples = np.flatnonzero(start + offset < end)
        places = order[start[samples] + offset]
        overlap = iou(boxes[samples], all_boxes[places])
        better = overlap >= best[samples]
        best[samples[better]] = overlap[better]
        owner[samples[better]] = owners[places[better]]
    if (owner >= 0).sum() * 2 < len(frames):
        return None
    # Of two samples in one frame, the one that fits better.
    ranked = np.lexsort((-best, frames, owner))
    keys = np.stack([owner[ranked], frames[ranked]], axis=1)
    first = np.append(True, (keys[1:] != keys[:-1]).any(axis=1))[: len(ranked)]
    kept = ranked[first & (owner[ranked] >= 0)]
    bounds = np.searchsorted(owner[kept], np.arange(len(sequences) + 1))
    return [kept[low:high] for low, high in pairwise(bounds)]


def _boxes_of(sequence: FaceSequence, frames: Ints) -> Floats:
    """The boxes of a sequence on some of its frames, float32 [k, 4]."""
    return sequence.boxes[np.searchsorted(sequence.frames, frames)].reshape(-1, 4)


def _joined(columns: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(columns) if columns else np.zeros(0, np.float32)
