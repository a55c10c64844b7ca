"""Protects: a video comes out with every frame, time, sound and subtitle of what went in."""

import itertools
import os
import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from av.sidedata.sidedata import Type
from PIL import Image

from faceveil.errors import InputError, OutputError, UsageError
from faceveil.media import remux
from faceveil.media.demux import packets
from faceveil.media.frames import EncodeOptions
from faceveil.media.open import open_sink, open_source
from faceveil.media.video import VideoSource
from faceveil.media.video_sink import VideoSink
from testkit.made_media import (
    frame_times,
    make_faststart,
    make_video,
    number_of,
    numbered,
    streams_of,
)


def copy_video(source_path, target, options=None):
    source = VideoSource(source_path)
    with VideoSink(target, source, options or EncodeOptions()) as sink:
        for frame in source:
            sink.write(frame, changed=False)
    return source


def other_streams(path):
    return {key: packets for key, packets in streams_of(path).items() if key[1] != "video"}


def leftovers(folder):
    return [path.name for path in folder.iterdir() if "partial" in path.name]


@pytest.mark.parametrize(
    ("suffix", "audio", "subtitles", "count"),
    [
        (".mp4", ("aac", "aac"), "mov_text", 4),
        (".mov", ("pcm_s16le",), "mov_text", 3),
        (".mkv", ("pcm_s16le", "aac"), "subrip", 4),
    ],
)
def test_sound_and_subtitles_are_copied_bit_for_bit(tmp_path, suffix, audio, subtitles, count):
    path, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    make_video(path, range(50), audio=audio, subtitles=subtitles)
    copy_video(path, target)
    assert len(streams_of(target)) == count
    assert other_streams(target) == other_streams(path)
    assert frame_times(target) == frame_times(path)
    assert [number_of(frame.rgb()) for frame in VideoSource(target)] == list(range(50))
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize(
    ("times", "time_base"),
    [
        ([0, 1, 2, 5, 6, 40, 41, 200], Fraction(1, 1000)),
        ([1234 + 3003 * i for i in range(20)], Fraction(1, 90000)),
        ([1001 * i for i in range(20)], Fraction(1, 24000)),
        (list(range(7, 30)), Fraction(1, 25)),
    ],
    ids=["variable rate", "late start", "23.976", "late start at 25"],
)
@pytest.mark.parametrize("b_frames", [0, 2])
def test_presentation_times_are_exact(tmp_path, suffix, times, time_base, b_frames):
    path, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    make_video(path, times, time_base, b_frames=b_frames, audio=("aac",))
    assert frame_times(path) == [time * time_base for time in times], "the test's own input"
    copy_video(path, target)
    assert frame_times(target) == frame_times(path)
    assert other_streams(target) == other_streams(path)


def test_times_in_matroska_are_exact_from_matroska(tmp_path):
    make_video(tmp_path / "in.mkv", [3, 4, 40, 77, 78], Fraction(1, 1000))
    copy_video(tmp_path / "in.mkv", tmp_path / "out.mkv")
    assert frame_times(tmp_path / "out.mkv") == frame_times(tmp_path / "in.mkv")


def test_times_from_mp4_are_in_matroska_to_a_millisecond(tmp_path):
    make_video(tmp_path / "in.mp4", [1001 * i for i in range(20)], Fraction(1, 24000))
    copy_video(tmp_path / "in.mp4", tmp_path / "out.mkv")
    pairs = zip(frame_times(tmp_path / "in.mp4"), frame_times(tmp_path / "out.mkv"), strict=True)
    assert max(abs(a - b) for a, b in pairs) <= Fraction(1, 2000)


def test_a_long_b_frame_video_keeps_step_with_its_sound(tmp_path):
    """The encoder holds frames back; packets must still lie near each other in the file."""
    make_video(tmp_path / "in.mp4", range(250), audio=("aac",))
    copy_video(tmp_path / "in.mp4", tmp_path / "out.mp4", EncodeOptions(preset="medium"))
    with av.open(str(tmp_path / "out.mp4")) as container:
        packets = sorted((p.pos, float(p.dts * p.time_base)) for p in container.demux() if p.size)
    assert max(a[1] - b[1] for a, b in itertools.pairwise(packets)) < 0.5


def shown_duration(path):
    """Seconds from the movie header (ISO 14496-12): when the last frame is taken away."""
    content = path.read_bytes()
    timescale, duration = struct.unpack_from(">II", content, content.index(b"mvhd") + 16)
    return Fraction(duration, timescale)


def test_how_long_the_last_frame_stays_is_kept(tmp_path):
    path, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_video(path, [0, 1, 2, 5, 200], Fraction(1, 1000), b_frames=0)
    copy_video(path, target)
    assert [shown_duration(p) for p in (path, target)] == [Fraction(240, 1000)] * 2


def test_the_encoder_chooses_its_own_key_frames(tmp_path):
    """A source of key frames only would else be encoded as such, at several times the size."""
    path, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_video(path, range(50), options={"g": "1"}, b_frames=0)
    copy_video(path, target)
    for file, expected in ((path, 50), (target, 1)):
        with av.open(str(file)) as container:
            assert sum(p.is_keyframe for p in container.demux(video=0) if p.size) == expected


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotation_is_kept_and_an_edit_is_upright(tmp_path, suffix, rotation):
    path, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    make_video(path, range(3), rotation=rotation)
    source = VideoSource(path)
    with VideoSink(target, source, EncodeOptions()) as sink:
        for frame in source:
            planes = frame.planes()
            black = planes.colour((0, 0, 0))
            for plane, value, (across, down) in zip(
                planes.planes, black, planes.subsampling, strict=True
            ):
                plane[: 32 // down, : 48 // across] = value
            sink.write(frame, changed=True)
    with av.open(str(path)) as before, av.open(str(target)) as after:
        first, second = (next(c.decode(video=0)) for c in (before, after))
        for frame in (first, second):
            assert Type.DISPLAYMATRIX in frame.side_data
        assert bytes(first.side_data[Type.DISPLAYMATRIX]) == bytes(
            second.side_data[Type.DISPLAYMATRIX]
        )
    upright = next(iter(VideoSource(target))).rgb()
    assert upright[2:30, 2:46].max() < 12
    expected = next(iter(VideoSource(path))).rgb().astype(int)
    assert np.abs(upright - expected)[34:, 50:].mean() < 3


@pytest.mark.parametrize(
    ("pixel_format", "size"),
    [
        ("yuv420p", (160, 96)),
        ("yuv422p", (160, 97)),
        ("yuv444p", (161, 97)),
        ("yuv420p10le", (160, 96)),
        ("yuvj420p", (160, 96)),
    ],
)
@pytest.mark.parametrize("transfer", [1, 16], ids=["SDR", "PQ"])
def test_format_size_and_colour_tags_are_kept(tmp_path, pixel_format, size, transfer):
    path, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    full = pixel_format.startswith("yuvj")
    tags = {"color_primaries": 9, "color_trc": transfer, "colorspace": 9, "color_range": 1 + full}
    make_video(
        path,
        range(4),
        size=size,
        pixel_format=pixel_format,
        tags=tags,
        sample_aspect_ratio=Fraction(4, 3),
    )
    copy_video(path, target)
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        is_hevc = transfer == 16 or "10" in pixel_format
        assert context.name == ("hevc" if is_hevc else "h264")
        assert {name: getattr(context, name) for name in tags} == tags
        assert (context.width, context.height) == size
        assert stream.sample_aspect_ratio == Fraction(4, 3)
        assert context.pix_fmt == pixel_format
    before, after = (next(iter(VideoSource(p))).rgb().astype(int) for p in (path, target))
    assert np.abs(before - after).mean() < 2


def test_a_video_without_tags_gets_none(tmp_path):
    make_video(tmp_path / "in.mp4", range(2))
    copy_video(tmp_path / "in.mp4", tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace) == (2, 2, 2)


def test_an_odd_size_becomes_444(tmp_path):
    make_video(tmp_path / "in.mkv", range(4), size=(161, 97), codec="ffv1", b_frames=0)
    copy_video(tmp_path / "in.mkv", tmp_path / "out.mp4")
    source = VideoSource(tmp_path / "out.mp4")
    assert (source.width, source.height) == (161, 97)
    assert [number_of(frame.rgb()) for frame in source] == list(range(4))


def test_chapters_title_and_language_are_kept(tmp_path):
    path, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    chapter = {"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000)}
    chapter["metadata"] = {"title": "first"}
    make_video(path, range(25), audio=("aac",), metadata={"title": "Talk"}, chapters=[chapter])
    copy_video(path, target)
    with av.open(str(path)) as before, av.open(str(target)) as after:
        assert after.metadata["title"] == "Talk"
        (kept,) = after.chapters()
        assert kept["metadata"] == {"title": "first"}
        assert kept["end"] * kept["time_base"] == Fraction(1, 2)
        assert [s.metadata.get("language") for s in after.streams.audio] == [
            s.metadata.get("language") for s in before.streams.audio
        ]


def test_cover_pictures_are_not_copied(tmp_path):
    """A cover picture can show the face that was veiled."""
    path, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    make_video(tmp_path / "plain.mkv", range(5))
    with (
        av.open(str(tmp_path / "plain.mkv")) as source,
        av.open(str(path), "w") as output,
    ):
        stream = output.add_stream_from_template(source.streams.video[0], opaque=True)
        output.add_attachment("cover.jpg", "image/jpeg", b"\xff\xd8face\xff\xd9")
        for packet in source.demux():
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    with av.open(str(path)) as container:
        assert len(container.streams) == 2
    copy_video(path, target)
    with av.open(str(target)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    assert b"face" not in target.read_bytes()


def test_a_better_quality_is_nearer_to_the_source(tmp_path):
    make_video(tmp_path / "in.mp4", range(10))
    errors = {}
    for crf in (0, 18, 45):
        target = tmp_path / f"{crf}.mp4"
        copy_video(tmp_path / "in.mp4", target, EncodeOptions(crf=crf))
        pairs = zip(VideoSource(tmp_path / "in.mp4"), VideoSource(target), strict=True)
        errors[crf] = [np.abs(a.rgb().astype(int) - b.rgb()).mean() for a, b in pairs]
    assert max(errors[0]) == 0, "crf 0 is lossless"
    assert max(errors[18]) < 1.5 < np.mean(errors[45])


@pytest.mark.parametrize(
    "options",
    [
        {"preset": "fastest"},
        {"crf": 60},
        {"crf": -1},
        {"rate": Fraction(0)},
        {"rate": Fraction(-1)},
        {"threads": -1},
        {"codec": "mpeg9"},
        {"audio": "louder"},
    ],
)
def test_unknown_options_are_named(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        EncodeOptions(**options)


def test_sound_whose_times_stand_still_is_still_written(tmp_path, monkeypatch):
    """Recordings have such packets; FFmpeg's muxers refuse them."""
    path, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_video(path, range(25), audio=("aac",))
    expected = [content for _, _, content in other_streams(path)[1, "audio"]]

    def standing_still(*arguments):
        """Every second packet of the sound has the time of the one before it."""
        sounds, last = 0, None
        for packet in packets(*arguments):
            if packet.size and packet.stream.type == "audio":
                last = packet.dts if sounds % 2 == 0 else last
                packet.dts = packet.pts = last
                sounds += 1
            yield packet

    monkeypatch.setattr(remux, "packets", standing_still)
    copy_video(path, target)
    written = other_streams(target)[1, "audio"]
    assert [content for _, _, content in written] == expected
    times = [time for time, _, _ in written]
    assert all(a < b for a, b in itertools.pairwise(times))


@pytest.mark.parametrize("suffix", [".avi", ".wmv", ".xyz"])
def test_unknown_kinds_of_video_name_the_known(tmp_path, suffix):
    make_video(tmp_path / "in.mp4", range(3))
    with pytest.raises(UsageError, match=r"\.mp4.*\.mkv"):
        open_sink(tmp_path / f"out{suffix}", VideoSource(tmp_path / "in.mp4"))


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, InputError])
def test_an_exception_leaves_nothing_and_keeps_what_was_there(tmp_path, error):
    path, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_video(path, range(60), audio=("aac",))
    target.write_bytes(b"an older result")
    source = VideoSource(path)
    with pytest.raises(error), VideoSink(target, source, EncodeOptions()) as sink:
        for frame in source:
            sink.write(frame, changed=False)
            if frame.number == 50:
                raise error
    assert target.read_bytes() == b"an older result"
    assert leftovers(tmp_path) == []


def test_no_frame_is_an_error_not_an_empty_video(tmp_path):
    make_video(tmp_path / "in.mp4", range(3))
    source = VideoSource(tmp_path / "in.mp4")
    with pytest.raises(OutputError, match="no frame"), open_sink(tmp_path / "out.mp4", source):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4"]


def test_the_hamilton_clip_goes_through_whole(tmp_path, shared_data):
    path = shared_data / "hamilton" / "short_hamilton_clip.mp4"
    copy_video(path, tmp_path / "out.mp4")
    assert len(frame_times(path)) == 275
    assert frame_times(tmp_path / "out.mp4") == frame_times(path)
    assert other_streams(tmp_path / "out.mp4") == other_streams(path)
    assert len(other_streams(path)[1, "audio"]) == 431


def test_a_cut_off_video_keeps_the_sound_there_is(tmp_path):
    path, target = tmp_path / "in.mkv", tmp_path / "out.mp4"
    make_video(path, range(100), audio=("aac",))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    source = copy_video(path, target)
    assert source.problems
    before, after = frame_times(path), frame_times(target)
    assert before == after
    sound = [content for _, _, content in other_streams(target)[1, "audio"]]
    assert sound == [content for _, _, content in other_streams(path)[1, "audio"]][: len(sound)]
    assert len(sound) > 50


def test_half_a_packet_of_sound_is_not_copied(tmp_path):
    path, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_faststart(path, 100, audio=("aac",))
    whole = [content for _, _, content in other_streams(path)[1, "audio"]]
    with av.open(str(path)) as container:
        sound = [packet for packet in container.demux(audio=0) if packet.size]
    path.write_bytes(path.read_bytes()[: sound[80].pos + sound[80].size // 2])
    source = copy_video(path, target)
    assert source.problems
    assert [content for _, _, content in other_streams(target)[1, "audio"]] == whole[:80]


def test_pictures_become_a_video_of_the_asked_rate(tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(12):
        Image.fromarray(numbered(number)).save(frames / f"img{number + 1:07d}.png")
    source = open_source(frames)
    target = tmp_path / "out.mp4"
    with open_sink(target, source, EncodeOptions(rate=Fraction(30000, 1001))) as sink:
        for frame in source:
            if frame.number == 5:
                frame.planes().planes[0][:] = 255
            sink.write(frame, changed=frame.number == 5)
    assert frame_times(target) == [Fraction(1001 * i, 30000) for i in range(12)]
    shown = [frame.rgb() for frame in VideoSource(target)]
    assert shown[5].min() > 250
    assert [number_of(picture) for i, picture in enumerate(shown) if i != 5] == [
        i for i in range(12) if i != 5
    ]
    assert np.abs(shown[3].astype(int) - numbered(3)).mean() < 6


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become real-time")
def test_av1_leaves_the_process_its_priority(tmp_path):
    """SVT-AV1 makes root's process real-time, and every program it starts then starves the rest."""
    make_video(tmp_path / "in.mp4", range(3))
    source, before = VideoSource(tmp_path / "in.mp4"), os.sched_getscheduler(0)
    with open_sink(tmp_path / "out.webm", source) as sink:
        for frame in source:
            sink.write(frame, False)
    assert os.sched_getscheduler(0) == before == os.SCHED_OTHER


@pytest.mark.parametrize("size", [(16, 4096), (512, 16)])
def test_a_strip_is_refused_before_its_av1_encoder_waits_for_ever(tmp_path, size):
    make_video(tmp_path / "strip.mkv", range(2), size=size)
    with pytest.raises(UsageError, match=r"codec av1.*too narrow.*--codec h264"):
        copy_video(tmp_path / "strip.mkv", tmp_path / "out.webm")
