"""Sampling looks at few frames, but never leaves a disagreement or a shot boundary unseen."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.errors import InputError, UsageError
from faceveil.faces import FrameFaces
from faceveil.sampling.adaptive import STRETCHES_AT_ONCE, SamplingOptions, halving, sample


def looked(number):
    """A frame's number as if it were the result of detection."""
    return FrameFaces(number, 1)


def nothing_between(before, after, frames):
    """No frame is needed between any two."""


def run(new_shots, states, options=None, **more):
    """Numbers of the frames looked at; `states` are what each frame shows."""
    calls = []

    def look(number):
        calls.append(number)
        return looked(number)

    def agree(before, after, gap):
        assert after.width - before.width == gap >= 2
        return states[before.width] == states[after.width]

    frames = list(enumerate(new_shots))
    sampled = list(sample(frames, look, options, next_frame=halving(agree), **more))
    assert [one.item for one in sampled] == [number for number, _ in frames]
    assert [one.item for one in sampled if one.new_shot] == [
        number for number, new_shot in frames if new_shot or number == 0
    ]
    for one in sampled:
        assert one.faces is None or one.faces.width == one.item
    seen = [one.item for one in sampled if one.faces is not None]
    assert sorted(calls) == seen  # nothing twice, nothing in vain
    return seen


videos = st.integers(0, 120).flatmap(
    lambda count: st.tuples(
        st.lists(st.sampled_from([False] * 9 + [True]), min_size=count, max_size=count),
        st.lists(st.sampled_from([0] * 9 + [1]), min_size=count, max_size=count).map(
            lambda steps: np.cumsum(steps, dtype=int).tolist()
        ),
    )
)
bounds = st.tuples(st.integers(1, 8), st.integers(0, 12)).map(
    lambda pair: SamplingOptions(pair[0], sum(pair))
)


@given(videos, bounds)
@settings(deadline=None)
def test_boundaries_are_looked_at_intervals_bounded_and_disagreements_resolved(video, options):
    new_shots, states = video
    seen = set(run(new_shots, states, options))
    last = -1
    for number, new_shot in enumerate(new_shots):
        if new_shot or number == 0:
            assert number in seen
            assert number == 0 or number - 1 in seen
            last = number
        elif number in seen:
            gap = number - last
            assert gap <= options.longest
            assert gap == 1 or states[last] == states[number]
            last = number
    assert not new_shots or len(new_shots) - 1 in seen


@given(st.integers(2, 400), bounds)
@settings(deadline=None)
def test_where_all_agrees_the_interval_grows_to_the_longest(count, options):
    seen = run([False] * count, [0] * count, options)
    growing = 12  # each of the first steps grows the interval by half
    assert len(seen) <= 2 + growing + count / options.longest


@given(st.integers(1, 300), st.data())
@settings(deadline=None)
def test_one_change_costs_only_what_halving_costs(count, data):
    options = SamplingOptions(4, 12)
    change = data.draw(st.integers(0, count))
    states = [int(number >= change) for number in range(count)]
    seen = run([False] * count, states, options)
    # halving 12 takes 4 looks; the intervals are short at the start and after the change
    assert len(seen) <= 2 + 2 * 6 + 4 + count / options.longest


def test_where_nothing_agrees_every_frame_is_looked_at_once():
    assert run([False] * 50, list(range(50))) == list(range(50))


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_the_number_of_workers_changes_nothing(workers):
    random = np.random.default_rng(3)
    states = np.cumsum(random.random(200) < 0.05).tolist()
    new_shots = (random.random(200) < 0.02).tolist()
    assert run(new_shots, states, workers=workers) == run(new_shots, states, workers=1)


def test_few_frames_are_held():
    options = SamplingOptions(4, 12)
    taken = 0

    def frames():
        nonlocal taken
        for number in range(500):
            taken += 1
            yield number, number % 90 == 0

    for done, _ in enumerate(sample(frames(), looked, options, next_frame=nothing_between), 1):
        assert taken - done <= STRETCHES_AT_ONCE * options.longest


def test_frames_are_looked_at_by_several_threads_at_once():
    both = threading.Barrier(2, timeout=20)

    def look(number):
        if number in (0, 4):
            both.wait()
        return looked(number)

    frames = [(number, False) for number in range(20)]
    assert len(list(sample(frames, look, next_frame=nothing_between, workers=2))) == 20


def test_an_error_while_looking_is_passed_on():
    def look(number):
        if number > 30:
            raise InputError("broken")
        return looked(number)

    with pytest.raises(InputError, match="broken"):
        list(sample(((n, False) for n in range(100)), look, next_frame=nothing_between))


@pytest.mark.parametrize(
    ("rate", "expected"), [(25, (4, 12)), (None, (4, 12)), (10, (4, 5)), (4, (2, 2)), (1, (1, 1))]
)
def test_the_interval_is_bounded_in_seconds_too(rate, expected):
    assert SamplingOptions(4, 12, 0.5).bounds(rate) == expected


@pytest.mark.parametrize("values", [(0, 5, 1), (5, 4, 1), (1, 5, 0), (1, 5, float("nan"))])
def test_options_that_make_no_sense_are_refused(values):
    with pytest.raises(UsageError):
        SamplingOptions(*values)
