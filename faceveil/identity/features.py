"""Features kept on request, in a file of their own, so that people can be chosen by photo later.

They are biometric data: the file is readable by its owner only. Delete it as soon as the choice is
made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from faceveil.errors import InputError
from faceveil.faces import FaceSequence
from faceveil.files import replace_file

_COLUMNS = ("feature_frames", "feature_quality", "features")
_OWNER_ONLY = 0o600


def write_features(sequences: Sequence[FaceSequence], digest: str, path: Path) -> None:
    """Write the feature samples of sequences as .npz.

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
    )
    replace_file(path, content.getvalue(), mode=_OWNER_ONLY)


def read_features(sequences: Sequence[FaceSequence], digest: str, path: Path) -> list[FaceSequence]:
    """Return the sequences of an analysis with the features of a file.

    Raises
    ------
    InputError
        When the file was not written by `write_features`, or belongs to another input or analysis.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = {name: file[name] for name in ("digest", "counts", *_COLUMNS)}
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise InputError(f"{path}: is not a file of features ({error})") from error
    if str(stored["digest"]) != digest or len(stored["counts"]) != len(sequences):
        raise InputError(f"{path}: belongs to another input or analysis; analyse again")
    ends = np.cumsum(stored["counts"])
    if any(len(stored[name]) != stored["counts"].sum() for name in _COLUMNS):
        raise InputError(f"{path}: is damaged; analyse again")
    rows = [slice(end - count, end) for end, count in zip(ends, stored["counts"], strict=True)]
    return [
        replace(
            sequence,
            feature_frames=stored["feature_frames"][row].astype(np.int32),
            feature_quality=stored["feature_quality"][row].astype(np.float32),
            features=stored["features"][row].astype(np.float32),
        )
        for sequence, row in zip(sequences, rows, strict=True)
    ]


def _joined(columns: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(columns) if columns else np.zeros(0, np.float32)
