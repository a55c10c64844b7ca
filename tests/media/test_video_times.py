"""Protects: a video whose clock begins late, again or wraps comes out on one clock, in step with
its sound; names of files say what is written."""

import io
import itertools
import os
from fractions import Fraction
from pathlib import Path

import av
import pytest

from faceveil.errors import InputError, OutputError, UsageError
from faceveil.media.folder_sink import FolderSink
from faceveil.media.frames import EncodeOptions
from faceveil.media.open import open_sink, open_source
from faceveil.media.pipes import PipedSink, PipedSource
from faceveil.media.publish import temporary_beside
from faceveil.media.video import VideoSource
from faceveil.media.video_sink import VideoSink
from testkit.made_media import frame_times, make_video, number_of, streams_of
from testkit.video_files import kinds_in, pass_through, samples_of


def make_stream(path, starts, count=25, format="mpegts"):
    """Transport streams that begin at these seconds, one after the other in one file."""
    clip = path.with_suffix(".part.mp4")
    make_video(clip, range(count), audio=("aac",))
    content = b""
    for start in starts:
        part = path.with_suffix(".part.ts")
        with av.open(str(clip)) as source, av.open(str(part), "w", format=format) as output:
            streams = [output.add_stream_from_template(s, opaque=True) for s in source.streams]
            for packet in source.demux():
                if packet.size:
                    shift = round(start / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = streams[packet.stream_index]
                    output.mux(packet)
        content += part.read_bytes()
    path.write_bytes(content)


def steps(times):
    return [later - earlier for earlier, later in itertools.pairwise(times)]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts"])
@pytest.mark.parametrize("start", [0, 54322, 95430], ids=["zero", "late", "wraps after 13 frames"])
def test_a_stream_begins_at_zero_with_its_sound_in_step(tmp_path, suffix, start):
    """95430 s is just before the 33 bits of a transport stream's clock are full."""
    path, target = tmp_path / "in.ts", tmp_path / f"out{suffix}"
    make_stream(path, [start + (13 if start == 95430 else 0)])
    losses = pass_through(path, target)
    assert losses == []
    times = frame_times(target)
    assert len(times) == 25
    assert max(abs(step - Fraction(1, 25)) for step in steps(times)) <= Fraction(1, 1000)
    sound = streams_of(target)[1, "audio"][0][0]
    begin = min(times[0], sound)
    assert begin < 2 if suffix == ".ts" else abs(begin) < Fraction(1, 10)
    with av.open(str(path)) as container:
        before = [s.start_time * s.time_base for s in container.streams]
    assert abs((times[0] - sound) - (before[0] - before[1])) <= Fraction(1, 500)


@pytest.mark.parametrize("starts", [(10, 0), (0, 5000), (100, 100, 100), (5000, 0, 300)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_joined_streams_go_on_where_the_one_before_ended(tmp_path, starts, suffix):
    path, target = tmp_path / "in.ts", tmp_path / f"out{suffix}"
    make_stream(path, starts)
    source = VideoSource(path)
    assert source.frame_count == 25 * len(starts)
    pass_through(path, target)
    numbers = [number_of(frame.rgb()) for frame in VideoSource(target)]
    assert numbers == [*range(25)] * len(starts), "every frame of every part"
    times = frame_times(target)
    assert max(steps(times)) < Fraction(1, 5)
    assert min(steps(times)) > 0
    assert times[-1] < len(starts) + Fraction(1, 2)
    sound = [time for time, _, _ in streams_of(target)[1, "audio"]]
    assert abs(sound[-1] - times[-1]) < Fraction(3, 20), "in step to the end"


def test_the_streams_people_bring(tmp_path, shared_data):
    odd = shared_data / "odd"
    for name, count in (("concat.ts", 63), ("bigstart.ts", 36), ("small2big.ts", 72)):
        for suffix in (".mp4", ".mkv"):
            target = tmp_path / f"{name}{suffix}"
            pass_through(odd / name, target)
            times = frame_times(target)
            assert len(times) == count == VideoSource(odd / name).frame_count
            assert 0 < min(steps(times)) <= max(steps(times)) < Fraction(1, 10)
            assert times[0] < Fraction(1, 10)


def test_a_file_cut_out_of_a_long_recording_begins_at_zero(tmp_path):
    make_video(tmp_path / "in.mkv", [3_600_000 + 40 * n for n in range(25)], Fraction(1, 1000))
    pass_through(tmp_path / "in.mkv", tmp_path / "out.mp4")
    assert frame_times(tmp_path / "out.mp4") == [Fraction(40 * n, 1000) for n in range(25)]


def test_frames_nearer_than_a_unit_of_time_are_moved_and_named(tmp_path):
    """Else players, and our own verification, would lose them."""
    make_video(tmp_path / "in.mp4", [0, 1, 2, 3, 90000], Fraction(1, 90000), b_frames=0)
    losses = pass_through(tmp_path / "in.mp4", tmp_path / "out.mkv")
    assert len(frame_times(tmp_path / "out.mkv")) == 5
    assert any("exact times of 3 frames" in loss for loss in losses)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_the_shortest_videos_in_hevc(tmp_path, count, suffix):
    """x265 leaves the times of decoding to chance where it has fewer frames than it reorders."""
    make_video(tmp_path / "in.mp4", range(count), b_frames=0)
    target = tmp_path / f"out{suffix}"
    for _ in range(3):
        pass_through(tmp_path / "in.mp4", target, codec="hevc")
        times = frame_times(target)
        assert [time - times[0] for time in times] == [Fraction(n, 25) for n in range(count)]


# Names


@pytest.mark.parametrize(
    ("suffix", "muxer"),
    [(".TS", "mpegts"), (".m2ts", "mpegts"), (".mts", "mpegts"), (".webm", "matroska,webm")],
)
def test_the_extension_says_what_is_written(tmp_path, monkeypatch, suffix, muxer):
    """It never depends on the system's table of MIME types."""
    monkeypatch.setattr("mimetypes.guess_type", lambda *_: (None, None))
    make_video(tmp_path / "in.mp4", range(25), audio=("aac",))
    target = tmp_path / f"out{suffix}"
    pass_through(tmp_path / "in.mp4", target)
    assert target.is_file()
    with av.open(str(target)) as container:
        assert container.format.name == muxer
    assert [kind[0] for kind in kinds_in(target)] == ["video", "audio"]
    assert len(samples_of(target)) > 40000


def test_a_folder_is_one_that_exists_or_ends_in_a_slash(tmp_path):
    make_video(tmp_path / "in.mp4", range(3))
    source = VideoSource(tmp_path / "in.mp4")
    (tmp_path / "there").mkdir()
    for name in ("new/", "there", "new.xyz/"):
        assert isinstance(open_sink(f"{tmp_path}/{name}", source), FolderSink)
    for name, words in (
        ("new", "slash"),
        ("out.xyz", r"\.mp4"),
        ("out.avi", "read but not"),
        ("", "empty"),
    ):
        with pytest.raises(UsageError, match=words):
            open_sink(f"{tmp_path}/{name}" if name else "", source)
    with open_sink(f"{tmp_path}/new/", source) as sink:
        for frame in source:
            sink.write(frame, changed=False)
    assert len(list((tmp_path / "new").iterdir())) == 3
    assert isinstance(open_sink(f"{tmp_path}/again", open_source(tmp_path / "new")), FolderSink)


def test_a_temporary_name_is_never_too_long(tmp_path):
    for stem in ("a" * 251, "ö" * 125, "a"):
        name = temporary_beside(tmp_path / f"{stem}.mp4")
        assert len(os.fsencode(name.name)) <= 255
        name.touch()
        assert name.suffix == ".mp4" and name.name.startswith(".")


# Pipes and raw streams


def test_a_video_comes_from_and_goes_to_a_pipe(tmp_path):
    make_video(tmp_path / "in.mkv", range(25), audio=("aac",))
    source = PipedSource(io.BytesIO((tmp_path / "in.mkv").read_bytes()))
    stream = io.BytesIO()
    with PipedSink(source, EncodeOptions(), stream) as sink:
        for frame in source:
            sink.write(frame, changed=False)
        assert not stream.getvalue(), "nothing before it is complete"
    (tmp_path / "out.mkv").write_bytes(stream.getvalue())
    assert frame_times(tmp_path / "out.mkv") == frame_times(tmp_path / "in.mkv")
    assert [number_of(frame.rgb()) for frame in source] == list(range(25)), "read again"


def test_what_is_refused_never_reaches_a_pipe(tmp_path):
    make_video(tmp_path / "in.mkv", range(5))
    source, stream = VideoSource(tmp_path / "in.mkv"), io.BytesIO()
    with PipedSink(source, EncodeOptions(), stream) as sink:
        for frame in source:
            sink.write(frame, changed=False)
        sink.finish()
        sink.path = sink.path.with_name(sink.path.name + ".unverified")
    assert not stream.getvalue()


def test_an_empty_pipe_and_a_full_disk_are_told(monkeypatch):
    with pytest.raises(InputError, match="standard input"):
        PipedSource(io.BytesIO())
    monkeypatch.setattr("faceveil.media.pipes._SPARE", 1 << 62)
    with pytest.raises(InputError, match="no room"):
        PipedSource(io.BytesIO(b"x" * 100))


def test_raw_mjpeg_is_a_video_by_name_and_from_a_pipe(tmp_path, shared_data):
    path = shared_data / "odd" / "raw.mjpeg"
    content = path.read_bytes()
    for source in (open_source(path), PipedSource(io.BytesIO(content))):
        assert sum(1 for _ in source) == source.frame_count == 36
    (tmp_path / "photo.jpg").write_bytes(content)
    assert open_source(tmp_path / "photo.jpg").frame_count == 1, "by its name a single picture"


def test_a_truncated_avi_names_what_is_missing(tmp_path, shared_data):
    for name in ("mjpegexif.avi", "xvid.avi", "adpcm.avi"):
        content = (shared_data / "odd" / name).read_bytes()
        path = tmp_path / name
        path.write_bytes(content[: len(content) // 2])
        source = VideoSource(path)
        count = sum(1 for _ in source)
        assert 5 < count < 36
        assert source.problems[-1].where == f"frames {count} to 35"
        pass_through(path, tmp_path / "out.mp4")
        assert len(frame_times(tmp_path / "out.mp4")) == count
    list(VideoSource(shared_data / "odd" / "xvid.avi"))


def test_an_output_that_cannot_be_created_is_told_before_work(tmp_path):
    make_video(tmp_path / "in.mp4", range(3))
    with pytest.raises(OutputError):
        VideoSink(Path("/proc/out.mp4"), VideoSource(tmp_path / "in.mp4"), EncodeOptions())
