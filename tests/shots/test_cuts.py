"""Cuts are found on their very frame, and neither people nor flashes pass for one."""

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageSequence

from faceveil.faces import THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH
from faceveil.shots.cuts import ShotDetector


def pictures(path):
    if path.suffix == ".gif":
        with Image.open(path) as image:
            for frame in ImageSequence.Iterator(image):
                yield np.asarray(frame.convert("RGB"))
        return
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def thumbnails(path):
    size = THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT
    return [cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in pictures(path)]


def shot_starts(frames):
    detector = ShotDetector()
    return [number for number, frame in enumerate(frames) if detector.push(frame)]


@pytest.fixture(scope="module")
def hamilton(shared_data):
    return thumbnails(shared_data / "hamilton" / "short_hamilton_clip.mp4")


def test_cuts_of_a_real_clip_are_found_on_their_frame(hamilton):
    assert shot_starts(hamilton) == [20, 82, 211]


def test_a_cut_through_one_black_frame_is_found(shared_data):
    starts = shot_starts(thumbnails(shared_data / "pyfeat" / "face_noface.mov"))
    assert starts == [72, 73]  # frame 72 is black, 73 is the next shot


@pytest.mark.parametrize(
    "clip",
    [
        "intel/face-demographics-walking.gif",
        "intel/face-demographics-walking-and-pause.gif",
        "intel/head-pose-face-detection-male.gif",
        "intel/classroom.gif",
        "pyfeat/single_face.mp4",
        "pyfeat/no_face.mp4",
    ],
)
def test_people_moving_in_one_shot_are_no_cut(shared_data, clip):
    assert shot_starts(thumbnails(shared_data / clip)) == []


def test_every_second_frame_gives_the_same_shots(hamilton):
    assert shot_starts(hamilton[::2]) == [10, 41, 106]


def test_shots_of_two_frames_are_all_found(hamilton):
    shots = [hamilton[5:7], hamilton[50:52], hamilton[100:102], hamilton[220:222]]
    assert shot_starts([frame for shot in shots for frame in shot]) == [2, 4, 6]


def test_a_flash_is_no_cut(hamilton):
    frames = list(hamilton[100:110])
    frames[5] = np.clip(frames[5] * 1.3 + 50.0, 0, 255).astype(np.uint8)
    assert np.abs(frames[5].astype(int) - frames[4]).mean() > 50
    assert shot_starts(frames) == []


def test_noise_in_the_dark_is_no_cut():
    noise = np.random.default_rng(1).integers(0, 6, (20, 27, 48, 3), dtype=np.uint8)
    assert shot_starts(noise) == []


def test_a_slow_fade_through_black_starts_a_shot(hamilton):
    fade = np.linspace(1, 0, 30)
    out = [(hamilton[100] * level).astype(np.uint8) for level in fade]
    back = [(hamilton[220] * level).astype(np.uint8) for level in fade[::-1]]
    starts = shot_starts(out + back)
    assert starts
    assert all(abs(start - 30) < 8 for start in starts)


def test_an_unreadable_frame_hides_no_cut(hamilton):
    frames = list(hamilton)
    frames[20] = frames[81] = None
    assert shot_starts(frames) == [21, 82, 211]


def test_the_first_readable_frame_starts_nothing(hamilton):
    assert shot_starts([None, None, hamilton[0], hamilton[1]]) == []
