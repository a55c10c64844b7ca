"""Veils hide what they cover and leave the rest bit-exact, in every layout of samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.media.frames import Planes
from faceveil.veils.region import core, must_cover, outer
from faceveil.veils.render import veil_frame, veil_opacity, veil_whole
from faceveil.veils.styles import MAX_CELLS, STYLE_NAMES, VeilStyle, enlargement

HEIGHT, WIDTH = 90, 120
SEEDS = np.array([7], np.int64)
CELL_STYLES = [name for name in STYLE_NAMES if name != "solid"]
GREY_STYLES = [name for name in CELL_STYLES if name != "blend"]


def picture(seed=0, height=HEIGHT, width=WIDTH, channels=3, dtype=np.uint8):
    peak = np.iinfo(dtype).max
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, peak, shape, dtype, endpoint=True)


def video(seed=0, height=HEIGHT, width=WIDTH, across=2, down=2, peak=255):
    random = np.random.default_rng(seed)
    dtype = np.uint8 if peak == 255 else np.uint16
    chroma = -(-height // down), -(-width // across)
    shapes = [(height, width), chroma, chroma]
    planes = [random.integers(0, peak, shape, dtype, endpoint=True) for shape in shapes]
    return Planes(tuple(planes), peak)


def copied(planes):
    return Planes(tuple(plane.copy() for plane in planes.planes), planes.peak)


def layouts():
    stored = np.ascontiguousarray(picture(3).transpose(1, 0, 2))
    return {
        "rgb": Planes((picture(),), 255),
        "rgba": Planes((picture(channels=4),), 255),
        "grey": Planes((picture(channels=1),), 255),
        "grey and alpha": Planes((picture(channels=2),), 255),
        "rgb 16 bits": Planes((picture(dtype=np.uint16),), 65535),
        "rgb turned": Planes((np.rot90(stored.transpose(1, 0, 2), 2),), 255),
        "yuv 4:2:0": video(),
        "yuv 4:2:0 odd": video(height=HEIGHT - 1, width=WIDTH - 1),
        "yuv 4:2:2": video(down=1),
        "yuv 4:4:4": video(across=1, down=1),
        "yuv 10 bits": video(peak=1023),
        "yuv turned": Planes(
            tuple(np.rot90(plane) for plane in video(height=WIDTH, width=HEIGHT).planes), 255
        ),
    }


LAYOUTS = layouts()

box_strategy = st.tuples(
    st.floats(-60, 140), st.floats(-60, 110), st.floats(1, 200), st.floats(1, 200)
).map(lambda b: np.array([[b[0], b[1], b[0] + b[2], b[1] + b[3]]], np.float32))
boxes_within = st.tuples(
    st.floats(0, 50), st.floats(0, 40), st.floats(8, 60), st.floats(8, 45)
).map(lambda b: np.array([[b[0], b[1], b[0] + b[2], b[1] + b[3]]], np.float32))


def samples_in(rectangle, plane, span):
    """Slices of the samples a rectangle of the frame touches at all."""
    x1, y1, x2, y2 = rectangle
    height, width = plane.shape[:2]
    rows = slice(
        max(int(np.floor(y1 / span[1])), 0), max(min(int(np.ceil(y2 / span[1])), height), 0)
    )
    columns = slice(
        max(int(np.floor(x1 / span[0])), 0), max(min(int(np.ceil(x2 / span[0])), width), 0)
    )
    return rows, columns


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", STYLE_NAMES)
@settings(max_examples=15)
@given(box=box_strategy)
def test_outside_the_veil_every_sample_keeps_its_value(layout, name, box):
    style = VeilStyle(name)
    before = LAYOUTS[layout]
    after = copied(before)
    changed = veil_frame(after, box, SEEDS, style)
    (touched,) = outer(core(box, style), style)
    for old, new, span in zip(before.planes, after.planes, before.subsampling, strict=True):
        # A round veil reaches one sample further, so that its core counts touched samples.
        reach = np.array([-1, -1, 1, 1]) * style.is_round * np.array(span * 2)
        outside = np.ones(old.shape[:2], bool)
        outside[samples_in(touched + reach, old, span)] = False
        np.testing.assert_array_equal(old[outside], new[outside])
        if old.ndim == 3 and old.shape[2] in (2, 4):
            np.testing.assert_array_equal(old[..., -1], new[..., -1])
        assert changed or (old == new).all()


def two_frames_alike_only_outside(box, style, layout):
    """Frames that agree outside the box's part to hide; in it, one is dark and the other bright."""
    one, other = copied(LAYOUTS[layout]), copied(LAYOUTS[layout])
    hidden = box[0].copy()
    if style.name == "upper":
        hidden[3] = hidden[1] + 0.6 * (hidden[3] - hidden[1])
    for first, second, span in zip(one.planes, other.planes, one.subsampling, strict=True):
        part = samples_in(hidden, first, span)
        first[part], second[part] = 0, one.peak
    return one, other


@pytest.mark.parametrize("layout", ["rgb", "rgb 16 bits", "yuv 4:2:0", "yuv 4:2:0 odd", "grey"])
@settings(max_examples=40)
@given(box=box_strategy)
def test_solid_leaves_nothing_of_the_box(layout, box):
    style = VeilStyle("solid", margin=0, head=0, colour=(200, 30, 30))
    one, other = two_frames_alike_only_outside(box, style, layout)
    veil_frame(one, box, SEEDS, style)
    veil_frame(other, box, SEEDS, style)
    for first, second in zip(one.planes, other.planes, strict=True):
        colours = first[..., :3] if first.ndim == 3 else first
        np.testing.assert_array_equal(colours, second[..., :3] if second.ndim == 3 else second)


@pytest.mark.parametrize("name", GREY_STYLES)
@pytest.mark.parametrize("layout", ["rgb", "yuv 4:2:0", "yuv 4:2:0 odd", "grey", "rgb 16 bits"])
@settings(max_examples=20)
@given(box=box_strategy, mixed=st.integers(0, 9))
def test_a_face_shows_its_mean_brightness_and_nothing_else(name, layout, box, mixed):
    """Two faces of the same samples in other places look the same under the veil."""
    style = VeilStyle(name)
    one, other = copied(LAYOUTS[layout]), copied(LAYOUTS[layout])
    (touched,) = outer(core(box, style), style)
    for plane, span in zip(other.planes, other.subsampling, strict=True):
        # A round veil reaches one sample further, so that its core counts touched samples.
        reach = np.array([-1, -1, 1, 1]) * style.is_round * np.array(span * 2)
        part = plane[samples_in(touched + reach, plane, span)]
        samples = part.reshape(-1, *part.shape[2:])
        part[...] = np.random.default_rng(mixed).permutation(samples).reshape(part.shape)
    veil_frame(one, box, SEEDS, style)
    veil_frame(other, box, SEEDS, style)
    (hidden,) = must_cover(box, style)
    for first, second, span in zip(one.planes, other.planes, one.subsampling, strict=True):
        part = samples_in(hidden, first, span)
        difference = np.abs(first[part].astype(int) - second[part].astype(int))
        assert difference.max(initial=0) <= 1


@pytest.mark.parametrize("name", GREY_STYLES)
def test_frames_of_a_moving_face_differ_by_one_brightness_only(name):
    """What is fixed cancels between frames; nothing of the face may be left when it does."""
    style = VeilStyle(name)
    box = np.array([[30, 20, 90, 80]], np.float32)
    veils = []
    for shift in range(4):
        frame = np.roll(picture(8, dtype=np.uint16), (shift, 2 * shift), axis=(0, 1)) // 2 + 9000
        frame[30:60, 40:60] //= 2 + shift
        veil_frame(Planes((frame,), 65535), box, SEEDS, style)
        veils.append(frame[20:60, 30:90].astype(np.float64))
    for veil in veils[1:]:
        # Brightness and the strength of the noise change together, by one factor.
        fit = np.stack([veils[0].ravel(), np.ones(veil.size)], axis=1)
        rest = veil.ravel() - fit @ np.linalg.lstsq(fit, veil.ravel(), rcond=None)[0]
        assert np.abs(veil - veils[0]).mean() > 100
        assert np.abs(rest).max() < 0.01 * 65535


@pytest.mark.parametrize("name", CELL_STYLES)
def test_a_fade_does_not_tell_brightness_from_noise(name):
    """Both fade alike, so that frames of a fade hold no more than one of them."""
    box = np.array([[30, 20, 90, 80]], np.float32)
    frames = [picture(4, dtype=np.uint16) // share for share in (2, 4)]
    for frame in frames:
        veil_frame(Planes((frame,), 65535), box, SEEDS, VeilStyle(name))
    bright, dark = (frame[20:60, 30:90].astype(np.float64) for frame in frames)
    np.testing.assert_allclose(bright, 2 * dark, atol=6)


@pytest.mark.parametrize("name", CELL_STYLES)
@pytest.mark.parametrize("brightness", [40, 128, 170])
def test_noise_is_as_strong_as_the_style_says(name, brightness):
    """In each cell (pixelate shows them as they are) and for the veil as a whole."""
    style = VeilStyle(name, noise=0.04)
    box = np.array([[30, 20, 90, 80]], np.float32)
    veils = []
    for seed in range(120):
        frame = np.full((HEIGHT, WIDTH), brightness, np.uint8)
        veil_frame(Planes((frame,), 255), box, np.array([seed]), style)
        veils.append(frame[20:60, 30:90].astype(np.float64))
    shift = np.array([veil.mean() for veil in veils])
    within = np.array([veil.std() for veil in veils])
    expected = style.noise * 2 * brightness
    assert 0.8 * expected < shift.std() < 1.3 * expected
    assert abs(shift.mean() - brightness) < 0.5 * expected
    share = within.mean() / expected
    assert 0.9 < share < 1.1 if name == "pixelate" else 0.3 < share < 0.8


def test_noise_does_not_vanish_in_the_dark():
    """Black must not stay black: noise is in every veil ("a veil cannot be undone")."""
    frames = [np.zeros((HEIGHT, WIDTH), np.uint8) for _ in range(2)]
    box = np.array([[30, 20, 90, 80]], np.float32)
    for seed, frame in enumerate(frames):
        veil_frame(Planes((frame,), 255), box, np.array([seed]), VeilStyle())
    assert (frames[0] != frames[1]).any() and max(frame.max() for frame in frames) <= 8


@pytest.mark.parametrize("name", CELL_STYLES)
def test_a_large_face_is_reduced_to_at_most_8x8_cells(name):
    frame = picture(height=400, width=400)
    veil_frame(
        Planes((frame,), 255), np.array([[100, 120, 300, 320]], np.float32), SEEDS, VeilStyle(name)
    )
    inside = frame[190:240, 110:290, 0].astype(np.float64)
    rank = np.linalg.matrix_rank(inside, tol=60)
    assert rank <= MAX_CELLS


def test_small_faces_get_cells_of_at_least_four_samples():
    for size in np.arange(1, 200, 0.7):
        low = 10.3
        cells = enlargement(low, low + size, 0, 300, VeilStyle("pixelate"))
        assert 1 <= len(cells) <= MAX_CELLS
        assert len(cells) == 1 or (cells[:, 10 : int(low + size)].sum(axis=1) >= 3).all()
        for name in CELL_STYLES:
            spread = enlargement(low, low + size, 0, 300, VeilStyle(name))
            np.testing.assert_allclose(spread.sum(axis=0), 1, rtol=1e-4)


def test_a_veil_follows_its_box_exactly():
    """A face that moves with its box shows the same veil: it does not flicker."""
    still = picture(height=200, width=200)
    moved = np.roll(still, (11, 23), axis=(0, 1))
    box = np.array([[60.4, 70.2, 101.9, 121.6]], np.float32)
    veil_frame(Planes((still,), 255), box, SEEDS, VeilStyle())
    veil_frame(
        Planes((moved,), 255), box + np.array([23, 11, 23, 11], np.float32), SEEDS, VeilStyle()
    )
    difference = np.roll(still, (11, 23), axis=(0, 1)).astype(int) - moved
    assert np.abs(difference).max() <= 1


def test_noise_is_fixed_for_a_sequence_and_its_own():
    box = np.array([[30, 20, 90, 80]], np.float32)
    frames = [np.full((HEIGHT, WIDTH, 3), 128, np.uint8) for _ in range(3)]
    for frame, seed in zip(frames, (1, 1, 2), strict=True):
        veil_frame(Planes((frame,), 255), box, np.array([seed]), VeilStyle())
    np.testing.assert_array_equal(frames[0], frames[1])
    assert np.abs(frames[0].astype(int) - frames[2]).max() > 10
    assert frames[0].std() > 2


@pytest.mark.parametrize("name", GREY_STYLES)
def test_veils_are_grey(name):
    """Colour tells people apart, and colour noise strong enough to hide it looks garish."""
    box = np.array([[30, 20, 90, 80]], np.float32)
    frame = picture(2)
    frame[..., 2] //= 3
    red = copied(LAYOUTS["yuv 4:2:0"])
    red.planes[2][...] = 200
    veil_frame(Planes((frame,), 255), box, SEEDS, VeilStyle(name))
    veil_frame(red, box, SEEDS, VeilStyle(name))
    face = frame[20:60, 30:90].astype(int)
    assert np.abs(face - face[..., :1]).max() == 0
    for plane in red.planes[1:]:
        assert (plane[10:30, 15:45] == 128).all()
    assert red.planes[0][20:60, 30:90].std() > 2


def test_boxes_off_the_frame_change_nothing_and_say_so():
    boxes = np.array([[-500, 10, -400, 90], [10, 5000, 60, 5090]], np.float32)
    for name in STYLE_NAMES:
        frame = picture()
        assert not veil_frame(Planes((frame,), 255), boxes, np.arange(2), VeilStyle(name))
        np.testing.assert_array_equal(frame, picture())
    assert not veil_frame(
        Planes((picture(),), 255), np.zeros((0, 4), np.float32), SEEDS[:0], VeilStyle()
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", STYLE_NAMES)
def test_whole_frames_and_overlapping_boxes_are_veiled_in_every_layout(layout, name):
    style = VeilStyle(name)
    boxes = np.array([[0, 0, WIDTH, HEIGHT], [10, 10, 60, 60], [40, 30, 90, 70]], np.float32)
    for veil in (
        lambda planes: veil_frame(planes, boxes, np.arange(3), style),
        lambda planes: veil_whole(planes, 3, style),
    ):
        frame = copied(LAYOUTS[layout])
        veil(frame)
        # Random samples differ by a third of the range from their neighbours; veiled ones hardly.
        luma = frame.planes[0][5:50, 5:-5].astype(np.float64)
        colours = luma if luma.ndim == 2 else luma[..., : (1, 3)[luma.shape[2] > 2]]
        assert np.abs(np.diff(colours, axis=0)).mean() < 0.06 * frame.peak


def test_veils_overlapping_boxes_leave_no_sample_of_either_visible():
    style = VeilStyle("round")
    boxes = np.array([[30, 30, 60, 60], [50, 35, 85, 70]], np.float32)
    frame = np.zeros((HEIGHT, WIDTH), np.uint8)
    frame[::2, ::2] = 255
    veil_frame(Planes((frame,), 255), boxes, np.arange(2), style)
    for x1, y1, x2, y2 in boxes.astype(int):
        assert np.abs(np.diff(frame[y1:y2, x1:x2].astype(int), axis=1)).max() < 40


@pytest.mark.parametrize("name", STYLE_NAMES)
@settings(max_examples=15, deadline=None)
@given(boxes=st.lists(box_strategy, min_size=0, max_size=3))
def test_opacity_is_white_on_every_core_and_black_where_nothing_changes(name, boxes):
    """A matte says exactly what the renderer does, also where veils overlap or leave the frame."""
    style = VeilStyle(name)
    corners = np.concatenate([np.zeros((0, 4), np.float32), *boxes])
    opacity = veil_opacity(corners, style, WIDTH, HEIGHT)
    before = Planes((np.zeros((HEIGHT, WIDTH, 3), np.uint8),), 255)
    veil_frame(before, corners, np.arange(len(corners)), VeilStyle(name, colour=(255, 255, 255)))
    bright = Planes((np.full((HEIGHT, WIDTH, 3), 255, np.uint8),), 255)
    veil_frame(bright, corners, np.arange(len(corners)), style)
    changed = before.planes[0].any(axis=2) | (bright.planes[0] < 255).any(axis=2)
    assert not changed[opacity == 0].any()
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    for x1, y1, x2, y2 in core(corners, style).tolist():
        inside = (x > x1) & (x < x2) & (y > y1) & (y < y2)
        if style.is_round:
            across = (x - (x1 + x2) / 2) / ((x2 - x1) / 2)
            down = (y - (y1 + y2) / 2) / ((y2 - y1) / 2)
            inside = across**2 + down**2 <= 1
        assert (opacity[inside] == 255).all()


@pytest.mark.parametrize("name", STYLE_NAMES)
def test_luma_alone_is_veiled_as_with_its_chroma(name):
    """Verification predicts brightness alone, and must predict what rendering draws."""
    box, seeds, style = np.float32([[20, 15, 60, 50]]), np.array([7]), VeilStyle(name=name)
    whole, luma, before = (video(seed=2) for _ in range(3))
    veil_frame(whole, box, seeds, style)
    veil_frame(luma, box, seeds, style, luma_only=True)
    np.testing.assert_array_equal(luma.planes[0], whole.planes[0])
    assert not np.array_equal(luma.planes[0], before.planes[0])
    for plane, unchanged in zip(luma.planes[1:], before.planes[1:], strict=True):
        np.testing.assert_array_equal(plane, unchanged)
