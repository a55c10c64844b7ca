"""Keeping one person by photo, under every condition: is another person ever left visible?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.quality.variants import output_of_sequences
from faceveil.detect.analyzer import FaceAnalyzer
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.evaluation.judging import Share, evaluate
from faceveil.evaluation.truth import Truth
from faceveil.finding import Found
from faceveil.identity.cluster import cluster
from faceveil.identity.references import References, load_references
from faceveil.identity.select import Selection, decide_sequences
from testkit import SHARED_DATA
from testkit.portraits import PORTRAITS, portrait_path

REAL_PHOTOS = {
    "Alex Lacamoire": "alex-lacamoire.png",
    "Barack Obama": "obama.jpg",
    "Lin-Manuel Miranda": "lin-manuel-miranda.png",
}


@dataclass(frozen=True)
class Kept:
    """What became of a clip when one person is kept: frames in which another person is left
    visible, the others veiled, and her own faces left visible.
    """

    clip: str
    person: str
    wrong: int
    others: Share
    own: Share


def photos(clip: str) -> dict[str, Path]:
    """A photo of each person who can be kept in a clip."""
    if clip.startswith("hamilton"):
        return {name: SHARED_DATA / "hamilton" / file for name, file in REAL_PHOTOS.items()}
    return {
        PORTRAITS[name].person: portrait_path(name) for name in ("obama3", "biden", "astronaut")
    }


@cache
def _references(photo: Path, networks: AnalyzerOptions) -> References:
    return load_references([photo], _analyzer(networks))


@cache
def _analyzer(networks: AnalyzerOptions) -> FaceAnalyzer:
    return build_analyzer(networks)


def keep_each(
    clip: str, truth: Truth, found: Found, networks: AnalyzerOptions = AnalyzerOptions()
) -> Iterator[Kept]:
    """Keep each person of a clip in turn, as far as there are photos; `networks` examine those."""
    identities = cluster(found.sequences)
    output = output_of_sequences(found.sequences, identities)
    for person, photo in photos(clip).items():
        if person not in truth.people:
            continue
        selection = Selection(mode="keep", references=_references(photo, networks))
        decisions = decide_sequences(found.sequences, identities, selection)
        veiled = np.array([decision.veil for decision in decisions], bool)
        result = evaluate(truth, replace(output, veiled=veiled[output.sequence]), (person,))
        yield Kept(clip, person, result.wrong_kept, result.veils, result.kept)


def summary(kept: list[Kept]) -> list[str]:
    """All of it in a line, and each choice in which another person was left visible."""
    wrong = [row for row in kept if row.wrong]
    others, own = (
        Share(sum(share.faces for share in shares), sum(share.hits for share in shares))
        for shares in ([row.others for row in kept], [row.own for row in kept])
    )
    lines = [
        f"{len(kept)} choices of a clip and a person. Frames in which another person is left "
        f"visible: {sum(row.wrong for row in kept)}, in {len(wrong)} of them. Of the faces of all "
        f"others {others.recall:.4f} of {others.faces} are veiled; of her own, {own.recall:.3f} of "
        f"{own.faces} are left visible (a face that is not surely recognised is veiled).",
    ]
    lines += [f"- {row.clip}, {row.person} kept: {row.wrong} frames" for row in wrong]
    return lines
