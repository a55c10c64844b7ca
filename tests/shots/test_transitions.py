"""Dissolves and wipes start a shot in their middle; cuts and fades as before; movement does not."""

import logging

import cv2
import numpy as np
import pytest

from faceveil.errors import WeightsError
from faceveil.faces import THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH
from faceveil.shots import transnet
from faceveil.shots.cuts import ShotDetector
from faceveil.shots.gradual import REACH, change_at
from faceveil.shots.transitions import DELAY, EveryFrame, TransitionDetector, mark_shots
from faceveil.shots.transnet import TransNet

SHAPE = THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, 3


def scene(seed):
    """A picture of coarse patches, unlike those of other seeds."""
    patches = np.random.default_rng(seed).integers(20, 235, (9, 12, 3)).astype(np.uint8)
    return patches.repeat(3, 0).repeat(4, 1)


def still(picture, count):
    return [picture] * count


def dissolve(before, after, count):
    shares = np.arange(1, count + 1) / (count + 1)
    return [np.uint8((1 - share) * before + share * after) for share in shares]


def wipe(before, after, count):
    place = np.arange(THUMBNAIL_WIDTH) / THUMBNAIL_WIDTH
    return [
        np.where((place < step / (count + 1))[:, None], after, before)
        for step in range(1, count + 1)
    ]


def starts(frames, confirm=None):
    marked = list(mark_shots(enumerate_thumbnails(frames), TransitionDetector(confirm)))
    assert [number for number, _ in marked] == list(range(len(frames)))
    return [number for number, new_shot in marked if new_shot]


def enumerate_thumbnails(frames):
    return ((number, frame) for number, frame in enumerate(frames))


@pytest.mark.parametrize("between", [dissolve, wipe])
@pytest.mark.parametrize("count", [8, 12, 18])
def test_a_gradual_transition_starts_one_shot_within_it(between, count):
    a, b = scene(1), scene(2)
    (start,) = starts(still(a, 40) + between(a, b, count) + still(b, 40))
    assert 40 - 1 <= start <= 40 + count + 1


def test_a_cut_starts_a_shot_on_its_very_frame():
    assert starts(still(scene(1), 40) + still(scene(2), 200)) == [40]


def walk(picture, where, count):
    """Somebody walking through a place."""
    frames = []
    for step in range(count):
        frame = picture.copy()
        at = where + step // 2
        frame[8:27, at : at + 8] = (200, 160, 130)
        frames.append(frame)
    return frames


def elsewhere_in_the_room(room):
    return np.uint8(np.clip(0.7 * room + 0.3 * np.roll(room, 9, axis=1), 0, 255))


def test_a_cut_within_one_place_starts_a_shot_on_its_very_frame():
    room = cv2.GaussianBlur(scene(6), (0, 0), 2)
    other = elsewhere_in_the_room(room)
    frames = walk(room, 4, 40) + walk(other, 30, 30)
    assert not any(map(ShotDetector().push, frames))  # which takes it for movement
    assert starts(frames) == [40]


def test_flashes_and_lamps_start_no_shot():
    room = cv2.GaussianBlur(scene(6), (0, 0), 2)
    flash = [elsewhere_in_the_room(room)]
    assert starts(walk(room, 4, 40) + flash + walk(room, 24, 30)) == []
    lit = np.uint8(np.clip(room * 1.2 + 10, 0, 255))
    assert starts(walk(room, 4, 40) + walk(lit, 24, 30)) == []


def test_a_fade_through_black_is_one_transition():
    a, b, black = scene(1), scene(2), np.zeros(SHAPE, np.uint8)
    frames = still(a, 40) + dissolve(a, black, 6) + dissolve(black, b, 6) + still(b, 40)
    (start,) = starts(frames)
    assert 40 <= start <= 53


def test_pans_and_stillness_are_no_transitions():
    wide = np.concatenate([scene(seed) for seed in range(4)], axis=1)
    smooth = cv2.GaussianBlur(wide, (0, 0), 4)
    pan = [smooth[:, at : at + THUMBNAIL_WIDTH] for at in range(140)]
    assert starts(pan) == []
    assert starts(still(scene(3), 120)) == []


def test_a_frame_that_is_unknown_changes_nothing():
    frames = still(scene(1), 40) + still(scene(2), 40)
    assert starts([*frames[:20], None, *frames[21:]]) == [40]


def test_answers_come_in_order_and_no_later_than_promised():
    detector, told = TransitionDetector(), 0
    for number in range(3 * DELAY):
        told += len(detector.push(scene(number // 50)))
        assert number + 1 - told <= DELAY
    assert told + len(detector.finish()) == 3 * DELAY


def test_the_network_is_asked_only_where_there_is_doubt():
    asked = []

    def confirm(thumbnails):
        asked.append(thumbnails.shape)
        return np.ones(len(thumbnails), np.float32)

    a = scene(1)
    starts(still(a, 150) + still(scene(2), 150), confirm)
    assert not asked
    # a dissolve to a picture much like the first one may be anything
    like = np.uint8(0.45 * a + 0.55 * scene(5))
    frames = still(a, 80) + dissolve(a, like, 10) + still(like, 80)
    change = change_at(np.stack(frames[85 - REACH : 86 + REACH]))
    assert change is not None and not change.is_clear
    assert starts(frames) == []
    assert len(starts(frames, confirm)) == 1
    assert asked == [(100, *SHAPE)]


def test_transnet_sees_a_dissolve_and_no_transition_in_stillness():
    a, b = scene(4), scene(5)
    network = TransNet()
    seen = network(np.stack(still(a, 45) + dissolve(a, b, 10) + still(b, 45)))
    assert seen.shape == (100,) and seen[40:60].max() > 0.5
    assert network(np.stack(still(a, 100))).max() < 0.5


def test_without_its_weights_transnet_says_so_once_and_confirms_nothing(monkeypatch, caplog):
    def missing(threads):
        raise WeightsError("no registry")

    monkeypatch.setattr(transnet, "_open", missing)
    network = TransNet()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert not network(np.zeros((100, *SHAPE), np.uint8)).any()
    assert len(caplog.records) == 1 and "no registry" in caplog.text


def test_each_still_is_a_shot_of_its_own():
    assert list(mark_shots(enumerate_thumbnails([None] * 3), EveryFrame())) == [
        (0, True),
        (1, True),
        (2, True),
    ]
