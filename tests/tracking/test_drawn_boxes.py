"""A drawn box is followed both ways through its shot, and between the boxes that were drawn."""

from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from faceveil.boxes import iou
from faceveil.errors import InputError
from faceveil.media.open import open_source
from faceveil.tracking import drawn as module
from faceveil.tracking.drawn import follow_drawn
from testkit.flow_pictures import BACKGROUND, boxes, draw

COUNT = 70
TIME = np.arange(COUNT)
SWAYING = boxes(150 + 60 * np.sin(TIME / 9), 120 + 20 * np.cos(TIME / 7), 40)
GONE = range(50, 56)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("swaying")
    for number, box in enumerate(SWAYING):
        picture = BACKGROUND if number in GONE else draw(box)
        cv2.imwrite(str(path / f"img{number + 1:07d}.png"), picture)
    return path


@pytest.fixture
def source(folder):
    return open_source(folder)


def follow(source, numbers, path=SWAYING, starts=(0,), **more):
    frames = np.array(numbers, np.int32)
    return follow_drawn(
        source, np.array(starts, np.int32), COUNT, frames, np.asarray(path[frames]), **more
    )


def test_one_box_is_followed_both_ways_until_it_is_lost(source, monkeypatch):
    """Over the borders of what is read at once, too; not by what comes after it was lost."""
    monkeypatch.setattr(module, "_BLOCK", 7)
    frames, found = follow(source, [30])
    assert frames.tolist() == [*range(30), *range(31, int(frames[-1]) + 1)]
    assert GONE[0] - 1 <= frames[-1] <= GONE[-1]
    seen = frames < GONE[0]
    assert iou(found[seen], SWAYING[frames[seen]]).min() > 0.7


def test_no_track_leaves_its_shot(source):
    frames, _ = follow(source, [30], starts=(0, 20, 41))
    assert frames.tolist() == [*range(20, 30), *range(31, 41)]


def test_boxes_drawn_in_two_shots_are_followed_in_each(source):
    frames, found = follow(source, [10, 30], starts=(0, 20, 41))
    assert frames.tolist() == [*range(10), *range(11, 30), *range(31, 41)]
    assert iou(found, SWAYING[frames]).min() > 0.7


def test_only_the_stretch_between_two_keyframes_is_followed_again(source):
    """Followed from both sides; nothing outside is read or answered."""
    frames, found = follow(source, [5, 45], first=5, last=45)
    assert frames.tolist() == list(range(6, 45))
    assert iou(found, SWAYING[frames]).min() > 0.75


def test_between_keyframes_both_tracks_count_where_one_is_lost(source):
    """The object is hidden in between: each side is followed as far as it goes."""
    frames, found = follow(source, [45, 65], first=45, last=65)
    clear = ~np.isin(frames, GONE)
    assert {46, 49, 60, 64} <= set(frames.tolist())
    assert iou(found[clear], SWAYING[frames[clear]]).min() > 0.6


def test_ends_that_a_person_set_are_kept(source):
    frames, _ = follow(source, [30], first=28, last=33)
    assert frames.tolist() == [28, 29, 31, 32, 33]


def test_a_box_beyond_the_video_is_refused(source):
    with pytest.raises(InputError, match="beyond the 70 frames"):
        follow_drawn(
            source,
            np.array([0], np.int32),
            COUNT,
            np.array([90], np.int32),
            np.array([[1, 1, 9, 9]], np.float32),
        )


def test_following_tells_its_progress_and_can_be_cancelled(source):
    class CancelledError(Exception):
        pass

    class Cancelling:
        done = 0

        @contextmanager
        def stage(self, name, total):
            assert (name, total) == ("follow", COUNT - 1)
            yield self

        def advance(self):
            self.done += 1
            if self.done == 5:
                raise CancelledError

    progress = Cancelling()
    with pytest.raises(CancelledError):
        follow(source, [30], progress=progress)
    assert progress.done == 5
