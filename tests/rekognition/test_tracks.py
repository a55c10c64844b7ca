"""Times to frames, indexes to tracks, whatever the frame rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.errors import InputError
from faceveil.rekognition.sightings import read_sightings
from faceveil.rekognition.tracks import Timeline, track
from testkit.made_search import look

SIZE = 640, 360
BOX = (100, 80, 180, 190)


def timeline(count=200, rate=25.0, shot_starts=(0,)):
    return Timeline(1000 * np.arange(count) / rate, np.array(shot_starts, np.int32))


def tracks_of(looks, time, max_gap=12, people=0):
    return track(read_sightings([{"Persons": looks}], people), time, SIZE, max_gap)


def every(milliseconds, index, box=BOX):
    return [look(time, index, box, SIZE) for time in milliseconds]


def frames_of(tracks):
    return [sequence.frames.tolist() for sequence in tracks.built.sequences]


@pytest.mark.parametrize("rate", [10, 23.976, 24, 25, 29.97, 30, 50, 59.94, 60, 120, 240])
@pytest.mark.parametrize("whole", [np.floor, np.rint, np.ceil])
def test_times_become_the_frames_they_were_made_of(rate, whole):
    """However Rekognition makes whole milliseconds of times."""
    time = timeline(5000, rate)
    frames = time.frames_at(whole(time.times).astype(np.int64))
    assert frames.tolist() == list(range(5000))


@given(st.lists(st.integers(4, 5000), min_size=1, max_size=40), st.integers(0, 100_000))
def test_with_a_variable_rate_it_is_the_frame_that_is_shown(durations, moment):
    times = np.concatenate([[0], np.cumsum(durations)]).astype(float)
    moment = min(moment, int(times[-1]))
    frame = int(Timeline(times, np.zeros(1, np.int32)).frames_at(np.array([moment]))[0])
    assert times[frame] <= moment + 1
    assert frame == len(durations) or moment + 1 < times[frame + 1]


def test_relative_becomes_pixels_cut_at_the_edge():
    beyond = (-61, 49, 39, 299)
    tracks = tracks_of(every([0, 40], 3, beyond), timeline())
    np.testing.assert_allclose(tracks.built.sequences[0].boxes, [[0, 49, 39, 299]] * 2, atol=1e-3)
    assert not tracks_of(every([0], 3, (-90, 10, -10, 90)), timeline()).built.sequences


def test_an_index_is_a_track_and_two_people_in_a_frame_are_two():
    looks = every([0, 40, 80], 7) + every([40, 80], 2, (300, 80, 380, 190))
    tracks = tracks_of(looks, timeline())
    assert frames_of(tracks) == [[0, 1, 2], [1, 2]]
    assert len(set(tracks.identity.tolist())) == 2
    twice = every([0, 40], 7) + every([0, 40], 7, (300, 80, 380, 190))
    tracks = tracks_of(twice, timeline())
    assert frames_of(tracks) == [[0, 1], [0, 1]]
    assert len(set(tracks.identity.tolist())) == 2


def test_long_gaps_split_and_a_missed_look_does_not():
    times = [0, 500, 1000, 2000, 2500, 5000, 5500]
    tracks = tracks_of(every(times, 1), timeline())
    assert tracks.interval == 12
    assert frames_of(tracks) == [[0, 12, 25, 50, 62], [125, 137]]
    close = tracks_of(every([0, 40, 80, 600, 640, 680], 1), timeline())
    assert close.interval == 1
    assert frames_of(close) == [[0, 1, 2], [15, 16, 17]]


def test_no_track_crosses_a_shot_transition():
    tracks = tracks_of(every([0, 40, 80, 120], 1), timeline(shot_starts=(0, 2)))
    assert frames_of(tracks) == [[0, 1], [2, 3]]
    assert [sequence.shot for sequence in tracks.built.sequences] == [0, 1]


def test_a_frame_shown_for_long_and_seen_often_has_one_box_around_all():
    time = Timeline(np.array([0.0, 40, 3000]), np.zeros(1, np.int32))
    looks = every([40, 500], 1) + every([1000], 1, (120, 80, 200, 190))
    tracks = tracks_of(looks, time)
    assert frames_of(tracks) == [[1]]
    np.testing.assert_allclose(tracks.built.sequences[0].boxes, [[100, 80, 200, 190]], atol=1e-3)
    assert len(tracks.built.detections) == 3


def test_sequences_come_in_order_and_detections_name_theirs():
    looks = every([400, 440], 1) + every([0, 40, 440], 9, (300, 80, 380, 190))
    tracks = tracks_of(looks, timeline())
    sequences, log = tracks.built.sequences, tracks.built.detections
    assert [sequence.first for sequence in sequences] == [0, 10]
    assert (np.diff(log.frames) >= 0).all()
    for frame, box, number in zip(log.frames, log.boxes, log.sequence, strict=True):
        np.testing.assert_array_equal(sequences[number].box_at(frame), box)


def test_another_video_and_other_faces_are_errors():
    with pytest.raises(InputError, match="searched another video"):
        tracks_of(every([60_000], 1), timeline())
    with pytest.raises(InputError, match="not searched for"):
        read_sightings([{"Persons": [look(0, 1, BOX, SIZE, {"somebody": 99.0})]}], 1)


def test_nobody_and_bodies_without_a_face():
    for looks in ([], [look(0, 1, None, SIZE)]):
        tracks = tracks_of(looks, timeline())
        assert tracks.built.sequences == []
        assert len(tracks.built.detections) == 0


def test_similarities_are_the_best_photo_of_each_person():
    match = look(0, 1, BOX, SIZE, {"person-1": 91.0, "person-0": 85.0})
    match["FaceMatches"] += look(0, 1, BOX, SIZE, {"person-1": 97.0})["FaceMatches"]
    match["FaceMatches"] += look(0, 1, BOX, SIZE, {"person-1": 93.0})["FaceMatches"]
    looks = read_sightings([{"Persons": [match]}, {"Persons": every([40], 1)}], 2)
    np.testing.assert_allclose(looks.similarity, [[0.85, 0.97], [0, 0]], atol=1e-6)
