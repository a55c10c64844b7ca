"""Veils hide what they cover and leave the rest bit-exact, in every layout of samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.media.frames import Planes
from faceveil.veil.region import core, outer
from faceveil.veil.render import veil_frame, veil_whole
from faceveil.veil.styles import MAX_CELLS, STYLE_NAMES, VeilStyle, axis

HEIGHT, WIDTH = 90, 120
SEEDS = np.array([7], np.int64)
CELL_STYLES = [name for name in STYLE_NAMES if name != "solid"]


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


def without_means(plane, rows, columns):
    """High-frequency detail whose mean over every cell is zero, for samples [h, w]."""
    detail = np.random.default_rng(5).integers(-40, 41, plane.shape).astype(np.float64)
    reduce_rows, reduce_columns = (np.asarray(a.reduce, np.float64) for a in (rows, columns))
    means = reduce_rows @ detail @ reduce_columns.T
    fit = np.linalg.pinv(reduce_rows) @ means @ np.linalg.pinv(reduce_columns).T
    return detail - fit


@pytest.mark.parametrize("name", ["round", "square", "pixelate"])
@pytest.mark.parametrize("box", [(30.3, 31.7, 70.9, 72.2), (-20.4, -13, 33.1, 50), (5, 5, 9, 10)])
def test_a_face_shows_its_cell_means_and_nothing_finer(name, box):
    """Two faces that differ in every sample but in no cell mean look the same under the veil."""
    style = VeilStyle(name)
    box = np.array([box], np.float32)
    # A round veil reaches one sample further, so that its core counts touched samples.
    x1, y1, x2, y2 = outer(core(box, style), style)[0] + np.array([-1, -1, 1, 1]) * style.is_round
    smooth = np.full((HEIGHT, WIDTH), 30000, np.uint16)
    part = samples_in((x1, y1, x2, y2), smooth, (1, 1))
    rows = axis(y1, y2, part[0].start, part[0].stop, style)
    columns = axis(x1, x2, part[1].start, part[1].stop, style)
    detailed = smooth.astype(np.float64)
    detailed[part] += 100 * without_means(detailed[part], rows, columns)
    detailed = np.rint(detailed).astype(np.uint16)
    assert np.abs(detailed[part].astype(int) - 30000).mean() > 1000
    for frame in (smooth, detailed):
        veil_frame(Planes((frame,), 65535), box, SEEDS, style)
    face = samples_in(box[0], smooth, (1, 1))
    assert np.abs(smooth[face].astype(int) - detailed[face]).max() <= 2


@pytest.mark.parametrize("layout", ["rgb", "yuv 4:2:0", "yuv 4:2:0 odd", "yuv 4:2:2"])
@settings(max_examples=40)
@given(box=boxes_within, margin=st.floats(0, 0.5))
def test_the_core_of_a_round_veil_depends_on_cells_only(layout, box, margin):
    """Where the box is, single samples turned over change no more than their share of a cell."""
    style = VeilStyle("round", margin=margin, head=0, noise=0)
    one = copied(LAYOUTS[layout])
    other = copied(one)
    random = np.random.default_rng(1)
    places = []
    for plane, span in zip(other.planes, other.subsampling, strict=True):
        rows, columns = samples_in(box[0], plane, span)
        row, column = (
            random.integers(rows.start, rows.stop),
            random.integers(columns.start, columns.stop),
        )
        plane[row, column] = other.peak - plane[row, column]
        places.append((row, column))
    veil_frame(one, box, SEEDS, style)
    veil_frame(other, box, SEEDS, style)
    for first, second, place in zip(one.planes, other.planes, places, strict=True):
        difference = np.abs(first[place].astype(int) - second[place].astype(int)).max()
        assert difference <= 255 / 16 + 1


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
        cells = axis(low, low + size, 0, 300, VeilStyle()).reduce
        assert 1 <= len(cells) <= MAX_CELLS
        assert len(cells) == 1 or (cells.max(axis=1) <= 0.2501).all()
        np.testing.assert_allclose(cells.sum(axis=1), 1, rtol=1e-4)


def test_a_sliver_at_the_border_is_never_a_cell_of_its_own():
    for shift in np.linspace(0, 20, 81):
        cells = axis(-shift, 64 - shift, 0, 100, VeilStyle())
        assert (cells.reduce.max(axis=1) <= 0.2501).all()
        assert (cells.enlarge.sum(axis=0) > 0.999).all()


def test_cells_follow_the_box_exactly_when_it_moves():
    """A face that moves with its box shows the same cells: frames add up to nothing finer."""
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


def test_video_noise_is_brightness_first_and_colour_of_its_own():
    """Colour noise as strong as brightness noise, or the same in both planes, would tint faces."""
    spread = []
    for seed in range(20):
        planes = tuple(np.full((HEIGHT, WIDTH), 128, np.uint8) for _ in range(3))
        box = np.array([[30, 20, 90, 80]], np.float32)
        veil_frame(Planes(planes, 255), box, np.array([seed]), VeilStyle("pixelate"))
        spread.append([plane[25:75, 35:85].astype(np.float64).ravel() for plane in planes])
    luma, blue, red = np.array(spread).transpose(1, 0, 2).reshape(3, -1)
    assert 0.3 < blue.std() / luma.std() < 0.7 and 0.3 < red.std() / luma.std() < 0.7
    assert abs(np.corrcoef([luma, blue, red])[np.triu_indices(3, 1)]).max() < 0.2


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
