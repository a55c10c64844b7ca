"""What leaves a live run, when frames leave as soon as they are ready: no clock is involved."""

import threading
import time

import numpy as np
import pytest

from faceveil.live.load import LoadControl
from faceveil.live.options import LiveOptions
from faceveil.live.run import LiveRun
from faceveil.live.sinks import open_sink
from faceveil.live.sources import LiveSource
from testkit.live_streams import Kept, Script, frames
from testkit.marked_faces import (
    bare_pixels,
    marked_analyzer,
    pictures,
    two_people,
    write_marked,
)


class EveryNth(LoadControl):
    """Looks at every nth frame, at full size, whatever it takes."""

    def __init__(self, stride):
        super().__init__(1)
        self._stride = stride

    def looked(self, seconds, rate, now):
        pass


def veiled(tmp_path, frames=60, discs=two_people, stride=3, build=marked_analyzer, **options):
    """The frames of a clip after a run, and its metrics."""
    source = write_marked(tmp_path / "in.mp4", frames, discs)
    output = tmp_path / "out.mp4"
    selection = options.pop("selection", None)
    run = LiveRun(
        LiveSource(str(source)),
        open_sink(str(output)),
        build,
        LiveOptions(workers=1, **options),
        selection,
        paced=False,
        load=EveryNth(stride),
    )
    run.run()
    return list(pictures(output)), run.metrics.values()


@pytest.mark.parametrize("stride", [1, 3, 6])
def test_no_frame_shows_a_face_however_few_frames_are_looked_at(tmp_path, stride):
    """Faces move, cross, leave and come back; those between two looks are covered as well."""
    frames, values = veiled(tmp_path, stride=stride)
    assert [bare_pixels(frame) for frame in frames] == [0] * 60
    assert values["frames_out"] == values["frames_in"] == 60
    assert values["frames_frozen"] == values["frames_blanked"] == 0


def test_the_picture_around_the_faces_is_left_as_it_is(tmp_path):
    """A run that blanked everything would pass the test above."""
    frames, _ = veiled(tmp_path)
    originals = list(pictures(tmp_path / "in.mp4"))
    for before, after in zip(originals, frames, strict=True):
        same = np.abs(before.astype(int) - after.astype(int)).max(axis=2) < 24
        assert same.mean() > 0.7


def test_no_thread_outlives_a_run():
    """One that is in OpenCV while Python ends would abort the program, with exit code 134."""

    def slow_to_end():
        for item in frames(0, 50, 0.0):
            yield item
            if item.frame.pts == 9:
                run.stop()
                time.sleep(0.5)

    of_other_tests = set(threading.enumerate())
    run = LiveRun(
        Script(slow_to_end()), Kept(), marked_analyzer, LiveOptions(workers=1), paced=False
    )
    run.run()
    left = set(threading.enumerate()) - of_other_tests
    assert not [one.name for one in left if one.name.startswith("faceveil-")]
