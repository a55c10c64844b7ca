"""Protects: every frame of a video arrives once, in order, upright, and what is broken is named."""

from fractions import Fraction

import av
import numpy as np
import pytest

from faceveil.errors import InputError
from faceveil.media.frames import BT601, BT709
from faceveil.media.video import VideoSource
from testkit.made_media import make_faststart, make_video, number_of, numbered


def numbers(source):
    return [number_of(frame.rgb()) for frame in source]


def test_every_frame_once_and_in_order_twice_over(tmp_path):
    make_video(tmp_path / "a.mp4", range(30))
    source = VideoSource(tmp_path / "a.mp4")
    assert (source.width, source.height, source.frame_count, source.rate) == (160, 96, 30, 25)
    for _ in range(2):
        frames = list(source)
        assert [frame.number for frame in frames] == list(range(30))
        assert [number_of(frame.rgb()) for frame in frames] == list(range(30))
    assert source.problems == []


def test_variable_frame_rate_with_b_frames_and_a_late_start(tmp_path):
    times = [900, 903, 904, 950, 951, 999, 1200]
    make_video(tmp_path / "a.mp4", times, Fraction(1, 1000))
    source = VideoSource(tmp_path / "a.mp4")
    assert [frame.time for frame in source] == [Fraction(time, 1000) for time in times]
    assert numbers(source) == list(range(7))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(
    ("degrees", "turn"), [(90, 1), (180, 2), (-90, 3)], ids=["left", "over", "right"]
)
def test_a_turned_video_is_upright(tmp_path, suffix, degrees, turn):
    path = tmp_path / f"a{suffix}"
    make_video(path, range(2), rotation=degrees)
    source = VideoSource(path)
    frame = next(iter(source))
    expected = np.rot90(numbered(0), turn)
    assert (source.height, source.width) == expected.shape[:2]
    assert frame.rgb().shape == expected.shape
    assert np.abs(frame.rgb().astype(int) - expected).mean() < 3
    planes = frame.planes()
    assert planes.planes[0].shape == expected.shape[:2]
    white = planes.colour((255, 255, 255))
    for plane, value, (across, down) in zip(planes.planes, white, planes.subsampling, strict=True):
        plane[: 8 // down, : 8 // across] = value  # the upright picture's top left corner
    assert frame.rgb()[:6, :6].min() > 240
    assert np.abs(frame.rgb().astype(int) - expected)[16:].mean() < 3


def test_turned_422_swaps_its_subsampling(tmp_path):
    make_video(tmp_path / "a.mp4", range(2), pixel_format="yuv422p", rotation=90)
    frame = next(iter(VideoSource(tmp_path / "a.mp4")))
    assert frame.planes().subsampling == ((1, 1), (1, 2), (1, 2))


def test_writing_into_a_frame_changes_no_other_frame(tmp_path):
    """Decoded frames are what later ones are predicted from."""
    make_video(tmp_path / "a.mp4", range(30))
    untouched = [frame.rgb() for frame in VideoSource(tmp_path / "a.mp4")]
    for frame, before in zip(VideoSource(tmp_path / "a.mp4"), untouched, strict=True):
        assert np.array_equal(frame.rgb(), before)
        for plane in frame.planes().planes:
            plane[:] = 0
        assert not np.array_equal(frame.rgb(), before)


@pytest.mark.parametrize(
    ("pixel_format", "peak", "subsampling"),
    [
        ("yuv420p", 255, 2),
        ("yuv444p", 255, 1),
        ("yuv420p10le", 1023, 2),
        ("yuv444p10le", 1023, 1),
    ],
)
def test_planes_keep_depth_and_subsampling(tmp_path, pixel_format, peak, subsampling):
    make_video(tmp_path / "a.mp4", range(2), pixel_format=pixel_format)
    frame = next(iter(VideoSource(tmp_path / "a.mp4")))
    planes = frame.planes()
    assert planes.peak == peak
    assert planes.subsampling == ((1, 1),) + ((subsampling, subsampling),) * 2
    assert planes.planes[0].max() > peak / 2
    assert np.abs(frame.rgb().astype(int) - numbered(0)).mean() < 3


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full", [False, True])
def test_a_colour_written_to_the_planes_is_that_colour_in_rgb(tmp_path, matrix, full):
    tags = {"colorspace": matrix, "color_range": 2 if full else 1}
    make_video(tmp_path / "a.mp4", range(1), tags=tags)
    frame = next(iter(VideoSource(tmp_path / "a.mp4")))
    planes = frame.planes()
    assert planes.coding.full_range == full
    for rgb in ((255, 0, 0), (20, 200, 90), (0, 0, 0), (255, 255, 255)):
        for plane, value in zip(planes.planes, planes.colour(rgb), strict=True):
            plane[:] = value
        assert np.abs(frame.rgb()[40, 40].astype(int) - rgb).max() <= 3


def test_an_untagged_video_is_read_as_players_do(tmp_path):
    make_video(tmp_path / "small.mp4", range(1))
    make_video(tmp_path / "large.mp4", range(1), size=(1280, 720))
    assert VideoSource(tmp_path / "small.mp4").layout.coding == BT601
    assert VideoSource(tmp_path / "large.mp4").layout.coding == BT709


def test_other_pixel_formats_become_planar(tmp_path):
    make_video(tmp_path / "a.mkv", range(3), pixel_format="bgr0", codec="ffv1", b_frames=0)
    source = VideoSource(tmp_path / "a.mkv")
    assert source.layout.pixel_format == "yuv420p"
    for number, frame in enumerate(source):
        assert np.array_equal(frame.rgb(), numbered(number)), "RGB must arrive unconverted"
        assert frame.planes().subsampling[1] == (2, 2)
        assert np.abs(frame.rgb().astype(int) - numbered(number)).mean() < 6


def test_an_odd_size_is_edited_without_subsampling(tmp_path):
    make_video(tmp_path / "a.mkv", range(3), size=(161, 97), codec="ffv1", b_frames=0)
    frame = next(iter(VideoSource(tmp_path / "a.mkv")))
    assert (frame.width, frame.height) == (161, 97)
    assert frame.planes().subsampling == ((1, 1),) * 3
    assert frame.rgb().shape == (97, 161, 3)


def test_one_frame(tmp_path):
    make_video(tmp_path / "a.mp4", range(1))
    assert numbers(VideoSource(tmp_path / "a.mp4")) == [0]


def test_an_animated_gif_is_a_video(shared_data):
    source = VideoSource(shared_data / "intel" / "classroom.gif")
    frames = list(source)
    assert (source.width, source.height) == (480, 270)
    assert len(frames) == 45
    assert len({frame.time for frame in frames}) == 45


def test_the_hamilton_clip(shared_data):
    source = VideoSource(shared_data / "hamilton" / "short_hamilton_clip.mp4")
    assert source.frame_count == 275
    assert sum(1 for _ in source) == 275
    assert source.problems == []
    assert source.digest().startswith("sha256:")


@pytest.mark.parametrize("content", [b"", b"these are words, not a video\n" * 40])
def test_what_is_no_video_is_refused(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.mp4"):
        VideoSource(path)


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile secret.mp4\n",
    ],
)
def test_a_playlist_named_mp4_opens_no_other_file(tmp_path, playlist):
    make_video(tmp_path / "secret.mp4", range(3))
    path = tmp_path / "a.mp4"
    path.write_text(playlist)
    with pytest.raises(InputError):
        VideoSource(path)


def test_sound_without_pictures_is_refused(tmp_path):
    make_video(tmp_path / "both.mp4", audio=("aac",))
    path = tmp_path / "sound.m4a"
    with av.open(str(tmp_path / "both.mp4")) as source, av.open(str(path), "w", "mp4") as output:
        stream = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    with pytest.raises(InputError, match="no video"):
        VideoSource(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.mp4"):
        VideoSource(tmp_path / "nowhere.mp4")


def test_an_index_without_frames_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    make_faststart(path, 30)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"mdat") + 8])
    with pytest.raises(InputError, match="no frame"):
        VideoSource(path)


def test_a_cut_off_mp4_gives_what_is_there_and_names_the_rest(tmp_path):
    path = tmp_path / "a.mp4"
    make_faststart(path, 100)
    content = path.read_bytes()
    start = content.index(b"mdat")
    path.write_bytes(content[: start + (len(content) - start) // 2])
    source = VideoSource(path)
    found = numbers(source)
    assert 10 < len(found) < 100
    assert found[:-3] == list(range(len(found) - 3)), "frames before the cut must be whole"
    assert source.frame_count == 100
    assert source.problems[-1].where == f"frames {len(found)} to 99"


def test_a_cut_off_mkv_gives_what_is_there_and_names_the_rest(tmp_path):
    path = tmp_path / "a.mkv"
    make_video(path, range(100))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    source = VideoSource(path)
    found = numbers(source)
    assert 10 < len(found) < 100
    assert found[:-3] == list(range(len(found) - 3))
    assert any(
        problem.where.startswith(f"frames {len(found)}")
        or problem.where == f"frames from {len(found)}"
        for problem in source.problems
    )


@pytest.mark.parametrize(
    ("place", "message", "missing"), [(0, "cannot be read", True), (0.5, "damaged", False)]
)
def test_damage_in_the_middle_is_named_and_the_rest_read(tmp_path, place, message, missing):
    path = tmp_path / "a.mp4"
    make_video(path, range(100), options={"g": "10"})
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][50]
    content = bytearray(path.read_bytes())
    start = packet.pos + round(packet.size * place)
    content[start : start + 40] = b"\xff" * 40
    path.write_bytes(content)
    source = VideoSource(path)
    found = numbers(source)
    assert found[:30] == list(range(30))
    assert found[-20:] == list(range(80, 100))
    assert (len(found) < 100) == missing
    problems = list(source.problems)
    assert any(message in problem.message for problem in problems)
    list(source)
    assert source.problems == problems, "told once a reading"
