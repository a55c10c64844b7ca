"""A blended veil takes the colours around it, and nothing of any face."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.boxes import sides
from faceveil.media.frames import Planes
from faceveil.veils.region import core, must_cover, outer
from faceveil.veils.render import veil_frame, veil_whole
from faceveil.veils.styles import VeilStyle
from tests.veils.test_render import HEIGHT, LAYOUTS, SEEDS, WIDTH, copied, samples_in

STYLE = VeilStyle("blend")
QUIET = VeilStyle("blend", noise=0)
FACE = np.array([[45, 30, 75, 62]], np.float32)


def without_alpha(plane):
    return plane[..., :-1] if plane.ndim == 3 and plane.shape[2] in (2, 4) else plane


boxes = st.lists(
    st.tuples(st.floats(-30, 110), st.floats(-30, 80), st.floats(1, 60), st.floats(1, 60)),
    min_size=1,
    max_size=4,
).map(lambda rows: np.array([[x, y, x + w, y + h] for x, y, w, h in rows], np.float32))


def in_ellipses(rectangles, plane, span):
    """bool [h, w]: the samples of which an ellipse of the frame touches any part."""
    height, width = plane.shape[:2]
    x, y = np.arange(width)[None, :] * span[0], np.arange(height)[:, None] * span[1]
    inside = np.zeros((height, width), bool)
    for rectangle in rectangles:
        (cx, cy), (rx, ry) = (rectangle[:2] + rectangle[2:]) / 2, sides(rectangle[None])[0] / 2
        near_x = np.clip(cx, x, x + span[0]) - cx
        near_y = np.clip(cy, y, y + span[1]) - cy
        inside |= (near_x / rx) ** 2 + (near_y / ry) ** 2 <= 1
    return inside


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=10)
@given(veiled=boxes, kept=boxes, seed=st.integers(0, 9))
def test_no_sample_of_any_face_shows_in_a_veil(layout, veiled, kept, seed):
    """Frames that differ under a veil, under others and in kept faces alone look the same in it."""
    one, other = copied(LAYOUTS[layout]), copied(LAYOUTS[layout])
    random = np.random.default_rng(seed)
    last = core(veiled[-1:], STYLE)
    others = outer(core(np.concatenate([veiled[:-1], kept]), STYLE), STYLE)
    for plane, span in zip(other.planes, other.subsampling, strict=True):
        hidden = in_ellipses(np.concatenate([last, others]), plane, span)
        plane[hidden] = random.integers(0, other.peak, plane[hidden].shape, endpoint=True)
    for frame in (one, other):
        veil_frame(frame, veiled, np.arange(len(veiled)), STYLE, kept)
    (box,) = must_cover(veiled[-1:], STYLE)
    for first, second, span in zip(one.planes, other.planes, one.subsampling, strict=True):
        part = samples_in(box, first, span)
        np.testing.assert_array_equal(without_alpha(first)[part], without_alpha(second)[part])


def test_a_veil_on_one_colour_cannot_be_seen():
    frame = np.full((HEIGHT, WIDTH, 3), (180, 90, 40), np.uint8)
    frame[36:56, 50:70] = 255
    veil_frame(Planes((frame,), 255), FACE, SEEDS, QUIET)
    assert np.abs(frame.astype(int) - (180, 90, 40)).max() <= 1


def test_a_veil_passes_from_one_side_to_the_other():
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame[:, 60:] = (200, 100, 50)
    veil_frame(Planes((frame,), 255), FACE, SEEDS, QUIET)
    middle = frame[46, 42:79, 0].astype(int)
    assert middle[0] < 50
    assert middle[-1] > 150
    assert np.diff(middle).min() >= -1


def test_a_kept_face_at_the_rim_gives_no_colour():
    frame = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    kept = np.array([[80, 30, 110, 62]], np.float32)
    frame[20:70, 76:116] = (255, 0, 0)
    veil_frame(Planes((frame,), 255), FACE, SEEDS, QUIET, kept)
    assert np.abs(frame[30:62, 45:75].astype(int) - 100).max() <= 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_where_no_colour_can_be_read_the_veil_is_grey(layout):
    """A face that fills the frame has nothing around it, and a whole frame has not, either."""
    everywhere = np.array([[-50, -50, WIDTH + 50, HEIGHT + 50]], np.float32)
    for veil in (
        lambda planes: veil_frame(planes, everywhere, SEEDS, QUIET),
        lambda planes: veil_whole(planes, 3, QUIET),
    ):
        frame = copied(LAYOUTS[layout])
        veil(frame)
        shown = without_alpha(frame.planes[0]).astype(float)
        assert np.abs(shown - (frame.peak + 1) / 2).max() <= 1


def test_a_face_among_faces_takes_the_colours_of_the_rest_of_the_frame():
    frame = np.full((HEIGHT, WIDTH), 77, np.uint8)
    around = np.array([[30, 10, 90, 80]], np.float32)
    frame[5:85, 25:95] = 255
    veil_frame(Planes((frame,), 255), FACE, SEEDS, QUIET, around)
    assert np.abs(frame[34:58, 50:70].astype(int) - 77).max() <= 1


def test_a_veil_is_steady_where_the_picture_is():
    """Noise of a camera is averaged: it moves a veil by a small part of itself."""
    random = np.random.default_rng(5)
    clear = random.integers(60, 200, (HEIGHT // 10, WIDTH // 10)).repeat(10, 0).repeat(10, 1)
    frames = []
    for _ in range(12):
        noisy = (clear + random.normal(0, 6, clear.shape)).clip(0, 255).astype(np.uint8)
        veil_frame(Planes((noisy,), 255), FACE, SEEDS, STYLE)
        frames.append(noisy)
    shown = np.array(frames)[:, 30:62, 45:75].astype(float)
    assert shown.std(axis=0).mean() < 2
