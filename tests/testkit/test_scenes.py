"""Footage made of footage tells the truth: what it says can be seen is really drawn there."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest

from testkit.scenes import CONDITIONS
from testkit.scenes_effects import compression, darkness, grain, low_resolution, motion_blur
from testkit.scenes_footage import (
    Altered,
    Excerpt,
    Hidden,
    Joined,
    Part,
    Warped,
    rolled,
    scaled,
    window,
)
from testkit.truth import ELLIPSE, Truth, grid_points

WIDTH, HEIGHT, FRAMES = 320, 180, 12
BACKGROUND, FACE = 40, 240


@dataclass(frozen=True, eq=False)
class Discs:
    """Bright ellipses on dark ground: two faces, one of them moving, one cut by the frame."""

    face: int = FACE

    width, height, frame_count = WIDTH, HEIGHT, FRAMES

    @cached_property
    def truth(self):
        frames = np.repeat(np.arange(FRAMES, dtype=np.int32), 2)
        left = np.where(np.arange(2 * FRAMES) % 2, 290, 60 + 6 * frames)
        boxes = np.stack([left, 0 * left + 50, left + 60, 0 * left + 130], axis=1)
        boxes = boxes.astype(np.float32)
        inside = (grid_points(boxes) < (WIDTH, HEIGHT)).all(axis=-1)
        return Truth(
            width=WIDTH,
            height=HEIGHT,
            frame_count=FRAMES,
            people=("a", "b"),
            shot_starts=np.zeros(1, np.int32),
            frames=frames,
            person=np.tile(np.arange(2, dtype=np.int32), FRAMES),
            boxes=boxes,
            seen=inside & ELLIPSE,
        )

    def frame(self, number):
        y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
        picture = np.full((HEIGHT, WIDTH, 3), BACKGROUND, np.uint8)
        for x1, y1, x2, y2 in self.truth.boxes[self.truth.frames == number].astype(float):
            across, down = (2 * x - x1 - x2) / (x2 - x1), (2 * y - y1 - y2) / (y2 - y1)
            picture[across**2 + down**2 <= 1] = self.face
        return picture


def brightness(footage):
    """Of each row: how bright the points that can be seen are, and those of its face that cannot
    although they are inside the frame."""
    truth = footage.truth
    points = np.floor(grid_points(truth.boxes)).astype(int)
    inside = (points >= 0).all(axis=-1) & (points < (footage.width, footage.height)).all(axis=-1)
    pictures = [footage.frame(number)[..., 0] for number in range(footage.frame_count)]
    x = points[..., 0].clip(0, footage.width - 1)
    y = points[..., 1].clip(0, footage.height - 1)
    rows = enumerate(truth.frames.tolist())
    grey = np.array([pictures[frame][y[row], x[row]] for row, frame in rows])
    return grey, truth.seen, inside


def assert_true(footage, fills_box=True, apart=0.9):
    """`apart`: share of unseen points that must be dark: rims and other faces may be there."""
    grey, seen, inside = brightness(footage)
    assert seen.any() and (grey[seen] > 150).mean() > 0.97
    assert (grey[inside & ~seen] < 150).mean() > apart
    # The boxes are no larger than needed: their faces fill their ellipses (of a disc turned by 45
    # degrees the box's ellipse holds 0.88), or touch the sides.
    whole = seen.sum(axis=(1, 2)) > (0.97 if fills_box else 0.85) * ELLIPSE.sum()
    assert whole.any() and (grey[whole][:, ~ELLIPSE] < 150).mean() > (0.8 if fills_box else 0.7)


def test_the_discs_themselves_are_true():
    assert_true(Discs())


@pytest.mark.parametrize("factor", [0.37, 0.75, 1.0, 2.5])
def test_scaled_footage_is_true(factor):
    footage = scaled(Discs(), factor)
    assert footage.frame(0).shape == (round(HEIGHT * factor), round(WIDTH * factor), 3)
    assert_true(footage)


@pytest.mark.parametrize("degrees", [-20, 45, 90, 180])
def test_rolled_footage_is_true(degrees):
    straight = degrees % 90 == 0
    footage = rolled(Discs(), np.full(FRAMES, degrees))
    assert_true(footage, fills_box=straight, apart=0.9 if straight else 0.7)


def test_a_window_panned_over_footage_is_true_and_faces_leave_it():
    left = np.stack([np.linspace(0, 140, FRAMES), np.linspace(0, 40, FRAMES)], axis=1)
    footage = window(Discs(), 180, 140, left)
    assert_true(footage)
    assert len(footage.truth) < len(Discs().truth)
    assert (footage.truth.visible < 0.9).any()


def test_an_excerpt_is_true_and_knows_its_shots():
    joined = Joined([Part(Discs()), Part(Discs())])
    footage = Excerpt(joined, FRAMES - 4, 9)
    assert_true(footage)
    assert footage.truth.shot_starts.tolist() == [0, 4] and len(footage.truth) == 18
    assert np.array_equal(footage.frame(8), joined.frame(FRAMES + 4))


def test_warping_nothing_changes_nothing_and_warps_add_up():
    once = rolled(Discs(), np.full(FRAMES, 60.0)).truth
    twice = rolled(rolled(Discs(), np.full(FRAMES, 30.0)), np.full(FRAMES, 30.0)).truth
    assert np.array_equal(once.frames, twice.frames)
    middles = [(truth.boxes[:, :2] + truth.boxes[:, 2:]) / 2 for truth in (once, twice)]
    assert np.allclose(*middles, atol=0.01)
    assert np.abs(once.visible - twice.visible).max() < 0.05
    matrices = np.tile(np.eye(2, 3), (FRAMES, 1, 1))
    assert np.array_equal(Warped(Discs(), WIDTH, HEIGHT, matrices).frame(3), Discs().frame(3))


def test_things_in_front_hide_faces():
    thing = np.tile([80.0, 0, 110, HEIGHT], (1, FRAMES, 1))
    footage = Hidden(Discs(), thing, ((BACKGROUND,) * 3,))
    assert_true(footage)
    assert footage.truth.visible.min() < 0.7 and np.array_equal(
        footage.truth.boxes, Discs().truth.boxes
    )


def test_effects_leave_faces_in_place_and_are_repeatable():
    effects = (motion_blur(0.05, 30), darkness(0.5, 4), grain(20), compression(10))
    for effect in (*effects, low_resolution(0.4)):
        footage = Altered(Discs(), effect, seed=3)
        picture = footage.frame(2)
        assert picture.dtype == np.uint8 and picture.shape == (HEIGHT, WIDTH, 3)
        assert not np.array_equal(picture, Discs().frame(2))
        assert np.array_equal(picture, footage.frame(2))
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        weight = picture[..., 0].astype(float) ** 2
        before = Discs().frame(2)[..., 0].astype(float) ** 2
        for place in (x, y):
            moved = (place * weight).sum() / weight.sum() - (place * before).sum() / before.sum()
            assert abs(moved) < 4
    some = Altered(Discs(), darkness(0.1), where=np.arange(FRAMES) == 5)
    assert np.array_equal(some.frame(4), Discs().frame(4)) and some.frame(5).max() < 30


@pytest.mark.parametrize("kind", ["cut", "wipe"])
def test_cuts_and_wipes_are_true(kind):
    overlap = 4 if kind == "wipe" else 0
    aside = window(Discs(), WIDTH, HEIGHT, np.tile([-70.0, 30.0], (FRAMES, 1)))
    joined = Joined([Part(Discs()), Part(aside, kind, overlap)])
    assert_true(joined, apart=0.8)
    assert joined.frame_count == 2 * FRAMES - overlap
    assert joined.truth.shot_starts.tolist() == [0, FRAMES - overlap // 2]
    assert joined.truth.track.max() == 2 and joined.truth.people == ("a", "b")


def test_in_a_dissolve_both_parts_fade_evenly():
    joined = Joined([Part(Discs()), Part(Discs(face=140), "dissolve", 6)])
    assert joined.transitions == [("dissolve", 6, 12)]
    rows = joined.truth.track == 0
    visible = dict(zip(joined.truth.frames[rows].tolist(), joined.truth.visible[rows], strict=True))
    assert visible[5] == pytest.approx(1) and visible[11] < 0.3 and visible[8] > 0.9
    # Where both show the same place, the picture is the mean of both, weighted.
    picture = joined.frame(8)[..., 0].astype(int)
    assert BACKGROUND < picture[90, 320 - 5] < FACE


def test_a_fade_goes_through_black():
    joined = Joined([Part(Discs()), Part(Discs(), "fade", 8)])
    brightest = [int(joined.frame(number).max()) for number in range(joined.frame_count)]
    assert brightest[7] == FACE == brightest[16] and brightest[11] < 40 > brightest[12]
    assert joined.transitions == [("fade", 8, 16)]
    assert joined.truth.shot_starts.tolist() == [0, 12]
    dark = joined.truth.frames == 11
    assert joined.truth.visible[dark].max() < 0.3


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_has_faces_and_is_repeatable(name):
    footage, again = CONDITIONS[name](0), CONDITIONS[name](0)
    truth, last = footage.truth, footage.frame_count - 1
    assert (truth.visible >= 0.5).sum() >= 50 and truth.frames.max() <= last
    assert (np.diff(truth.frames) >= 0).all()
    picture = footage.frame(last)
    assert picture.shape == (footage.height, footage.width, 3) and picture.dtype == np.uint8
    assert np.array_equal(picture, again.frame(last))
    assert np.array_equal(truth.boxes, again.truth.boxes)
    # No face is in two places of one frame under one track.
    assert len(np.unique(np.stack([truth.track, truth.frames], axis=1), axis=0)) == len(truth)
