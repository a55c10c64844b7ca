"""A minute of video with ten faults planted in its analysis, one of each sort in a shot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from faceveil.analysis import Analysis
from faceveil.boxes import overlaps
from faceveil.decisions import Decision
from faceveil.faces import DetectionLog, FaceSequence, Floats, Image, Provenance
from testkit.clips import Actor, Clip, Scene, make_clip, write_video
from testkit.review_studio import true_analysis, without

WIDTH, HEIGHT, FRAMES, SHOT = 640, 360, 1500, 150
KEPT, VEILED = "Barack Obama", "Joe Biden"
_PLATE = (300, 290, 380, 320)
_PLATE_SHOT = 9
_ON_THE_FACE = 0.5
_RIGHT_SHARE = 0.99
_COLOURS = (
    ((150, 130, 105), (60, 75, 90)),
    ((40, 70, 60), (110, 140, 95)),
    ((175, 170, 180), (95, 60, 70)),
    ((70, 80, 120), (165, 150, 135)),
)


@dataclass(frozen=True)
class PlantedClip(Clip):
    """The clip with a plate in its last shot, which moves with nothing."""

    def frame(self, number: int) -> Image:
        picture = super().frame(number)
        if number // SHOT == _PLATE_SHOT:
            x1, y1, x2, y2 = plate_at(number)
            cv2.rectangle(picture, (x1, y1), (x2, y2), (240, 240, 235), -1)
            cv2.rectangle(picture, (x1, y1), (x2, y2), (20, 20, 20), 2)
            place = (x1 + 6, y2 - 9)
            cv2.putText(picture, "BG 4711", place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (15, 15, 15), 2)
        return picture


def plate_at(number: int) -> tuple[int, int, int, int]:
    """The box of the plate on a frame of the last shot."""
    shift = (number - _PLATE_SHOT * SHOT) // 3
    x1, y1, x2, y2 = _PLATE
    return x1 + shift, y1, x2 + shift, y2


def write_minute(path: Path) -> Clip:
    """Write the video; returns it with its truth."""
    clip = make_clip(WIDTH, HEIGHT, FRAMES, seed=0, scenes=tuple(_scenes()))
    planted = PlantedClip(clip.width, clip.height, clip.frame_count, clip.shots)
    write_video(planted, path, audio=False)
    return planted


def _scenes() -> Iterator[Scene]:
    """Ten shots of two people; in the sixth, of one, who can so be taken for the other."""
    for number in range(10):
        away = 0.02 * (number % 3)
        kept = Actor("obama", ((0, 0.24 + away, 0.40, 0.30), (1, 0.29 + away, 0.42, 0.31)))
        veiled = Actor("biden", ((0, 0.74 - away, 0.42, 0.32), (1, 0.68 - away, 0.44, 0.34)))
        actors = (veiled,) if number == 5 else (kept, veiled)
        yield Scene(0.1, _COLOURS[number % len(_COLOURS)], actors)


def plant(clip: Clip, video: Path) -> Analysis:
    """The true analysis with a fault in every shot, in the order of `FAULTS`."""
    analysis = true_analysis(clip, video, keep=(KEPT,))
    rows = range(len(analysis.sequences))
    is_kept = {row: not analysis.decisions[row].veil for row in rows}
    of = {(analysis.sequences[row].first // SHOT, is_kept[row]): row for row in rows}
    sequences, identities = list(analysis.sequences), analysis.identities.copy()
    decisions = list(analysis.decisions)
    kept_person = int(identities[of[0, True]])
    new = int(identities.max()) + 1
    sequences[of[1, False]] = _moved(sequences[of[1, False]], 110)
    identities[of[3, False]], decisions[of[3, False]] = new, Decision(False, "matches a photo")
    identities[of[4, True]], decisions[of[4, True]] = new + 1, Decision(True, "matches nothing")
    identities[of[5, False]] = kept_person
    decisions[of[5, False]] = Decision(False, "matches a photo")
    identities[of[6, True]] = new + 2
    sequences[of[7, False]] = _part(sequences[of[7, False]], slice(0, SHOT // 2))
    sequences[of[8, False]] = _part(sequences[of[8, False]], slice(SHOT // 2, SHOT))
    sequences.append(_moved(sequences[of[2, False]], -120))
    planted = replace(
        analysis,
        sequences=sequences,
        identities=np.append(identities, np.int32(new + 3)),
        decisions=[*decisions, Decision(True, "matches nothing")],
    )
    return without(_detected(planted), of[0, False])


def _moved(sequence: FaceSequence, right: int) -> FaceSequence:
    """Off its face, as boxes that no network placed."""
    return replace(
        sequence,
        boxes=sequence.boxes + np.float32([right, 0, right, 0]),
        scores=np.zeros(len(sequence), np.float32),
        provenance=np.full(len(sequence), Provenance.INTERPOLATED, np.uint8),
    )


def _part(sequence: FaceSequence, rows: slice) -> FaceSequence:
    return replace(
        sequence,
        frames=sequence.frames[rows],
        boxes=sequence.boxes[rows],
        scores=sequence.scores[rows],
        provenance=sequence.provenance[rows],
    )


def _detected(analysis: Analysis) -> Analysis:
    """With the log of what was detected, as a detector would have made it."""
    seen = [item.provenance == Provenance.DETECTED for item in analysis.sequences]
    pairs = list(zip(analysis.sequences, seen, strict=True))
    frames = np.concatenate([item.frames[rows] for item, rows in pairs])
    boxes = np.concatenate([item.boxes[rows] for item, rows in pairs])
    owner = np.repeat(np.arange(len(seen), dtype=np.int32), [int(rows.sum()) for rows in seen])
    order = np.argsort(frames, kind="stable")
    return replace(analysis, detections=DetectionLog(frames[order], boxes[order], owner[order]))


@dataclass(frozen=True)
class Fault:
    """A sort of fault. is_mended: whether the analysis no longer has it."""

    name: str
    is_mended: Callable[[Clip, Analysis], bool]


def _veils(shot: int, name: str = VEILED) -> Callable[[Clip, Analysis], bool]:
    """Whether a person is covered in a shot, by boxes that are on the face."""
    return lambda clip, analysis: (
        _share_under(analysis, shot, true_boxes(clip, shot, name), veiled=True) >= _RIGHT_SHARE
    )


def _shows(shot: int) -> Callable[[Clip, Analysis], bool]:
    """Whether the person who is kept can be seen in a shot, and the other one cannot."""

    def is_mended(clip: Clip, analysis: Analysis) -> bool:
        kept = true_boxes(clip, shot, KEPT)
        return _share_under(analysis, shot, kept, veiled=True) == 0 and _veils(shot)(clip, analysis)

    return is_mended


def _one_person(clip: Clip, analysis: Analysis) -> bool:
    """Whether the sequences of the person who is kept, in two shots, are of one identity."""
    one, other = (
        analysis.identities[_sequence_at(analysis, shot, true_boxes(clip, shot, KEPT))]
        for shot in (0, 6)
    )
    return bool(one == other)


def _only_faces(clip: Clip, analysis: Analysis) -> bool:
    """Whether nothing but the person to be veiled is veiled in the third shot."""
    truth = true_boxes(clip, 2, VEILED)
    boxes = [
        overlaps(item.boxes, truth[item.frames - 2 * SHOT]).diagonal() >= _ON_THE_FACE
        for item, decision in zip(analysis.sequences, analysis.decisions, strict=True)
        if decision.veil and item.first // SHOT == 2
    ]
    return len(boxes) == 1 and bool(boxes[0].all())


def _plate(_: Clip, analysis: Analysis) -> bool:
    first = _PLATE_SHOT * SHOT
    truth = np.array([plate_at(first + index) for index in range(SHOT)], np.float32)
    return _share_under(analysis, _PLATE_SHOT, truth, veiled=True) >= _RIGHT_SHARE


FAULTS = (
    Fault("a face was missed", _veils(0)),
    Fault("boxes lie beside the face", _veils(1)),
    Fault("a veil is on nothing", _only_faces),
    Fault("the wrong person is kept", _veils(3)),
    Fault("the person to be kept is veiled", _shows(4)),
    Fault("two people were joined", _veils(5)),
    Fault("one person was split", _one_person),
    Fault("a sequence ends too early", _veils(7)),
    Fault("a sequence begins too late", _veils(8)),
    Fault("a plate was missed", _plate),
)


def true_boxes(clip: Clip, shot: int, name: str) -> Floats:
    """The true boxes [SHOT, 4] of a person in a shot."""
    truth = clip.truth
    rows = (truth.person == truth.people.index(name)) & (truth.frames // SHOT == shot)
    boxes: Floats = truth.boxes[rows]
    return boxes


def _share_under(analysis: Analysis, shot: int, truth: Floats, *, veiled: bool) -> float:
    """In which share of a shot's frames some box of that decision is on the true one [SHOT, 4]."""
    hit = np.zeros(SHOT, bool)
    for item, decision in zip(analysis.sequences, analysis.decisions, strict=True):
        if item.first // SHOT == shot and decision.veil == veiled:
            index = item.frames - shot * SHOT
            hit[index] |= overlaps(item.boxes, truth[index]).diagonal() >= _ON_THE_FACE
    return float(hit.mean())


def _sequence_at(analysis: Analysis, shot: int, truth: Floats) -> int:
    for number, item in enumerate(analysis.sequences):
        index = int(item.frames[0]) - shot * SHOT
        if 0 <= index < SHOT and overlaps(item.boxes[:1], truth[index : index + 1])[0, 0] >= 0.9:
            return number
    raise RuntimeError(f"nobody is followed in shot {shot}")
