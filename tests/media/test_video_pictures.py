"""Protects: fields, HDR, depth, chroma and alpha come through where the codec can hold them, and
are named where it cannot; frames of changing sizes are all there."""

from fractions import Fraction

import av
import numpy as np
import pytest

from faceveil.errors import InputError, UsageError
from faceveil.media.decoded_frame import DecodedFrame
from faceveil.media.frames import EncodeOptions
from faceveil.media.open import open_source
from faceveil.media.side_data import mastering, side_data
from faceveil.media.video import VideoSource
from faceveil.media.video_sink import VideoSink
from testkit.made_media import frame_times, make_video, number_of
from testkit.video_files import pass_through


def first_frame(path):
    with av.open(str(path)) as container:
        return next(container.decode(video=0)), container.streams.video[0].codec_context.name


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts"])
def test_interlaced_stays_interlaced(tmp_path, shared_data, suffix):
    path, target = shared_data / "odd" / "i264.mp4", tmp_path / f"out{suffix}"
    assert pass_through(path, target) == [] or suffix == ".ts"
    with av.open(str(target)) as container:
        frames = list(container.decode(video=0))
        order = container.streams.video[0].codec_context.field_order
    assert all(frame.interlaced_frame for frame in frames)
    assert order == 2, "top field first"
    before = next(iter(VideoSource(path))).rgb().astype(int)
    assert np.abs(before - next(iter(VideoSource(target))).rgb()).mean() < 2
    losses = pass_through(path, tmp_path / f"hevc{suffix}", codec="hevc")
    assert any("interlaced" in loss and "h264" in loss for loss in losses)


@pytest.mark.parametrize(
    ("suffix", "options", "codec"),
    [
        (".mp4", {}, "hevc"),
        (".mov", {}, "hevc"),
        (".mkv", {}, "hevc"),
        (".ts", {}, "hevc"),
        (".mp4", {"codec": "h264"}, "h264"),
        (".mkv", {"codec": "av1"}, "av1"),
    ],
)
def test_hdr10_stays_hdr10(tmp_path, shared_data, suffix, options, codec):
    path, target = shared_data / "odd" / "hdr10.mp4", tmp_path / f"out{suffix}"
    losses = pass_through(path, target, **options)
    assert losses == [] or suffix == ".ts"
    before, after = first_frame(path)[0], first_frame(target)[0]
    assert codec in first_frame(target)[1] or codec == "av1"
    assert after.format.name == "yuv420p10le"
    tags = ("color_primaries", "color_trc", "colorspace")
    assert [getattr(after, tag) for tag in tags] == [getattr(before, tag) for tag in tags]
    wanted, found = (mastering(side_data(frame)) for frame in (before, after))
    assert found.light == wanted.light == (1000, 400)
    assert np.allclose(found.primaries, wanted.primaries, atol=1e-4)
    assert np.allclose(found.luminance, wanted.luminance, rtol=0.01, atol=1e-4)


def test_prores_names_the_hdr10_it_has_no_place_for(tmp_path, shared_data):
    losses = pass_through(shared_data / "odd" / "hdr10.mp4", tmp_path / "out.mov", codec="prores")
    assert any("HDR10 mastering" in loss for loss in losses)
    assert first_frame(tmp_path / "out.mov")[0].format.name == "yuv422p10le"


def test_hlg_is_hevc_of_10_bits(tmp_path):
    tags = {"color_primaries": 9, "color_trc": 18, "colorspace": 9}
    make_video(tmp_path / "in.mkv", range(5), pixel_format="yuv420p10le", tags=tags)
    assert pass_through(tmp_path / "in.mkv", tmp_path / "out.mp4") == []
    frame, codec = first_frame(tmp_path / "out.mp4")
    assert (codec, frame.color_trc, frame.format.name) == ("hevc", 18, "yuv420p10le")


@pytest.mark.parametrize(
    ("pixel_format", "options", "expected", "lost"),
    [
        ("yuv422p", {}, "yuv422p", None),
        ("yuv444p", {}, "yuv444p", None),
        ("yuv422p10le", {}, "yuv422p10le", None),
        ("yuv444p10le", {}, "yuv444p10le", None),
        ("yuv420p12le", {}, "yuv420p12le", None),
        ("yuv444p12le", {}, "yuv444p12le", None),
        ("yuv420p12le", {"codec": "h264"}, "yuv420p10le", "12 bits"),
        ("yuv444p", {"codec": "av1"}, "yuv420p", "chroma"),
        ("yuva444p10le", {}, "yuv444p10le", "alpha"),
        ("yuva444p10le", {"codec": "prores"}, "yuva444p12le", None),
        ("yuv422p10le", {"codec": "prores"}, "yuv422p10le", None),
        ("bgr0", {}, "yuv420p", "RGB"),
        ("gray", {}, "yuv420p", None),
    ],
)
def test_depth_chroma_and_alpha_are_kept_or_named(tmp_path, pixel_format, options, expected, lost):
    path, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    make_video(path, range(6), pixel_format=pixel_format, codec="ffv1", b_frames=0)
    losses = pass_through(path, target, **options)
    assert [frame for frame in losses if lost is None] == []
    assert lost is None or any(lost in loss for loss in losses)
    assert first_frame(target)[0].format.name == expected
    for before, after in zip(VideoSource(path), VideoSource(target), strict=True):
        assert np.abs(before.rgb().astype(int) - after.rgb()).mean() < 6
        assert number_of(after.rgb()) == before.number


@pytest.mark.parametrize("pixel_format", ["yuva420p", "yuv420p"])
def test_alpha_of_webm_is_named_where_there_is_any(tmp_path, pixel_format):
    """FFmpeg's own decoder of VP9 does not see it, so nothing was said."""
    path = tmp_path / "in.webm"
    make_video(path, range(6), codec="libvpx-vp9", pixel_format=pixel_format, b_frames=0)
    losses = pass_through(path, tmp_path / "out.mp4")
    assert any("alpha" in loss for loss in losses) == (pixel_format == "yuva420p")


def test_alpha_stays_where_a_frame_is_edited(tmp_path):
    path, target = tmp_path / "in.mkv", tmp_path / "out.mov"
    make_video(path, range(2), pixel_format="yuva444p10le", codec="ffv1", b_frames=0)
    source = VideoSource(path)
    with VideoSink(target, source, EncodeOptions(codec="prores")) as sink:
        for frame in source:
            planes = frame.planes()
            assert len(planes.planes) == 3 and planes.peak == 1023
            planes.planes[0][:40, :40] = 64
            sink.write(frame, changed=True)
    frame = first_frame(target)[0]
    assert "yuva" in frame.format.name
    assert frame.to_ndarray(format="rgb24")[:30, :30].max() < 60


def test_side_data_without_a_name_is_no_error_and_named(tmp_path, shared_data):
    """JPEG frames with EXIF are what PyAV has no name for; so are kinds newer than it."""
    path = shared_data / "odd" / "mjpegexif.avi"
    assert sum(1 for _ in VideoSource(path)) == 36
    losses = pass_through(path, tmp_path / "out.mp4")
    assert any("EXIF data in the frames" in loss for loss in losses)
    assert len(frame_times(tmp_path / "out.mp4")) == 36


def test_frames_of_changing_sizes_are_all_scaled_to_the_largest(tmp_path, shared_data):
    path, target = shared_data / "odd" / "small2big.ts", tmp_path / "out.mp4"
    source = VideoSource(path)
    assert (source.width, source.height) == (640, 360)
    assert source.sizes == ((160, 90), (640, 360))
    losses = pass_through(path, target)
    assert any("160x90" in loss and "scaled to 640x360" in loss for loss in losses)
    with av.open(str(target)) as container:
        frames = list(container.decode(video=0))
    assert {(frame.width, frame.height) for frame in frames} == {(640, 360)}
    with av.open(str(path)) as container:
        first = next(container.decode(video=0)).to_ndarray(format="rgb24")
    shown = frames[0].to_ndarray(format="rgb24")[2::4, 2::4].astype(int)
    assert np.abs(shown[:90, :160] - first.astype(int)[: shown.shape[0]]).mean() < 12


def test_a_size_that_lasts_less_than_a_second_is_named_once_it_was_met(tmp_path):
    """Before work about one frame a second is looked at for its size."""
    path, parts = tmp_path / "in.264", []
    for size in ((160, 96), (80, 48), (160, 96)):
        part = tmp_path / "part.264"
        make_video(part, range(6), size=size)
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    losses = pass_through(path, tmp_path / "out.mp4")
    assert any("80x48" in loss and "scaled to 160x96" in loss for loss in losses)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert len(list(container.decode(video=0))) == 18


def test_a_picture_of_another_shape_is_shown_whole_on_black(tmp_path):
    make_video(tmp_path / "wide.mkv", range(1), size=(160, 96))
    source = VideoSource(tmp_path / "wide.mkv")
    tall = av.VideoFrame.from_ndarray(np.full((160, 96, 3), 255, np.uint8), "rgb24")
    tall = tall.reformat(format="yuv420p")
    tall.pts, tall.time_base = 0, Fraction(1, 25)
    frame = DecodedFrame(0, source.layout.fit(tall), source.layout)
    picture = frame.rgb()
    assert picture.shape == (96, 160, 3)
    assert picture[:, 60:100].min() > 240 and picture[:, :40].max() < 12


def test_a_device_that_is_not_there_is_named(tmp_path):
    make_video(tmp_path / "in.mp4", range(2))
    with pytest.raises(UsageError, match="hwaccel 'abacus' is none of"):
        open_source(tmp_path / "in.mp4", hwaccel="abacus")
    with pytest.raises((UsageError, InputError)):
        open_source(tmp_path / "in.mp4", hwaccel="cuda")


def test_every_software_encoder_makes_a_video(tmp_path, capfd):
    make_video(tmp_path / "in.mp4", range(12), audio=("aac",))
    for codec, suffix in (("h264", ".mp4"), ("hevc", ".mov"), ("av1", ".webm"), ("prores", ".mov")):
        target = tmp_path / f"{codec}{suffix}"
        pass_through(tmp_path / "in.mp4", target, codec=codec)
        assert [number_of(frame.rgb()) for frame in VideoSource(target)] == list(range(12))
    assert "Svt" not in capfd.readouterr().err, "it printed 40 lines for every video"
    with av.open(str(tmp_path / "hevc.mov")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"
