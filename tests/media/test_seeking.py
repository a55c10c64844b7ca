"""Frames by number: whatever the order of asking, the same samples as reading from the start."""

import random
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest

from faceveil.media.open import open_source
from faceveil.media.seeking import open_reader
from testkit.made_media import make_video, number_of
from testkit.video_files import jpeg

OPEN_GOPS = {"x264-params": "open-gop=1:keyint=12:min-keyint=12:scenecut=0"}
CLOSED_GOPS = {"g": "10"}
UNEVEN = [time + time * time // 40 for time in range(70)]


def check_all(path, tries=24):
    """Compare frames asked for in a random order with those read from the start."""
    source = open_source(path)
    expected = [frame.rgb() for frame in source]
    reader = open_reader(open_source(path), len(expected))
    order = random.Random(3).sample(range(len(expected)), min(tries, len(expected)))
    for number in [*order, len(expected) - 1, 0]:
        got = list(islice(reader.frames_from(number), 2))
        assert [frame.number for frame in got] == list(range(number, len(expected)))[:2]
        for frame in got:
            np.testing.assert_array_equal(frame.rgb(), expected[frame.number])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("closed.mp4", {"options": CLOSED_GOPS}),
        ("open.mp4", {"options": OPEN_GOPS, "b_frames": 3}),
        ("open.mkv", {"options": OPEN_GOPS, "b_frames": 3}),
        ("closed.ts", {"options": CLOSED_GOPS}),
        ("closed.avi", {"options": CLOSED_GOPS, "b_frames": 0}),
        ("old.mpg", {"codec": "mpeg2video", "options": CLOSED_GOPS}),
        ("turned.mp4", {"options": CLOSED_GOPS, "rotation": 90}),
        ("deep.mp4", {"options": CLOSED_GOPS, "pixel_format": "yuv420p10le"}),
        ("pictures.mov", {"codec": "mjpeg", "pixel_format": "yuvj420p", "b_frames": 0}),
    ],
)
def test_any_frame_is_read_as_from_the_start(tmp_path, name, arguments):
    """Key frames, reordered frames and containers that seek by other clocks change nothing."""
    make_video(tmp_path / name, range(70), **arguments)
    check_all(tmp_path / name)


def test_frames_at_uneven_times_are_found(tmp_path):
    make_video(tmp_path / "a.mp4", UNEVEN, Fraction(1, 90), options=CLOSED_GOPS)
    check_all(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    "name", ["concat.ts", "bigstart.ts", "xvid.avi", "short.mp4", "lpcm.vob", "raw.mjpeg"]
)
def test_any_frame_of_an_odd_file_is_read(shared_data, name):
    """Times that begin again or late, packed pictures, no times at all."""
    check_all(shared_data / "odd" / name, tries=8)


def test_frames_of_a_folder_are_read_by_number(tmp_path):
    for number in range(6):
        (tmp_path / f"img{number + 1:07d}.jpg").write_bytes(jpeg(40 * number))
    check_all(tmp_path)


def test_a_copy_can_be_veiled_while_the_frame_stays_as_it_is(tmp_path):
    """The studio keeps frames: a veil drawn for one picture must not be in the next."""
    make_video(tmp_path / "a.mp4", range(20), pixel_format="yuv420p")
    frame = next(iter(open_reader(open_source(tmp_path / "a.mp4"), 20).frames_from(7)))
    before = frame.rgb()
    twin = frame.copy()
    np.testing.assert_array_equal(twin.rgb(), before)
    for plane in twin.planes().planes:
        plane[...] = 17
    np.testing.assert_array_equal(frame.rgb(), before)
    assert number_of(before) == 7
