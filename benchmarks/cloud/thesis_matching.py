"""Matching as the master's thesis does it (section 3.1.3 and 3.1.4): the control of `scale`."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cosine

from faceveil.faces import FrameFaces

Face = dict[str, Any]
BOX_WEIGHT, LIMIT = 0.001, 1.0


def as_dicts(faces: FrameFaces) -> list[Face]:
    """The accepted faces of a frame as the thesis's handler answers them."""
    index = np.flatnonzero(faces.accepted)
    return [{"bbox": faces.boxes[i], "feat": faces.features[i]} for i in index]


def match(frames: list[list[Face]]) -> list[list[Face]]:
    """Sequences of faces, each face matched with those of the frame before only."""
    sequences: list[list[Face]] = []
    before: list[list[Face]] = []
    for faces in frames:
        now = [[face] for face in faces]
        if before and faces:
            cost = np.array([[distance(one[-1], face) for face in faces] for one in before])
            for row, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[row, column] < LIMIT:
                    before[row].append(faces[column])
                    now[column] = before[row]
        sequences += [one for one in now if len(one) == 1]
        before = now
    return sequences


def distance(before: Face, after: Face) -> float:
    """Cosine distance of features plus the weighted distance of corners."""
    box = before["bbox"]
    corners = sum(abs(old - new) for old, new in zip(box, after["bbox"], strict=True))
    width = box[2] - box[0]
    return float(cosine(before["feat"], after["feat"]) + BOX_WEIGHT * corners * width / 100)
