"""Masks drawn from keyframes cover all that the veils cover, with few keyframes."""

import jsonschema
import numpy as np
import orjson
import pytest

from faceveil.analysis import Analysis, SourceInfo
from faceveil.decisions import Decision
from faceveil.faces import DetectionLog, FaceSequence
from faceveil.schemas import load_schema
from faceveil.veils.keyframes import TOLERANCE, to_keyframes, write_keyframes
from faceveil.veils.region import core
from faceveil.veils.styles import VeilStyle

FRAMES = 120


def a_sequence(frames, wobble=0.0):
    frames = np.asarray(frames, np.int32)
    way = frames[:, None] * np.float32([1.5, 0.5]) + wobble * np.sin(frames / 7)[:, None]
    corner = np.float32([40, 60]) + way
    boxes = np.concatenate([corner, corner + np.float32([50, 70])], axis=1).astype(np.float32)
    ones = np.ones(len(frames), np.float32)
    return FaceSequence(frames, boxes, ones, np.zeros(len(frames), np.uint8))


def analysis_of(*sequences, veiled=None, unknown=()):
    nothing = np.zeros(0, np.int32)
    veiled = [True] * len(sequences) if veiled is None else veiled
    return Analysis(
        source=SourceInfo("a.mp4", "video", "sha256:" + "a" * 64, 640, 360, FRAMES, "25"),
        models=None,
        parameters={},
        shot_starts=np.zeros(1, np.int32),
        unknown_frames=np.int32(unknown),
        sequences=sequences,
        identities=np.arange(len(sequences), dtype=np.int32),
        decisions=[Decision(veil, "Ann is kept", person="Ann") for veil in veiled],
        detections=DetectionLog(nothing, np.zeros((0, 4), np.float32), nothing),
    )


def drawn(mask):
    """What an editing program draws: frames [n], and regions [n, 4] moved evenly between."""
    rows = [
        [item[key] for key in ("frame", "x", "y", "width", "height")] for item in mask["keyframes"]
    ]
    frame, x, y, width, height = np.array(rows).T
    frames = np.arange(mask["first"], mask["last"] + 1)
    x, y, width, height = (np.interp(frames, frame, column) for column in (x, y, width, height))
    return frames, np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1)


@pytest.mark.parametrize("name", ["round", "square", "upper"])
def test_what_is_drawn_between_keyframes_covers_the_veil(name):
    style, face = VeilStyle(name), a_sequence(range(FRAMES), wobble=30)
    (mask,) = to_keyframes(analysis_of(face), style)["masks"]
    frames, regions = drawn(mask)
    np.testing.assert_array_equal(frames, face.frames)
    cores = core(face.boxes, style)
    assert (regions[:, :2] <= cores[:, :2] + 0.02).all()
    assert (regions[:, 2:] >= cores[:, 2:] - 0.02).all()
    assert np.abs(regions - cores).max() <= 2 * TOLERANCE + 0.02
    assert len(mask["keyframes"]) < FRAMES / 2


def test_an_even_movement_needs_two_keyframes_and_a_gap_begins_a_new_mask():
    face = a_sequence([*range(10), *range(20, 50)])
    first, second = to_keyframes(analysis_of(face), VeilStyle("square"))["masks"]
    assert [item["frame"] for item in first["keyframes"]] == [0, 9]
    assert [item["frame"] for item in second["keyframes"]] == [20, 49]


def test_only_veils_are_written_and_no_name(tmp_path):
    """The file goes to editors: who is veiled stays out of it."""
    people = a_sequence(range(20)), a_sequence(range(30, 60))
    path = tmp_path / "k.json"
    analysis = analysis_of(*people, veiled=[False, True], unknown=(70, 71, 90))
    write_keyframes(analysis, VeilStyle(), path)
    content = orjson.loads(path.read_bytes())
    jsonschema.validate(content, load_schema("keyframes"))
    assert [mask["sequence"] for mask in content["masks"]] == [1]
    assert content["whole_frames"] == [[70, 71], [90, 90]]
    assert b"Ann" not in path.read_bytes()


def test_a_video_without_faces_has_no_masks():
    assert to_keyframes(analysis_of(), VeilStyle())["masks"] == []
