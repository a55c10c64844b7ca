"""Who stays visible in a stream: by photo, or because she stands in the foreground."""

from itertools import pairwise

import numpy as np
import pytest

from faceveil.faces import FaceSequence
from faceveil.identity.references import References
from faceveil.identity.select import Selection
from faceveil.live.foreground import Foreground
from faceveil.live.gallery import MOST_SAMPLES, Gallery
from faceveil.live.load import LoadControl
from faceveil.live.metrics import Metrics, MetricsServer
from faceveil.live.options import LiveOptions
from faceveil.live.pace import Pace
from faceveil.live.run import LiveRun
from faceveil.live.sources import LiveSource
from testkit.live_streams import Kept
from testkit.marked_faces import COLOURS, Disc, marked_analyzer, write_marked
from testkit.synthetic_people import sequence, still_box


class EveryThird(LoadControl):
    def __init__(self):
        super().__init__(1)
        self._stride = 3

    def looked(self, seconds, rate, now):
        pass


def ran(tmp_path, frames, discs, size=(320, 180), selection=None, **options):
    """What left a run that no clock hurries."""
    source = write_marked(tmp_path / "in.mp4", frames, discs, size)
    sink = Kept()
    live = LiveOptions(workers=1, **options)
    LiveRun(
        LiveSource(str(source)), sink, marked_analyzer, live, selection, paced=False,
        load=EveryThird(),
    ).run()  # fmt: skip
    return sink.images


def is_bare(image, person):
    """Whether a good part of this person's face is visible."""
    near = np.abs(image.astype(np.int16) - np.array(COLOURS[person])).max(axis=2) < 100
    return int(near.sum()) > 60


def photo_of(person):
    features = np.eye(8, dtype=np.float32)[[person]]
    return References(("kept",), features, np.zeros(1, np.int32), ())


def test_the_person_of_a_photo_stays_visible_and_no_one_else(tmp_path):
    """Also where another passes in front, and when she comes back after she left."""

    def discs(number):
        kept = [] if 60 <= number < 100 else [Disc(0, 90, 90, 30)]
        return [*kept, Disc(1, 320 - 3 * number, 110, 26)]

    selection = Selection("keep", references=photo_of(0))
    images = ran(tmp_path, 150, discs, selection=selection)
    kept = [is_bare(image, 0) for image in images]
    assert not any(is_bare(image, 1) for image in images)
    assert np.mean(kept[:20]) > 0.9
    assert np.mean(kept[130:]) > 0.9


def interview(number):
    """The subject sits large in the middle; two pass by, one of them near and as large."""
    return [
        Disc(1, 20 + 1.25 * number, 30, 10),
        Disc(0, 165 + 3 * np.sin(number / 8), 100, 29),
        Disc(2, -40 + 5 * (number - 80), 80, 30),
    ]


def test_the_foreground_stays_visible_and_no_one_who_passes(tmp_path):
    """The one who passes near hides the subject for a while: both are then veiled."""
    images = ran(tmp_path, 225, interview, keep_foreground=True)
    assert sum(is_bare(image, 1) for image in images) == 0
    assert sum(is_bare(image, 2) for image in images) <= 2
    kept = [is_bare(image, 0) for image in images]
    assert np.mean(kept[60:75]) > 0.9
    assert np.mean(kept[212:]) > 0.9
    assert sum(one != two for one, two in pairwise(kept)) <= 6  # no flicker


@pytest.mark.parametrize(
    ("size", "x", "step", "inside"),
    [
        (200, 640, 0, True),
        (60, 640, 0, False),  # small
        (200, 1250, 0, False),  # at the edge
        (200, 200, 12, False),  # walking through
    ],
)
def test_the_foreground_is_large_central_and_steady(size, x, step, inside):
    frames = range(75)
    boxes = still_box(75, x - size / 2, 250, size)
    boxes[:, [0, 2]] += step * np.arange(75)[:, None]
    found = Foreground().update([sequence(frames, boxes)], [7], 1280, 720, 25.0, list(frames))
    assert (found == {7}) is inside


def test_a_short_appearance_is_not_in_the_foreground():
    boxes = still_box(30, 540, 250, 200)
    found = Foreground().update([sequence(range(45, 75), boxes)], [7], 1280, 720, 25.0, range(75))
    assert found == set()


def seen(person, first, count=30):
    """A clear sequence of one person, with a sample every other frame."""
    whole = sequence(range(first, first + count), still_box(count), person=person)
    frames = whole.frames[::2]
    return FaceSequence(
        frames=whole.frames,
        boxes=whole.boxes,
        scores=whole.scores,
        provenance=whole.provenance,
        feature_frames=frames,
        feature_quality=np.full(len(frames), 60.0, np.float32),
        features=np.repeat(whole.features, len(frames), axis=0),
    )


def test_a_person_keeps_her_number_until_she_is_forgotten():
    gallery = Gallery(forget=100.0)
    first = gallery.identify([seen(3, 0)], [0], None, 0.0)
    gallery.remember([seen(3, 0)], first, 0, 30)
    assert gallery.identify([], [], None, 50.0) == []
    assert gallery.identify([seen(3, 0)], [1], None, 90.0) == first
    assert gallery.identify([seen(5, 0)], [2], None, 95.0) != first
    gallery.identify([], [], None, 300.0)
    assert len(gallery) == 0
    assert gallery.identify([seen(3, 0)], [4], None, 301.0) != first


def test_a_track_that_goes_over_to_another_face_is_another_person():
    """Otherwise a person who walks in front of one kept by a click would be kept as well."""
    gallery = Gallery(forget=100.0)
    first = gallery.identify([seen(3, 0)], [0], None, 0.0)
    gallery.remember([seen(3, 0)], first, 0, 30)
    assert gallery.identify([seen(3, 0)], [0], None, 1.0) == first
    other = gallery.identify([seen(5, 0)], [0], None, 2.0)
    assert other != first
    gallery.remember([seen(5, 0)], other, 30, 30)
    assert gallery.identify([seen(3, 0)], [0], None, 3.0) == first, "she comes back"


def test_two_faces_in_one_frame_are_two_people():
    gallery = Gallery(forget=100.0)
    one, other = gallery.identify([seen(3, 0), seen(3, 0)], [0, 1], None, 0.0)
    assert one != other


def test_what_is_remembered_of_a_person_is_bounded_and_is_no_text():
    gallery = Gallery(forget=1e9)
    for turn in range(40):
        track = [seen(3, 0)]
        people = gallery.identify(track, [turn], None, float(turn))
        gallery.remember(track, people, 30 * turn, 30)
    (memory,), _ = gallery.memories(people, 10_000)
    assert len(memory) <= MOST_SAMPLES
    assert "0." not in repr(gallery)


def test_load_gives_way_in_order_and_comes_back_slowly():
    """Fewer looks at once; a smaller picture only where that is not enough; back after calm."""
    load, now, steps = LoadControl(1), 0.0, []
    for seconds in [0.02] * 20 + [0.12] * 60 + [0.5] * 400:
        now += 0.2
        load.looked(seconds * load.scale**2, 30.0, now)
        steps.append((load.stride, load.scale))
    assert steps[10] == (1, 1.0)
    assert steps[75] == (5, 1.0)
    assert steps[-1][1] == 0.5
    assert all(stride <= 8 for stride, _ in steps)
    for _ in range(600):
        now += 0.2
        load.looked(0.02 * load.scale**2, 30.0, now)
        steps.append((load.stride, load.scale))
    assert steps[-1] == (1, 1.0)
    changes = sum(one != two for one, two in pairwise(steps))
    assert changes < 40


def test_the_clock_follows_jumps_and_never_goes_back():
    pace, now, shown = Pace(), 100.0, []
    for stamp in [0.0, 0.04, 0.08, 50.0, 50.04, 2.0, 2.04]:
        now += 0.04
        shown.append(pace.shown(stamp, now))
    times = [seconds for seconds, _ in shown]
    assert times == sorted(times)
    assert [jumped for _, jumped in shown] == [True, False, False, True, False, True, False]
    assert abs(pace.heard(2.08, now) - (times[-1] + 0.04)) < 1e-6


def test_prometheus_reads_the_metrics():
    import urllib.request

    metrics = Metrics()
    metrics.count("frames_in", 3)
    server = MetricsServer(metrics, 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
            text = answer.read().decode()
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "faceveil_live_frames_in_total 3\n" in text
        for line in text.splitlines():
            assert line.startswith("# ") or len(line.split()) == 2
    finally:
        server.close()
