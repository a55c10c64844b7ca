"""Tracking covers what detection left open, within the shot, from few pictures."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.boxes import iou
from faceveil.errors import UsageError
from faceveil.faces import FaceSequence, Provenance
from faceveil.sequence.interpolate import interpolate
from faceveil.tracking.track import MOST_FRAMES, TrackOptions, shrink_factor, track_sequences
from testkit.flow_pictures import HEIGHT, WIDTH, boxes, draw

COUNT = 60
TIME = np.arange(COUNT)
SWAYING = boxes(150 + 40 * np.sin(TIME / 5), 120 + 20 * np.cos(TIME / 4), 40)


def seen(frames, path=SWAYING, shot=0):
    """A sequence that was detected in these frames of a path."""
    frames = np.array(frames, np.int32)
    return FaceSequence(
        frames=frames,
        boxes=path[frames],
        scores=np.full(len(frames), 0.9, np.float32),
        provenance=np.full(len(frames), Provenance.DETECTED, np.uint8),
        shot=shot,
    )


def run(sequence, path=SWAYING, starts=(0,), seconds=1.0, rate=25, **more):
    wanted = []

    def pictures(mask):
        wanted[:] = np.flatnonzero(mask).tolist()
        return ((number, draw(path[number])) for number in wanted)

    (tracked,) = track_sequences(
        [sequence],
        np.array(starts, np.int32),
        len(path),
        pictures,
        (WIDTH, HEIGHT),
        TrackOptions(seconds),
        rate=rate,
        **more,
    )
    known = np.isin(tracked.frames, sequence.frames)
    np.testing.assert_array_equal(tracked.boxes[known], sequence.boxes)
    np.testing.assert_array_equal(tracked.provenance[known], sequence.provenance)
    assert (np.diff(tracked.frames) > 0).all()
    return tracked, wanted


def test_both_ends_are_followed_as_far_as_told():
    tracked, wanted = run(seen(range(28, 32)), seconds=0.8)
    assert tracked.frames.tolist() == list(range(8, 52))
    assert iou(tracked.boxes, SWAYING[8:52]).min() > 0.7
    guessed = tracked.provenance != Provenance.DETECTED
    assert set(tracked.provenance[guessed]) == {Provenance.EXTENDED}
    assert wanted == [*range(8, 29), *range(31, 52)]


def test_no_track_leaves_its_shot():
    tracked, wanted = run(seen(range(28, 32), shot=1), starts=(0, 25, 40))
    assert (tracked.first, tracked.last) == (25, 39)
    assert min(wanted) == 25
    assert max(wanted) == 39


def test_a_gap_is_bridged_where_the_face_went_not_in_a_straight_line():
    sequence = seen([*range(10), *range(36, 60)])
    tracked, _ = run(sequence)
    assert tracked.frames.tolist() == list(range(60))
    inside = slice(10, 36)
    assert set(tracked.provenance[inside]) == {Provenance.INTERPOLATED}
    assert iou(tracked.boxes[inside], SWAYING[inside]).min() > 0.7
    straight = interpolate(sequence, "linear").boxes
    assert iou(straight[inside], SWAYING[inside]).min() < 0.3


def test_a_gap_longer_than_the_reach_is_entered_from_both_sides():
    tracked, _ = run(seen([*range(10), *range(50, 60)]), seconds=0.4)
    assert tracked.frames.tolist() == [*range(20), *range(40, 60)]
    assert iou(tracked.boxes, SWAYING[tracked.frames]).min() > 0.7


def test_a_gap_in_which_nobody_looked_is_left_to_interpolation():
    looked = np.zeros(COUNT, bool)
    looked[::10] = True
    sequence = seen(range(0, 60, 10))
    assert run(sequence, analysed=looked)[1] == list(range(50, 60))  # after its end only
    missed = seen([0, 10, 30, 40, 50])
    assert run(missed, analysed=looked)[1] == [*range(10, 31), *range(50, 60)]


def test_a_track_that_goes_astray_counts_for_its_first_half():
    elsewhere = seen([*range(10), *range(30, 60)])
    far = elsewhere.boxes.copy()
    far[10:] += 500
    tracked, _ = run(replace(elsewhere, boxes=far))
    assert tracked.frames.tolist() == [*range(20), *range(30, 60)]
    assert iou(tracked.boxes[10:20], SWAYING[10:20]).min() > 0.7


def test_short_gaps_and_whole_shots_need_no_picture():
    calls = []
    whole = seen([frame for frame in range(COUNT) if frame % 3])
    whole = replace(whole, frames=whole.frames - 1)
    last = len(SWAYING) - 1

    def pictures(mask):
        calls.append(mask)
        return []

    out = track_sequences(
        [seen(range(last + 1))], np.array([0]), last + 1, pictures, (WIDTH, HEIGHT)
    )
    assert len(out[0]) == last + 1
    assert not calls


def test_a_picture_that_is_missing_ends_the_track():
    sequence = seen(range(20, 30))

    def pictures(mask):
        return ((n, draw(SWAYING[n])) for n in np.flatnonzero(mask).tolist() if n not in (15, 40))

    (tracked,) = track_sequences(
        [sequence], np.array([0]), COUNT, pictures, (WIDTH, HEIGHT), TrackOptions(0.6), rate=25
    )
    assert tracked.frames.tolist() == list(range(16, 40))


def test_smaller_pictures_give_boxes_of_the_frame():
    sequence = seen(range(28, 32))
    large = replace(sequence, boxes=sequence.boxes * 2)

    def pictures(mask):
        return ((number, draw(SWAYING[number])) for number in np.flatnonzero(mask).tolist())

    (tracked,) = track_sequences([large], np.array([0]), COUNT, pictures, (2 * WIDTH, 2 * HEIGHT))
    assert iou(tracked.boxes, 2 * SWAYING[tracked.frames]).min() > 0.7


@given(st.sets(st.integers(0, COUNT - 1), min_size=1), st.integers(1, COUNT - 1), st.data())
@settings(deadline=None, max_examples=30)
def test_pictures_are_asked_for_only_within_reach_and_known_boxes_stay(frames, cut, data):
    frames = sorted(frame for frame in frames if frame < cut) or [0]
    seconds = data.draw(st.sampled_from([0.2, 1.0]))
    tracked, wanted = run(seen(frames), starts=(0, cut), seconds=seconds)
    reach = round(seconds * 25)
    apart = np.abs(np.array(wanted)[:, None] - np.array(frames)).min(axis=1)
    assert (apart <= reach).all()
    assert (np.array(wanted) < cut).all()
    assert tracked.last < cut


def test_how_far_is_bounded_in_frames():
    assert TrackOptions(2.0).frames(25) == 50
    assert TrackOptions(2.0).frames(120) == MOST_FRAMES
    assert TrackOptions(0.1).frames(2) == 1
    assert TrackOptions().frames(None) == 25


@pytest.mark.parametrize(("height", "factor"), [(100, 1), (540, 1), (720, 1), (1080, 2), (2160, 4)])
def test_pictures_are_shrunk_to_about_540_lines(height, factor):
    assert shrink_factor(height) == factor


@pytest.mark.parametrize("values", [(0.0, 3), (11.0, 3), (float("nan"), 3), (1.0, 0)])
def test_options_that_make_no_sense_are_refused(values):
    with pytest.raises(UsageError):
        TrackOptions(*values)
