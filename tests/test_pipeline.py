"""The stages joined: nothing passes that nobody looked at, and nothing depends on thread timing."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from faceveil.errors import CoverageError, InputError
from faceveil.faces import FrameError, FrameFaces, Models
from faceveil.finding import analyse, follow
from faceveil.identity.select import Selection
from faceveil.media.frames import Planes
from faceveil.parallel import ordered_map
from faceveil.pipeline import decide
from faceveil.sequence.options import SequenceOptions
from faceveil.veiling import render_frames

MODELS = Models("fake", "fake", "sha256:" + "0" * 64, 0.5)
WIDTH, HEIGHT = 160, 120
FACE = np.array([40, 30, 80, 80], np.float32)


class PictureFrame:
    """A frame of noise, held in memory."""

    width, height = WIDTH, HEIGHT

    def __init__(self, number):
        self.number = number
        self.picture = np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)

    def rgb(self):
        return self.picture

    def planes(self):
        return Planes((self.picture,), 255)


class Clip:
    """A source of frames in memory."""

    path, kind, width, height = Path("clip.mp4"), "video", WIDTH, HEIGHT
    rate = Fraction(25)

    def __init__(self, count):
        self.frame_count = count
        self.problems = []

    def __iter__(self):
        return map(PictureFrame, range(self.frame_count))

    def digest(self):
        return "sha256:" + "1" * 64


class Kept:
    """A sink that keeps what it is given."""

    def __init__(self):
        self.frames = []

    def write(self, frame, changed):
        self.frames.append((frame.number, frame.picture.copy(), changed))


def faces(boxes=(FACE,), error=None, scores=None):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    count = len(boxes)
    return FrameFaces(
        WIDTH,
        HEIGHT,
        MODELS,
        boxes=boxes,
        scores=np.full(count, 0.9, np.float32) if scores is None else np.float32(scores),
        landmarks=np.zeros((count, 5, 2), np.float32),
        features=np.zeros((count, 4), np.float32),
        error=error,
    )


UNREADABLE = faces((), error=FrameError("unreadable", "cut off"))
NOBODY = faces(())


def rendered(per_frame, selection=None):
    clip, sink = Clip(len(per_frame)), Kept()
    found = follow(iter(enumerate(per_frame)), size=(WIDTH, HEIGHT))
    coverage = render_frames(clip, decide(found, clip, selection), sink)
    return sink.frames, coverage


def changed_part(number, picture):
    return float((picture != PictureFrame(number).picture).any(axis=2).mean())


def test_a_face_is_veiled_on_every_frame_and_the_rest_stays_bit_exact():
    frames, coverage = rendered([faces()] * 10)
    assert coverage.checked == 10
    for number, picture, changed in frames:
        assert changed
        outside = np.ones((HEIGHT, WIDTH), bool)
        outside[:110, 10:110] = False
        assert (picture[outside] == PictureFrame(number).picture[outside]).all()
        face = picture[30:80, 40:80], PictureFrame(number).picture[30:80, 40:80]
        assert (face[0] != face[1]).any(axis=2).mean() > 0.95


def test_a_frame_without_faces_is_not_touched():
    frames, _ = rendered([NOBODY] * 5)
    assert [changed for _, _, changed in frames] == [False] * 5


def test_an_unreadable_frame_is_veiled_whole_where_no_sequence_spans_it():
    frames, _ = rendered([NOBODY] * 40 + [UNREADABLE] + [NOBODY] * 5)
    share = [changed_part(number, picture) for number, picture, _ in frames]
    assert share[40] > 0.95
    assert share[39] == share[41] == 0


def test_an_unreadable_frame_inside_a_sequence_is_covered_by_it():
    frames, _ = rendered([faces()] * 5 + [UNREADABLE] + [faces()] * 5)
    number, picture, _ = frames[5]
    assert 0.05 < changed_part(number, picture) < 0.6
    assert (picture[35:75, 45:75] != PictureFrame(5).picture[35:75, 45:75]).any(axis=2).all()


def test_a_frame_that_the_analysis_never_saw_is_veiled_whole():
    found = follow(iter(enumerate([NOBODY] * 5)), size=(WIDTH, HEIGHT))
    sink = Kept()
    render_frames(Clip(7), decide(found, Clip(5)), sink)
    assert [changed_part(number, picture) > 0.95 for number, picture, _ in sink.frames] == [
        *[False] * 5,
        *[True] * 2,
    ]


def test_a_missed_frame_between_detections_is_veiled():
    frames, _ = rendered([faces(() if number in (4, 5) else (FACE,)) for number in range(10)])
    assert all(changed for _, _, changed in frames)


def test_nobody_veiled_touches_nothing():
    frames, _ = rendered([faces()] * 3, Selection("none"))
    assert [changed for _, _, changed in frames] == [False] * 3


def test_pruning_a_detected_face_is_a_breach_and_nothing_is_written():
    options = SequenceOptions(min_length=5, prune_detected=True, extension=0)
    per_frame = [NOBODY, faces(), NOBODY, NOBODY]
    found = follow(iter(enumerate(per_frame)), options, size=(WIDTH, HEIGHT))
    sink = Kept()
    with pytest.raises(CoverageError, match="frame 1"):
        render_frames(Clip(4), decide(found, Clip(4)), sink)
    assert sink.frames == []


def test_a_source_without_frames_is_refused():
    with pytest.raises(InputError, match="no frame"):
        analyse(Clip(0), lambda image: NOBODY)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_number_of_workers_changes_nothing(workers):
    def analyzer(image):
        return faces((FACE + image[0, 0, 0] / 50,))

    found = analyse(Clip(30), analyzer, workers=workers)
    once = analyse(Clip(30), analyzer, workers=1)
    np.testing.assert_array_equal(found.sequences[0].boxes, once.sequences[0].boxes)
    np.testing.assert_array_equal(found.detections.boxes, once.detections.boxes)


def test_ordered_map_keeps_order_and_bounds_what_is_in_flight():
    started = []

    def items():
        for number in range(50):
            started.append(number)
            yield number

    for done, result in enumerate(ordered_map(lambda number: number * 2, items(), workers=3)):
        assert result == done * 2
        assert len(started) <= done + 6
    assert len(started) == 50


def test_ordered_map_passes_an_error_on_and_stops():
    def fail(number):
        if number == 3:
            raise InputError("broken")
        return number

    results = ordered_map(fail, iter(range(1000)), workers=2)
    with pytest.raises(InputError, match="broken"):
        list(results)
