"""Who is it under the veil? Re-identification of veiled faces, by attackers who know how it works.

    python -m benchmarks.attack.recognisers [report.md]

FACEVEIL_ATTACK_FACES names a folder with a folder of pictures per person; without it those of
../shared/data/lfw are used. The committed report is of 170 people of LFW, with five to ten pictures
each.

Pictures of each person are halved: one half is the attacker's gallery, the other is veiled and
attacked, then the other way round, so that no picture is in both.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, delayed

from benchmarks.attack.classify import (
    Numbers,
    discriminant,
    interval,
    nearest,
    nearest_template,
)
from benchmarks.attack.faces import SIDE, Faces, load_faces
from benchmarks.attack.views import (
    CELLS,
    FRAMES,
    clear_features,
    clear_pixels,
    features,
    hidden_pixels,
    sequences,
    whole_pixels,
)
from benchmarks.attack.ways import Way, all_ways
from benchmarks.report import machine, publish, table
from faceveil.detect.build import build_analyzer
from faceveil.faces import Floats
from testkit import SHARED_DATA

FOLDER = Path(os.environ.get("FACEVEIL_ATTACK_FACES") or SHARED_DATA / "lfw")
VEILINGS = 6
"""Times the parrot veils each picture of its gallery, each with another seed."""
FEW_VEILINGS = 2
"""The same where each takes long: features and sequences."""
TARGET = 0.02
"""Above chance."""
PROBE = 10**6
"""Seeds from here on are the probes'; the attacker does not know them."""
WITH_CONTEXT = ("blend", "round", "solid", "upper")
ATTACKS = {
    "recogniser": "ArcFace, gallery of clear photos, mean feature of a person",
    "recogniser, parrot": f"ArcFace, gallery veiled {FEW_VEILINGS} times, trained discriminant",
    "cells": f"{CELLS}x{CELLS} means of what is veiled, beside those of clear photos, nearest",
    "pixels, parrot": f"pixels, gallery veiled {VEILINGS} times, trained discriminant",
    "colour": "mean colour of what is veiled, gallery veiled likewise, trained discriminant",
    "average": f"average of {FRAMES} frames, gallery veiled the same way, trained discriminant",
    "motion": f"what changes between {FRAMES} frames, likewise",
}
SAME_PHOTO = "same photo"
CONTEXT = ("recogniser, parrot", "pixels, parrot")

Guess = Callable[[Floats, Numbers, Floats], Numbers]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Hits of an attack among its probes."""

    hits: int
    count: int

    @property
    def share(self) -> float:
        return self.hits / self.count

    def __str__(self) -> str:
        low, high = interval(self.hits, self.count)
        return f"{self.share * 100:.1f} ({low * 100:.1f}-{high * 100:.1f})"


def crossed(faces: Faces, guess: Guess, galleries: list[Floats], probes: Floats) -> Outcome:
    """Both halves attacked with the other as gallery; each gallery [n, d] holds every face."""
    hits = 0
    for half in (0, 1):
        known, asked = faces.half == half, faces.half != half
        gallery = np.concatenate([rows[known] for rows in galleries])
        labels = np.tile(faces.people[known], len(galleries))
        hits += int((guess(gallery, labels, probes[asked]) == faces.people[asked]).sum())
    return Outcome(hits, len(faces))


def audit(faces: Faces, known: Floats, way: Way) -> dict[str, Outcome]:
    """Every attack on one way to hide faces; known [n, D] are the features of the clear photos."""
    cv2.setNumThreads(1)
    recognizer = build_analyzer().recognizer
    seeds = [len(faces) * (number + 1) for number in range(VEILINGS)]
    probes = hidden_pixels(faces, way, PROBE)
    parrots = [hidden_pixels(faces, way, seed) for seed in seeds]
    small = hidden_pixels(faces, way, PROBE, CELLS)
    seen = features(faces, recognizer, way, PROBE)
    seen_parrots = [features(faces, recognizer, way, seed) for seed in seeds[:FEW_VEILINGS]]
    average, change = sequences(faces, way, PROBE)
    followed = [sequences(faces, way, seed) for seed in seeds[:FEW_VEILINGS]]
    outcomes = {
        "recogniser": crossed(faces, nearest_template, [known], seen),
        "recogniser, parrot": crossed(faces, discriminant, seen_parrots, seen),
        "cells": crossed(faces, nearest, [clear_pixels(faces, way)], small),
        "pixels, parrot": crossed(faces, discriminant, parrots, probes),
        "colour": crossed(
            faces, discriminant, [mean_colours(rows) for rows in parrots], mean_colours(probes)
        ),
        "average": crossed(faces, discriminant, [first for first, _ in followed], average),
        "motion": crossed(faces, discriminant, [second for _, second in followed], change),
        SAME_PHOTO: max(
            same_photo(parrots, probes),
            same_photo([mean_colours(rows) for rows in parrots], mean_colours(probes)),
            key=lambda outcome: outcome.hits,
        ),
    }
    if way.name in WITH_CONTEXT:
        whole = [whole_pixels(faces, way, seed) for seed in (PROBE, *seeds[:FEW_VEILINGS])]
        open_view = [
            features(faces, recognizer, way, seed, context=True)
            for seed in (PROBE, *seeds[:FEW_VEILINGS])
        ]
        for name, (asked, *gallery) in zip(CONTEXT, (open_view, whole), strict=True):
            outcomes[f"{name}, context"] = crossed(faces, discriminant, gallery, asked)
    return outcomes


def mean_colours(rows: Floats) -> Floats:
    """The mean colour [n, 3] of pixels [n, side * side * 3]."""
    return np.asarray(rows.reshape(len(rows), -1, 3).mean(axis=1))


def same_photo(parrots: list[Floats], probes: Floats) -> Outcome:
    """The attacker has the very photo, among all others, and veils each to compare."""
    numbers = np.arange(len(probes))
    gallery = np.concatenate(parrots)
    guesses = discriminant(gallery, np.tile(numbers, len(parrots)), probes)
    return Outcome(int((guesses == numbers).sum()), len(probes))


def verdict(way: Way, outcomes: dict[str, Outcome], chance: float) -> str:
    worst = max(outcomes[name].share for name in ATTACKS)
    if way.must_hide:
        return "within" if worst <= chance + TARGET else "**not within**"
    if way.name == "upper":
        return "not judged: leaves the mouth"
    return f"broken, {worst / chance:.0f}x chance" if worst > chance + TARGET else "within"


def report() -> str:
    analyzer = build_analyzer()
    faces = load_faces(FOLDER, analyzer)
    known = clear_features(faces, analyzer.recognizer)
    ways = all_ways()
    found = Parallel(n_jobs=2)(delayed(audit)(faces, known, way) for way in ways)
    return "\n".join(_lines(faces, dict(zip([way.name for way in ways], found, strict=True)), ways))


def _lines(faces: Faces, found: dict[str, dict[str, Outcome]], ways: list[Way]) -> list[str]:
    chance, photo = 1 / len(faces.names), 1 / len(faces)
    attacks = "\n".join(f"- **{name}**: {what}." for name, what in ATTACKS.items())
    return [
        "# Who is it under the veil?",
        "",
        "Repeat with `FACEVEIL_ATTACK_FACES=FOLDER python -m benchmarks.attack.recognisers "
        "report.md`, where FOLDER holds a folder of pictures per person; without it, the ten "
        "people of `../shared/data/lfw` are used.",
        "",
        f"{machine()}",
        "",
        f"{len(faces)} pictures of {len(faces.names)} people (LFW), each face about "
        f"{SIDE / 2.2:.0f} pixels high. Top-1 in percent, in brackets the 95 % interval (Wilson). "
        f"Chance is {chance:.2%}; the target is at most {TARGET:.0%} more. Every picture is a "
        "probe once; its gallery is the other half of the pictures. Attackers see only what is "
        "veiled (the opaque part), know the way of veiling and where the face's landmarks are, "
        "but no seed of the noise.",
        "",
        attacks,
        "",
        "In sequences the face moves under its box by 3 % of it and the light halves, by amounts "
        "the attacker knows exactly.",
        "",
        *table(
            ("way", *ATTACKS, "chance + 2 %"),
            [
                (
                    way.name,
                    *(found[way.name][attack] for attack in ATTACKS),
                    verdict(way, found[way.name], chance),
                )
                for way in ways
            ],
        ),
        "",
        "![Three portraits, hidden in each way](attack.jpg)",
        "",
        f"*Clear, {', '.join(way.name for way in ways[:-1])}; the last row in the dark. Portraits: "
        "NASA and the White House, public domain.*",
        "",
        "Of our veils a frame shows one number of the face, its mean brightness, under noise that "
        "is fixed for a sequence (but for `solid` and `blend`, which show none: two frames that "
        "differ under a `blend` veil only look the same). What `blend` shows above chance is the "
        "colours around the face, of scene, hair and clothes, which the frame shows beside any "
        "veil, too; see the last table. `8x8 cell means and fixed "
        "noise` is how our square one worked before this audit: the parrot learns the cells "
        "through the noise, and in a sequence the noise cancels, whatever its strength.",
        "",
        "`upper` leaves the mouth to see and is not for people who must not be recognised: this "
        "table attacks only what it covers, the last one all of it.",
        "",
        "## The same photo",
        "",
        f"The attacker has the {len(faces)} very photos and veils each {VEILINGS} times to learn "
        "what it looks like under a veil; then one is shown veiled with an unknown seed. By pixels "
        "or by mean colour, whichever does better; top-1 "
        f"among all photos; chance is {photo:.2%}. Who has the very video, clear, needs no attack: "
        "what lies beside the veil tells them which it is.",
        "",
        *table(("way", "same photo"), [(way.name, found[way.name][SAME_PHOTO]) for way in ways]),
        "",
        "## What lies beside the veil",
        "",
        "No veil hides hair, clothes and background: the same attackers with the whole picture, "
        f"the gallery veiled {FEW_VEILINGS} times. A solid veil shows what of it is owed to these "
        "alone.",
        "",
        *table(
            ("way", *CONTEXT),
            [
                (name, *(found[name][f"{attack}, context"] for attack in CONTEXT))
                for name in WITH_CONTEXT
            ],
        ),
        "",
    ]


def main() -> None:
    target = publish(report, needs_data="FACEVEIL_ATTACK_FACES" not in os.environ)
    if target:
        from benchmarks.attack.montage import write_montage

        write_montage(target.with_suffix(".jpg"))


if __name__ == "__main__":
    main()
