"""Faults of every kind in streams that run by the clock: no face may leave, whatever happens.

Machines that run these tests are busy, so how much was shown depends on them; that nothing bare
left does not.
"""

import multiprocessing
import os
import signal
from functools import partial
from itertools import chain, pairwise

import pytest

from faceveil.live.options import LiveOptions
from testkit.live_streams import LONGEST, endless, frames, running, sounds, until
from testkit.marked_faces import RATE, marked_analyzer

pytestmark = pytest.mark.slow
DELAY = 0.6


def test_a_stream_leaves_veiled_after_the_delay():
    """The ground that the tests below stand on: pictures are shown, and change."""
    with running(frames(0, 100, 0.0), delay=DELAY) as (_, sink, thread):
        thread.join(LONGEST)
    assert sink.bare == 0
    assert sink.shown > 20
    assert sink.seconds == sorted(sink.seconds)


def test_a_detector_that_is_killed_is_replaced_and_nothing_bare_is_shown():
    with running(endless(), delay=DELAY) as (run, sink, _):
        until(lambda: sink.shown > 5, "pictures before the fault")
        os.kill(run.looks.detectors[0].pid, signal.SIGKILL)
        until(lambda: run.metrics.values()["detectors_lost"] == 1, "the loss is noticed")
        until(lambda: any(sink.blank[-3:]), "the picture goes blank")
        count = len(sink.images)
        until(lambda: not any(sink.blank[-2:]) and len(sink.images) > count, "it comes back")
    assert sink.bare == 0


def test_the_picture_is_blank_while_the_detector_hangs(tmp_path):
    hang = tmp_path / "hang"
    with running(endless(), partial(marked_analyzer, hang=hang), delay=DELAY) as (run, sink, _):
        until(lambda: sink.shown > 5, "pictures before the fault")
        hang.touch()
        until(lambda: all(sink.blank[-5:]), "the picture goes blank")
        assert run.looks.is_blind(sink.left[-1])
        hang.unlink()
        until(lambda: not any(sink.blank[-2:]), "it comes back")
    assert sink.bare == 0


def test_a_detector_that_hangs_for_good_is_replaced(tmp_path, monkeypatch):
    hang = tmp_path / "hang"
    monkeypatch.setattr("faceveil.live.looks.HANG_SECONDS", 1.0)
    with running(endless(), partial(marked_analyzer, hang=hang), delay=DELAY) as (run, sink, _):
        until(lambda: sink.shown > 5, "pictures before the fault")
        before = run.looks.detectors[0].pid
        hang.touch()
        until(lambda: run.looks.detectors[0].pid not in (before, None), "another process")
        hang.unlink()
        until(lambda: not any(sink.blank[-2:]), "it comes back")
    assert sink.bare == 0


def test_half_a_second_without_frames():
    steps = chain(frames(0, 50, 0.0), [0.5], frames(50, 50, 2.5))
    with running(steps, delay=DELAY) as (_, sink, thread):
        thread.join(LONGEST)
    assert sink.bare == 0
    assert sink.shown > 10


def test_a_source_that_is_silent_for_long_leaves_something_to_look_at():
    steps = chain(frames(0, 40, 0.0), [2.5], frames(40, 40, 4.1))
    with running(steps, delay=DELAY) as (_, sink, thread):
        thread.join(LONGEST)
    gaps = [two - one for one, two in pairwise(sink.left)]
    assert sink.bare == 0
    assert len(sink.images) > 8
    assert max(gaps) < 2.4


@pytest.mark.parametrize("jump", [500.0, -500.0, 3.0])
def test_time_stamps_that_jump(jump):
    steps = chain(frames(0, 50, 1000.0), frames(50, 50, 1002.0 + jump))
    with running(steps, delay=DELAY) as (_, sink, thread):
        thread.join(LONGEST)
    assert sink.bare == 0
    assert sink.seconds == sorted(sink.seconds)
    assert sink.seconds[-1] - sink.seconds[0] < 60  # times of the run, not of the source


def test_a_size_that_changes():
    steps = chain(
        frames(0, 40, 0.0),
        frames(40, 40, 1.6, size=(640, 360)),
        frames(80, 40, 3.2, size=(200, 240)),
    )
    with running(steps, delay=DELAY) as (_, sink, thread):
        thread.join(LONGEST)
    assert sink.bare == 0
    assert {image.shape for image in sink.images} == {(180, 320, 3)}


def test_sound_alone_for_a_while():
    steps = chain(frames(0, 40, 0.0), sounds(40, 40, 1.6), frames(80, 40, 3.2))
    with running(steps, delay=DELAY, has_sound=True) as (_, sink, thread):
        thread.join(LONGEST)
    assert sink.bare == 0
    assert len(sink.heard) > 20


def burn():
    while True:
        pass


def test_the_processor_is_taken_away():
    """Busy loops on every core: what cannot be done in time is not shown."""
    busy = [multiprocessing.Process(target=burn, daemon=True) for _ in range(4)]
    with running(endless(), partial(marked_analyzer, 0.1), delay=DELAY) as (run, sink, _):
        until(lambda: sink.shown > 3, "pictures before the fault")
        for process in busy:
            process.start()
        count = run.metrics.values()["frames_in"] + 4 * RATE
        until(lambda: run.metrics.values()["frames_in"] > count, "frames under load")
        for process in busy:
            process.kill()
        until(lambda: not any(sink.blank[-2:]), "pictures after the fault")
    assert sink.bare == 0


@pytest.mark.parametrize("on_overload", ["freeze", "blank"])
def test_a_detector_that_is_far_too_slow(on_overload):
    """With a look every 0.9 s no frame has two near enough: nothing but replacements is shown."""
    build = partial(marked_analyzer, 0.9)
    with running(endless(), build, delay=1.0, on_overload=on_overload) as (run, sink, _):
        until(lambda: len(sink.images) > 4 * RATE, "frames")
    values = run.metrics.values()
    assert sink.bare == 0
    assert values["frames_frozen"] + values["frames_blanked"] > 0
    if on_overload == "blank":
        assert values["frames_frozen"] == 0


def test_a_face_that_no_look_sees_is_what_the_checks_would_find():
    """The check itself can fail: a detector that is blind to a person lets her through."""
    build = partial(marked_analyzer, blind_to=0)
    with running(frames(0, 60, 0.0), build, delay=DELAY) as (_, sink, thread):
        thread.join(LONGEST)
    assert sink.bare > 0


def test_a_bounded_window_drops_what_is_too_much():
    """Frames that come faster than they can leave are refused, not held."""
    from faceveil.live.window import Window
    from faceveil.media.decoded_frame import DecodedFrame
    from faceveil.media.layout import layout_of

    window = Window(LiveOptions().delay, most=20)
    taken = []
    for item in frames(0, 40, 0.0):
        picture = DecodedFrame(0, item.frame, layout_of(item.frame))
        taken.append(window.push(picture, item.stamp, item.stamp))
    assert taken == [True] * 20 + [False] * 20
    assert window.waiting == window.remembered == 20
