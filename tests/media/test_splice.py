"""Protects: pictures without a veil are copied bit for bit, and only where that is safe."""

from fractions import Fraction

import av
import numpy as np
import pytest

from faceveil.errors import InputError, OutputError, VerificationError
from faceveil.faces import FaceSequence, FrameFaces
from faceveil.media.frames import EncodeOptions
from faceveil.media.h264 import ParameterSets, plain_picture, units_of_stream
from faceveil.media.layout import samples
from faceveil.media.splice import Copies
from faceveil.media.video import VideoSource
from faceveil.media.video_sink import VideoSink
from faceveil.rendering import render
from testkit.made_media import frame_times, make_video, number_of, streams_of
from testkit.veil_removal import analysis_of
from testkit.video_files import jpeg

COUNT = 100
GROUP = {"g": "20", "keyint_min": "20", "sc_threshold": "0"}
CHANGED = np.isin(np.arange(COUNT), (45, 46, 70))
"""In the third and the fourth of five groups."""
HEADER = b"\x06"
SECRET = b"a secret in the messages of a picture"


def spliced(path, target, changed=CHANGED, **options):
    """Write a video with black where it is to be changed; the frames that were copied."""
    source = VideoSource(path)
    sink = VideoSink(target, source, EncodeOptions(**{"unveiled": "copy"} | options))
    sink.copy_unchanged(changed)
    with sink:
        for frame in source:
            if changed[frame.number]:
                frame.planes().planes[0][50:] = 16
            sink.write(frame, bool(changed[frame.number]))
    return np.zeros(len(changed), bool) if sink.copies is None else sink.copies.copied


def slices(path):
    """The slices of each packet."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        sets = ParameterSets.from_header(stream.codec_context.extradata)
        return [
            plain_picture(bytes(packet), sets) for packet in container.demux(stream) if packet.size
        ]


def planes(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


def remade(path, target, change):
    """The same file with other packets of its video: `change` of (number, content)."""
    with av.open(str(path)) as source, av.open(str(target), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0], opaque=True)
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size:
                other = av.Packet(change(number, bytes(packet)))
                other.pts, other.dts, other.duration = packet.pts, packet.dts, packet.duration
                other.time_base, other.is_keyframe = packet.time_base, packet.is_keyframe
                other.stream = stream
                output.mux(other)


def unit(content):
    return len(content).to_bytes(4, "big") + content


def message(kind, content):
    """An SEI unit."""
    return unit(HEADER + bytes((kind, len(content))) + content + b"\x80")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(
    "encoder",
    [
        {"preset": "medium"},
        {"preset": "fast", "profile": "baseline"},
        {"preset": "slower", "profile": "main", "bf": "5"},
    ],
    ids=["high", "baseline", "main, deep reordering"],
)
def test_groups_without_a_change_are_copied_bit_for_bit(tmp_path, suffix, encoder):
    path, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    times = np.cumsum(1 + np.arange(COUNT) % 3) * 40  # at a variable rate
    b_frames = 0 if encoder.get("profile") == "baseline" else int(encoder.get("bf", 3))
    make_video(
        path,
        times.tolist(),
        Fraction(1, 1000),
        options=GROUP | encoder,
        audio=("aac",),
        b_frames=b_frames,
    )
    copied = spliced(path, target)
    assert copied.tolist() == [number // 20 not in (2, 3) for number in range(COUNT)]
    before, after = slices(path), slices(target)
    assert [one == other for one, other in zip(before, after, strict=True)] == copied.tolist()
    pairs = list(zip(planes(path), planes(target), strict=True))
    assert all(np.array_equal(*pairs[number]) for number in np.flatnonzero(copied))
    for number in np.flatnonzero(CHANGED):
        assert np.abs(pairs[number][1][60:90].astype(int) - 16).max() < 8
    assert [number_of(frame.rgb()) for frame in VideoSource(target)] == list(range(COUNT))
    assert frame_times(target) == frame_times(path)
    sound = [streams[1, "audio"] for streams in map(streams_of, (path, target))]
    assert sound[0] == sound[1]


def test_messages_in_copied_pictures_are_left_out(tmp_path):
    """User data may hide anything; encoding anew would drop it, too."""
    plain, path, target = (tmp_path / name for name in ("plain.mp4", "in.mp4", "out.mp4"))
    make_video(plain, range(COUNT), options=GROUP)
    remade(plain, path, lambda _, data: message(5, bytes(16) + SECRET) + data)
    assert SECRET in path.read_bytes()
    assert spliced(path, target).sum() == 60
    assert SECRET not in target.read_bytes()


@pytest.mark.parametrize(
    "more",
    [
        message(4, b"\xb5\x00\x31GA94\x03\x41\xff\xfc\x80\x80\xff"),
        message(45, b"\x81"),
        unit(b"\x13\x80" + bytes(range(1, 200))),
        unit(b"\x65" + b"\x80" + bytes(range(1, 200))),
        unit(b"\x67\x64\x00\x1e\xac\xd9\x40"),
        unit(b"\x01" + b"\x10" + jpeg()),
        b"\0\0\0\7ab",
    ],
    ids=[
        "captions",
        "3D",
        "an auxiliary picture",
        "a second picture",
        "other parameters",
        "a picture file",
        "lengths that do not fit",
    ],
)
def test_a_group_that_may_hide_something_is_encoded(tmp_path, more):
    plain, path, target = (tmp_path / name for name in ("plain.mp4", "in.mp4", "out.mp4"))
    make_video(plain, range(COUNT), options=GROUP)
    remade(plain, path, lambda number, data: data + more if number == 85 else data)
    source = VideoSource(path)
    sink = VideoSink(target, source, EncodeOptions(unveiled="copy"))
    sink.copy_unchanged(CHANGED)
    assert sink.copies is not None
    assert sink.copies.copied.tolist() == [number < 40 for number in range(COUNT)]


@pytest.mark.parametrize(
    ("made", "options"),
    [
        ({"options": GROUP | {"x264-params": "open-gop=1:bframes=3:b-adapt=0"}}, {}),
        ({"options": GROUP, "pixel_format": "yuv420p10le"}, {}),
        ({"options": GROUP, "pixel_format": "yuv444p"}, {}),
        ({"options": {"x265-params": "keyint=20:log-level=error"}, "codec": "libx265"}, {}),
        ({"options": GROUP | {"x264-params": "interlaced=1"}}, {}),
        ({"options": {"g": "1"}, "b_frames": 0}, {}),
        ({"options": GROUP}, {"codec": "hevc"}),
        ({"options": GROUP}, {"unveiled": "encode"}),
    ],
    ids=[
        *("open groups", "10 bits", "4:4:4", "HEVC", "fields", "key frames only"),
        *("another codec", "as asked for"),
    ],
)
def test_nothing_is_copied_where_it_is_not_known_to_be_safe(tmp_path, made, options):
    path, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_video(path, range(COUNT), **made)
    copied = spliced(path, target, **options)
    assert not copied[20:].any()
    assert [number_of(frame.rgb()) for frame in VideoSource(target)] == list(range(COUNT))


def test_a_copied_frame_cannot_have_been_changed(tmp_path):
    """Fail closed: the plan says which frames get a veil, and rendering must keep to it."""
    path, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_video(path, range(COUNT), options=GROUP)
    source = VideoSource(path)
    sink = VideoSink(target, source, EncodeOptions(unveiled="copy"))
    sink.copy_unchanged(CHANGED)
    with pytest.raises(OutputError, match="frame 0 changed"), sink:
        for frame in source:
            sink.write(frame, changed=True)
    assert not target.exists()


def test_what_a_copied_frame_shows_is_compared_with_the_input(tmp_path):
    path = tmp_path / "in.mp4"
    make_video(path, range(COUNT), options=GROUP)
    source = VideoSource(path)
    sink = VideoSink(tmp_path / "out.mp4", source, EncodeOptions(unveiled="copy"))
    sink.copy_unchanged(CHANGED)
    with sink:
        for frame in source:
            sink.write(frame, bool(CHANGED[frame.number]))
        frame = next(iter(VideoSource(sink.finish())))
        sink.copies.check(frame)
        frame.planes().planes[0][50, 50] ^= 1
        with pytest.raises(InputError, match="frame 0 was copied"):
            sink.copies.check(frame)


def test_packets_that_changed_on_the_way_are_not_published(tmp_path, monkeypatch):
    path, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_video(path, range(COUNT), options=GROUP)
    monkeypatch.setattr("faceveil.media.splice.Splice.is_whole", lambda *_: False)
    with pytest.raises(OutputError, match="cannot be read as written"):
        spliced(path, target)
    assert [file.name for file in tmp_path.iterdir()] == ["in.mp4"]


def test_units_between_start_codes_are_found_in_both_lengths():
    assert list(units_of_stream(b"\0\0\0\1ab\0\0\1c\0\0\0\1d\0")) == [b"ab", b"c", b"d"]


def analysed(path):
    """An analysis of a video in which one veil is to be drawn, in the third group."""
    frames = np.arange(45, 50, dtype=np.int32)
    boxes = np.tile(np.float32([60, 40, 100, 80]), (len(frames), 1))
    scores, provenance = np.ones(len(frames), np.float32), np.zeros(len(frames), np.uint8)
    sequence = FaceSequence(frames, boxes, scores, provenance)
    return analysis_of([sequence], VideoSource(path), COUNT)


def render_in(folder):
    path, target = folder / "in.mp4", folder / "out.mp4"
    make_video(path, range(COUNT), options=GROUP)
    source = VideoSource(path)
    sink = VideoSink(target, source, EncodeOptions(unveiled="copy"))
    # Nothing is detected in the output: what is protected here is the comparison by pixels.
    return render(source, analysed(path), sink, analyzer=lambda picture: FrameFaces(160, 96))


def test_rendering_copies_what_gets_no_veil_and_verifies_it(tmp_path):
    rendered = render_in(tmp_path)
    pairs = zip(slices(tmp_path / "in.mp4"), slices(tmp_path / "out.mp4"), strict=True)
    assert [one == other for one, other in pairs] == [n // 20 != 2 for n in range(COUNT)]
    assert rendered.verification.frames == COUNT
    assert rendered.verification.veils == 5


def test_copied_frames_that_show_something_else_are_not_published(tmp_path, monkeypatch):
    """Fail closed: a player might show a copied group in another way than the input does."""
    add = Copies.add

    def other(copies, frame):
        frame.stored().make_writable()
        samples(frame.stored().planes[0], 255)[60, 60] ^= 1
        add(copies, frame)

    monkeypatch.setattr(Copies, "add", other)
    with pytest.raises(VerificationError, match="frame 0 was copied"):
        render_in(tmp_path)
    assert not (tmp_path / "out.mp4").exists()
