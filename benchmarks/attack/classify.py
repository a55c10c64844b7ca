"""How an attacker tells people apart: the nearest of a gallery, and a trained discriminant."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats

Numbers = NDArray[np.intp]
_COMPONENTS = 200
_SHRINKAGE = 0.05
_Z = 1.96


def nearest(gallery: Floats, labels: Numbers, probes: Floats) -> Numbers:
    """The label of the gallery's row [g, d] that correlates most with each probe [p, d]."""
    return np.asarray(labels[(_unit(probes) @ _unit(gallery).T).argmax(axis=1)])


def nearest_template(gallery: Floats, labels: Numbers, probes: Floats) -> Numbers:
    """The label whose mean of unit rows [g, d] is nearest to each probe [p, d] by cosine."""
    people = np.unique(labels)
    templates = np.array([gallery[labels == person].mean(axis=0) for person in people])
    templates /= np.maximum(np.linalg.norm(templates, axis=1, keepdims=True), 1e-9)
    return np.asarray(people[(probes @ templates.T).argmax(axis=1)])


def _unit(rows: Floats) -> Floats:
    centred = rows - rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(length, 1e-6), np.float32)


def discriminant(gallery: Floats, labels: Numbers, probes: Floats) -> Numbers:
    """Linear discriminant analysis with shrunk covariance, trained on gallery [g, d].

    Rows are first standardised and reduced to their principal components. Where nothing tells
    people apart every label is as near as the others, and one is drawn.
    """
    middle, spread = gallery.mean(axis=0), gallery.std(axis=0)
    spread = np.where(spread > 1e-3, spread, np.inf)
    known, asked = (gallery - middle) / spread, (probes - middle) / spread
    _, axes = np.linalg.eigh(known.T @ known)
    known, asked = known @ axes[:, -_COMPONENTS:], asked @ axes[:, -_COMPONENTS:]
    count = int(labels.max()) + 1
    members = np.bincount(labels, minlength=count)[:, None]
    means = np.zeros((count, known.shape[1]))
    np.add.at(means, labels, known)
    means /= np.maximum(members, 1)
    within = known - means[labels]
    covariance = within.T @ within / len(within)
    level = max(float(np.trace(covariance)) / len(covariance), 1e-9)
    covariance += _SHRINKAGE * level * np.eye(len(covariance))
    values, directions = np.linalg.eigh(covariance)
    whiten = directions / np.sqrt(values)
    means, asked = means @ whiten, asked @ whiten
    distance = (means**2).sum(axis=1) - 2 * asked @ means.T
    distance[:, members[:, 0] == 0] = np.inf
    tie_breaker = np.random.default_rng(0).random(distance.shape) * 1e-6
    return np.asarray((distance + tie_breaker).argmin(axis=1))


def interval(hits: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    share = hits / count
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z * sqrt(share * (1 - share) / count + (_Z / (2 * count)) ** 2) / (1 + _Z**2 / count)
    return max(middle - half, 0.0), min(middle + half, 1.0)
