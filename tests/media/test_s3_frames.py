"""Protects: frames of S3 come whole, in order, under their numbers, and none that nobody needs."""

import threading
from pathlib import Path

import numpy as np
import pytest

from faceveil.aws import s3
from faceveil.aws.s3 import S3Location
from faceveil.aws.s3_errors import LostObjectError
from faceveil.errors import InputError, UsageError
from faceveil.frame_range import FrameRange
from faceveil.media import s3_frames
from faceveil.media.open import open_sink, open_source
from faceveil.media.s3_frames import S3Frames
from faceveil.media.s3_keys import FramePart
from testkit.s3_media import HEIGHT, WIDTH, encoded, number_of, picture, put_frames, wait_until
from testkit.servers.faulty_s3 import DROP, SLOW_DOWN, TRUNCATE, fail_first


@pytest.fixture
def place(s3_url, prefix):
    return S3Location.open(f"{prefix}a b/ü", s3_url)


@pytest.fixture
def shaky(faulty, prefix, short_pauses, monkeypatch):
    """The same place, through the proxy."""
    monkeypatch.setattr(s3, "_PAUSE_SECONDS", 0.001)
    return S3Location.open(f"{prefix}a b/ü", faulty.url)


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("faceveil")]


@pytest.mark.parametrize(
    ("pattern", "start"), [("img{:07d}.png", 1), ("{:d}.jpg", 8), ("shot2_{:04d}.JPEG", 0)]
)
def test_frames_come_in_the_order_of_their_numbers(place, pattern, start):
    put_frames(place, 12, pattern, start)
    source = S3Frames(place)
    frames = list(source)
    assert (source.width, source.height, source.frame_count) == (WIDTH, HEIGHT, 12)
    assert [frame.number for frame in frames] == list(range(12))
    assert [frame.name for frame in frames] == [pattern.format(start + i) for i in range(12)]
    if pattern.endswith(".png"):
        assert all(np.array_equal(frame.rgb(), picture(frame.number)) for frame in frames)
    assert source.problems == []
    assert threads() == []


def test_frames_that_are_missing_are_named_before_any_is_read(shaky, faulty):
    put_frames(shaky, 9)
    shaky.delete(["img0000004.png", "img0000005.png"])
    with pytest.raises(InputError, match=r"2 of the numbers 1 to 9 are missing: 4, 5"):
        S3Frames(shaky)
    assert faulty.requests["GET"] == 0


def test_a_part_keeps_the_numbers_of_the_whole(shaky, faulty):
    """Though the first frame of the video, and one of the part, are gone by now."""
    put_frames(shaky, 12)
    whole = S3Frames(shaky)
    part = FramePart(whole.keys.first_name, FrameRange(4, 8))
    shaky.delete(["img0000001.png", "img0000007.png"])
    faulty.requests.clear()
    source = S3Frames(shaky, part, (WIDTH, HEIGHT))
    assert faulty.requests == {"LIST": 1}
    assert source.frame_count == 4
    assert [(f.number, number_of(f.rgb())) for f in source] == [(4, 4), (5, 5), (7, 7)]
    assert [problem.where for problem in source.problems] == ["frame 6"]
    assert "has no frame 7" in source.problems[0].message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"words", "is no picture of a known format"),
        (encoded(3)[:200], "cannot be read as a picture"),
        (encoded(3, width=150), "is 150 x 96, unlike the others of 160 x 96"),
    ],
)
def test_a_broken_picture_is_left_out_and_named(place, content, words):
    put_frames(place, 6)
    place.write("img0000004.png", content)
    source = S3Frames(place)
    for _ in range(2):
        assert [frame.number for frame in source] == [0, 1, 2, 4, 5]
        (problem,) = source.problems
        assert problem.where == "frame 3 (img0000004.png)"
        assert words in problem.message and "img0000004.png" in problem.message


def test_a_frame_deleted_or_replaced_after_listing_is_left_out_and_named(place):
    put_frames(place, 6)
    source = S3Frames(place)
    place.delete(["img0000002.png"])
    place.write("img0000005.png", encoded(77))
    assert [frame.number for frame in source] == [0, 2, 3, 5]
    first, second = source.problems
    assert "no such object" in first.message and first.where == "frame 1 (img0000002.png)"
    assert "was changed since" in second.message and second.where == "frame 4 (img0000005.png)"


def test_only_expected_frames_are_read_ahead_and_others_when_asked_for(shaky, faulty):
    put_frames(shaky, 10)
    source = S3Frames(shaky, size=(WIDTH, HEIGHT))
    source.expect(np.array([7, 2]))
    frames = list(source)
    assert faulty.requests["GET"] == 2
    assert number_of(frames[4].rgb()) == 4
    frames[4].planes()
    assert faulty.requests["GET"] == 3
    shaky.delete(["img0000006.png"])
    with pytest.raises(LostObjectError, match=r"img0000006\.png: there is no such object"):
        frames[5].planes()


def test_reading_ahead_is_bounded_and_leaves_no_thread(shaky, faulty, monkeypatch):
    monkeypatch.setattr(s3_frames, "MOST_THREADS", 2)
    put_frames(shaky, 30)
    source = S3Frames(shaky, size=(WIDTH, HEIGHT))
    frames = iter(source)
    assert next(frames).number == 0
    assert wait_until(lambda: faulty.requests["GET"] >= 4), "it does read ahead"
    next(frames)
    assert not wait_until(lambda: faulty.requests["GET"] > 6, seconds=0.3)
    frames.close()
    assert threads() == []


@pytest.mark.parametrize(("width", "height", "readers"), [(640, 360, 8), (7680, 4320, 2)])
def test_large_frames_are_read_by_fewer_threads(monkeypatch, width, height, readers):
    monkeypatch.setattr(s3_frames, "MOST_THREADS", 8)
    assert s3_frames.threads_for(width, height) == readers


@pytest.mark.parametrize("fault", [SLOW_DOWN, DROP, TRUNCATE])
def test_faults_on_the_way_lose_no_frame(shaky, faulty, fault):
    put_frames(shaky, 30)
    faulty.rule = fail_first(fault, key=r"[147]\.png")
    source = S3Frames(shaky)
    frames = list(source)
    assert [number_of(frame.rgb()) for frame in frames] == list(range(30))
    assert all(np.array_equal(frame.rgb(), picture(frame.number)) for frame in frames)
    assert source.problems == []
    assert faulty.requests["GET"] == 1 + 30 + 9


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (SLOW_DOWN, "too busy"),
        ((403, "AccessDenied"), "access denied"),
        ((400, "ExpiredToken"), "credentials"),
    ],
)
def test_what_concerns_all_frames_ends_the_reading(shaky, faulty, fault, words):
    put_frames(shaky, 30)
    source = S3Frames(shaky)
    faulty.rule = fail_first(fault, 1000, key="img0000020")
    with pytest.raises(InputError, match=words):
        list(source)
    assert threads() == []


def test_the_digest_is_of_what_is_there_and_costs_no_download(shaky, faulty):
    put_frames(shaky, 5)
    first = S3Frames(shaky, size=(1, 1)).digest()
    assert first.startswith("sha256:")
    assert S3Frames(shaky, size=(1, 1)).digest() == first
    shaky.write("img0000003.png", encoded(9))
    assert S3Frames(shaky, size=(1, 1)).digest() != first
    assert faulty.requests["GET"] == 0


def test_none_of_the_frames_can_be_read(place):
    for number in range(3):
        place.write(f"{number}.png", b"words")
    with pytest.raises(InputError, match="none of its first 3 frames can be read"):
        S3Frames(place)


def test_the_command_reads_frames_from_s3_and_writes_them_into_a_folder(
    place, s3_url, tmp_path, monkeypatch
):
    """An unchanged frame keeps its name and bytes, a changed one its format."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
    contents = put_frames(place, 4, "img{:07d}.jpg")
    source = open_source(Path(str(place.uri())))
    with open_sink(tmp_path / "out", source) as sink:
        for frame in source:
            frame.planes().planes[0][:] = 0
            sink.write(frame, changed=frame.number == 2)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(contents)
    for name, content in contents.items():
        same = (tmp_path / "out" / name).read_bytes() == content
        assert same == (name != "img0000003.jpg")
    assert next(iter(open_source(tmp_path / "out"))).picture.format == "JPEG"


def test_the_command_writes_no_output_into_s3_and_reads_no_stills_there(place, tmp_path):
    address = Path(str(place.uri()))
    with pytest.raises(UsageError, match="a folder of this machine"):
        open_sink(address, None)
    with pytest.raises(UsageError, match="stills"):
        open_source(address, stills=True)
