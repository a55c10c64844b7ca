"""Protects: sound, subtitles, fonts, chapters and tags come through; hidden pictures do not; what
is not kept is named."""

import base64
import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from faceveil.errors import UsageError
from faceveil.media.contents import clean_header, is_font
from faceveil.media.frames import EncodeOptions
from faceveil.media.open import open_sink, open_source
from testkit.made_media import frame_times, make_video, streams_of
from testkit.video_files import (
    jpeg,
    kinds_in,
    make_sound,
    pass_through,
    pictures_in,
    remade,
    samples_of,
)


def named(losses, *words):
    return any(all(word in loss for word in words) for loss in losses)


# Sound


def likeness(before, after):
    """The best correlation of a second of sound with another, up to 4096 samples apart."""
    part = before[2000:22000].astype(float)
    starts = range(0, min(6096, len(after) - len(part)) + 1)
    return max(np.corrcoef(part, after[at : at + len(part)])[0, 1] for at in starts)


@pytest.mark.parametrize(
    ("name", "suffix", "codec"),
    [
        ("a.wmv", ".mp4", "aac"),
        ("a.wmv", ".mkv", "aac"),
        ("adpcm.avi", ".mp4", "flac"),
        ("adpcm.avi", ".mov", "pcm_s16le"),
        ("mulaw.mkv", ".mp4", "flac"),
        ("mulaw.mkv", ".mov", "pcm_mulaw"),
        ("lpcm.vob", ".mkv", "flac"),
        ("lpcm.vob", ".mp4", "flac"),
        ("pcm.mkv", ".mp4", "pcm_s16le"),
        ("xvid.avi", ".mp4", "pcm_s16le"),
        ("xvid.avi", ".ts", "aac"),
    ],
)
def test_sound_of_every_kind_reaches_every_container(tmp_path, shared_data, name, suffix, codec):
    """Copied where the muxer can, else encoded, and then named; exact where it was stored so."""
    path, target = shared_data / "odd" / name, tmp_path / f"out{suffix}"
    losses = pass_through(path, target)
    (kind,) = [kind for kind in kinds_in(target) if kind[0] == "audio"]
    assert kind[1] == codec
    source_codec = next(kind[1] for kind in kinds_in(path) if kind[0] == "audio")
    assert named(losses, "encoding of audio track 1", codec) == (source_codec != codec)
    before, after = samples_of(path), samples_of(target)
    if codec != "aac":
        assert np.array_equal(before, after[: len(before)])
    assert abs(len(after) - len(before)) < 3000
    assert likeness(before[:, 0], after[:, 0]) > 0.9, "the same sound"


@pytest.mark.parametrize("codec", ["pcm_s24le", "pcm_alaw", "adpcm_ms", "libmp3lame", "ac3"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".ts"])
def test_made_sound_reaches_every_container(tmp_path, codec, suffix):
    path, target = tmp_path / ("in.avi" if codec != "ac3" else "in.mkv"), tmp_path / f"out{suffix}"
    make_sound(path, codec)
    losses = pass_through(path, target)
    kinds = [kind[1] for kind in kinds_in(target) if kind[0] == "audio"]
    assert len(kinds) == 1
    wanted = next(kind[1] for kind in kinds_in(path) if kind[0] == "audio")
    assert named(losses, "encoding of audio") == (kinds[0] != wanted)
    assert abs(len(samples_of(target)) - len(samples_of(path))) < 4000


@pytest.mark.parametrize(
    ("layout", "suffix"), [("2.1", ".webm"), ("hexadecagonal", ".mp4"), ("hexadecagonal", ".ts")]
)
def test_channels_that_no_encoder_takes_are_mixed_and_named(tmp_path, layout, suffix):
    """The whole track used to be left out."""
    path, target = tmp_path / "in.mkv", tmp_path / f"out{suffix}"
    make_sound(path, "pcm_s16le", layout=layout)
    losses = pass_through(path, target)
    assert named(losses, "channels of audio track 1", "mixed into stereo")
    tone = samples_of(target)
    assert tone.shape[1] == 2
    assert abs(len(tone) - 48000) < 4000
    assert np.abs(tone).mean() > 1000


def test_sound_that_begins_late_stays_in_step(tmp_path):
    """Encoded sound keeps the times it had."""
    late = tmp_path / "late.mkv"
    make_sound(tmp_path / "in.mkv", "pcm_s16le")
    with av.open(str(tmp_path / "in.mkv")) as source, av.open(str(late), "w") as output:
        streams = [output.add_stream_from_template(s, opaque=True) for s in source.streams]
        for packet in source.demux():
            if packet.size:
                if packet.stream_index == 1:
                    packet.pts, packet.dts = packet.pts + 300, packet.dts + 300
                packet.stream = streams[packet.stream_index]
                output.mux(packet)
    pass_through(late, tmp_path / "out.mp4", audio="encode")
    start = streams_of(tmp_path / "out.mp4")[1, "audio"][0][0]
    assert abs(start - Fraction(3, 10)) < Fraction(1, 40)


def test_sound_is_dropped_or_encoded_as_asked_and_named(tmp_path):
    path = tmp_path / "in.mp4"
    make_video(path, range(25), audio=("aac", "aac"))
    losses = pass_through(path, tmp_path / "silent.mp4", audio="drop")
    assert kinds_in(tmp_path / "silent.mp4") == [("video", "h264")]
    assert sum("as asked for" in loss for loss in losses) == 2
    losses = pass_through(path, tmp_path / "new.mov", audio="encode")
    assert [kind[1] for kind in kinds_in(tmp_path / "new.mov")] == ["h264", "aac", "aac"]
    assert named(losses, "encoding of audio track 2", "as asked for")


# Subtitles, fonts, chapters


def texts(path):
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[0]
        return [
            (int(p.pts * p.time_base * 1000), rect.dialogue.decode().strip())
            for p in container.demux(stream)
            if p.size > 2
            for rect in stream.decode2(p) or ()
        ]


@pytest.mark.parametrize(
    ("before", "suffix", "after"),
    [
        ("subrip", ".mp4", "mov_text"),
        ("subrip", ".mov", "mov_text"),
        ("mov_text", ".mkv", "srt"),
        ("subrip", ".webm", "webvtt"),
    ],
)
def test_subtitles_of_text_are_converted_and_named(tmp_path, before, suffix, after):
    path = tmp_path / ("in.mp4" if before == "mov_text" else "in.mkv")
    target = tmp_path / f"out{suffix}"
    make_video(path, range(25), subtitles=before)
    losses = pass_through(path, target)
    assert ("subtitle", after) in kinds_in(target)
    assert named(losses, "encoding of subtitle track 1", suffix)
    assert texts(target) == texts(path) == [(40 + 100 * n, f"line {n}") for n in range(3)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_subtitles_that_are_shown_together_all_stay(tmp_path, suffix):
    """MP4 shows one text at a time: of two that began together one used to be lost."""
    path, target = tmp_path / "in.mkv", tmp_path / f"out{suffix}"
    cues = [(0, 800, "Ann"), (0, 400, "Ben"), (600, 900, "Cid"), (2000, 2100, "Dan")]
    make_video(tmp_path / "v.mkv", range(60), size=(64, 48))
    with av.open(str(tmp_path / "v.mkv")) as source, av.open(str(path), "w") as output:
        video = output.add_stream_from_template(source.streams.video[0])
        text = output.add_mux_stream("subrip", time_base=Fraction(1, 1000))
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = video
                output.mux(packet)
        for start, end, line in cues:
            packet = av.Packet(line.encode())
            packet.stream, packet.time_base = text, Fraction(1, 1000)
            packet.pts = packet.dts = start
            packet.duration = end - start
            output.mux(packet)
    pass_through(path, target)
    if suffix == ".mkv":
        assert [line for _, line in texts(target)] == ["Ann", "Ben", "Cid", "Dan"]
        return
    joined = [(0, "Ann\nBen"), (400, "Ann"), (600, "Ann\nCid"), (800, "Cid"), (2000, "Dan")]
    assert [item for item in texts(target) if item[1]] == joined


@pytest.mark.parametrize(
    ("codec", "before"),
    [("hdmv_pgs_subtitle", ".mkv"), ("dvb_subtitle", ".ts"), ("dvd_subtitle", ".mkv")],
)
@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
def test_subtitles_that_are_pictures_are_left_out_and_named(tmp_path, codec, before, suffix):
    """They may show anything, and were copied without being looked at."""
    path, target = tmp_path / f"in{before}", tmp_path / f"out{suffix}"
    make_video(path, range(25), subtitles=codec)
    assert "subtitle" in [kind for kind, _ in kinds_in(path)]
    losses = pass_through(path, target)
    assert kinds_in(target) == [("video", "h264")]
    assert named(losses, "subtitle track 1", "pictures, which are not looked at")


def test_what_holds_no_subtitles_names_them(tmp_path):
    make_video(tmp_path / "in.mkv", range(25), subtitles="subrip")
    losses = pass_through(tmp_path / "in.mkv", tmp_path / "out.ts")
    assert kinds_in(tmp_path / "out.ts") == [("video", "h264")]
    assert named(losses, "subtitle track 1", ".ts", ".mkv")


def test_fonts_stay_in_matroska_and_are_named_elsewhere(tmp_path, shared_data):
    path = shared_data / "odd" / "ass.mkv"
    losses = pass_through(path, tmp_path / "out.mkv")
    assert losses == []
    with av.open(str(path)) as before, av.open(str(tmp_path / "out.mkv")) as after:
        fonts = [s for c in (before, after) for s in c.streams if s.type == "attachment"]
        assert fonts[0].data == fonts[1].data
        assert fonts[0].metadata["filename"] == fonts[1].metadata["filename"]
        assert after.streams.subtitles[0].codec_context.name in ("ass", "ssa")
    losses = pass_through(path, tmp_path / "out.mp4")
    assert named(losses, "font DejaVuSerif-Bold.ttf", ".mkv")
    assert named(losses, "styling of subtitle track 2")
    together = "\n".join(text for _, text in texts(path))
    assert "\n".join(text for _, text in texts(tmp_path / "out.mp4")) == together


def test_chapters_are_named_where_there_is_no_place_for_them(tmp_path):
    chapter = {"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000)}
    chapter["metadata"] = {"title": "first"}
    make_video(tmp_path / "in.mkv", range(25), chapters=[chapter], metadata={"title": "Talk"})
    assert pass_through(tmp_path / "in.mkv", tmp_path / "out.webm") == []
    losses = pass_through(tmp_path / "in.mkv", tmp_path / "out.ts")
    assert named(losses, "1 chapters") and named(losses, "tags (title)")


# Nothing hidden


def test_an_attached_picture_is_left_out_whatever_it_calls_itself(tmp_path):
    """A picture attached as a font is none."""
    make_video(tmp_path / "plain.mkv", range(5))

    def attach(output):
        output.add_attachment("font.ttf", "application/x-truetype-font", jpeg())
        output.add_attachment("cover.jpg", "image/jpeg", jpeg())

    remade(tmp_path / "plain.mkv", tmp_path / "in.mkv", attach)
    assert pictures_in(tmp_path / "in.mkv")
    losses = pass_through(tmp_path / "in.mkv", tmp_path / "out.mkv")
    assert pictures_in(tmp_path / "out.mkv") == []
    assert named(losses, "font.ttf", "only fonts") and named(losses, "the cover picture")


def test_pictures_in_tags_are_left_out_and_named(tmp_path):
    picture = base64.b64encode(jpeg()).decode()
    tags = {
        "METADATA_BLOCK_PICTURE": picture,
        "COVERART": picture,
        "XMP": f"<xmp:Thumbnails>{picture}</xmp:Thumbnails>",
        "title": "Talk",
    }
    make_video(tmp_path / "in.mkv", range(5), metadata=tags, audio=("aac",))
    assert pictures_in(tmp_path / "in.mkv")
    for suffix in (".mkv", ".mp4"):
        losses = pass_through(tmp_path / "in.mkv", tmp_path / f"out{suffix}")
        assert pictures_in(tmp_path / f"out{suffix}") == []
        for key in ("METADATA_BLOCK_PICTURE", "COVERART", "XMP"):
            assert named(losses, f"picture in the tag {key}")
        with av.open(str(tmp_path / f"out{suffix}")) as container:
            assert container.metadata["title"] == "Talk"


def test_a_second_video_is_left_out_and_named(tmp_path):
    path = tmp_path / "in.mkv"
    make_video(tmp_path / "one.mkv", range(25))
    with av.open(str(tmp_path / "one.mkv")) as source, av.open(str(path), "w") as output:
        stream = source.streams.video[0]
        both = [output.add_stream_from_template(stream, opaque=True) for _ in range(2)]
        for packet in source.demux(stream):
            if packet.size:
                copy = av.Packet(bytes(packet))
                copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
                copy.stream, copy.is_keyframe = both[1], packet.is_keyframe
                packet.stream = both[0]
                output.mux([packet, copy])
    losses = pass_through(path, tmp_path / "out.mkv")
    assert kinds_in(tmp_path / "out.mkv") == [("video", "h264")]
    assert named(losses, "video track 1 (h264)")


def test_data_is_left_out_and_named(tmp_path):
    path = tmp_path / "in.ts"
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25, width=160, height=96)
        video.pix_fmt = "yuv420p"
        data = output.add_data_stream("klv")
        for number in range(25):
            frame = av.VideoFrame(160, 96, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(video.encode(frame))
            packet = av.Packet(jpeg())
            packet.stream, packet.time_base = data, Fraction(1, 25)
            packet.pts = packet.dts = number
            output.mux(packet)
        output.mux(video.encode(None))
    assert pictures_in(path)
    losses = pass_through(path, tmp_path / "out.ts")
    assert pictures_in(tmp_path / "out.ts") == []
    assert named(losses, "data track 1")


def test_headers_of_copied_tracks_lose_their_pictures():
    picture = b"\4" + bytes(7) + b"image/jpeg" + jpeg()
    info = bytes(range(34))
    assert clean_header("flac", b"fLaC\0\0\0\x22" + info + picture) == info
    comment = b"\3vorbis" + struct.pack("<II", 0, 1) + struct.pack("<I", len(picture)) + picture
    first, last = b"\1vorbis" + bytes(23), b"\5vorbis" + bytes(40)
    lacing = bytes([len(first)]) + b"\xff" * (len(comment) // 255) + bytes([len(comment) % 255])
    clean = clean_header("vorbis", b"\2" + lacing + first + comment + last)
    assert clean.startswith(b"\2") and first in clean and clean.endswith(last)
    assert b"image" not in clean
    script = b"[Script Info]\nTitle: x\n[Graphics]\nfilename: face.png\nABC\n[Events]\nFormat: y\n"
    assert b"face.png" not in clean_header("ass", script) and b"[Events]" in script
    assert clean_header("aac", jpeg()) is None


def test_a_font_with_a_picture_behind_it_is_none(shared_data):
    with av.open(str(shared_data / "odd" / "ass.mkv")) as container:
        (font,) = [s.data for s in container.streams if s.type == "attachment"]
    assert is_font(font)
    assert not is_font(font + jpeg())
    assert not is_font(font + bytes(500))
    assert not is_font(jpeg())


# Tags


def test_metadata_is_kept_by_default_and_stripped_when_asked(tmp_path):
    tags = {
        "com.apple.quicktime.model": "Phone 9",
        "com.apple.quicktime.location.ISO6709": "+60.39+005.32/",
        "com.apple.quicktime.author": "Jörg",
        "title": "Talk",
        "creation_time": "2026-11-01T10:00:00.000000Z",
    }
    path = tmp_path / "in.mov"
    make_video(tmp_path / "plain.mov", range(5), audio=("aac",))
    options = {"movflags": "+use_metadata_tags"}
    remade(
        tmp_path / "plain.mov", path, lambda o: o.metadata.update(tags), container_options=options
    )
    for suffix in (".mov", ".mp4", ".mkv"):
        assert pass_through(path, tmp_path / f"kept{suffix}") == []
        with av.open(str(tmp_path / f"kept{suffix}")) as container:
            found = {key.lower(): text for key, text in container.metadata.items()}
            for key in tags:
                assert found[key.lower()][:10] == tags[key][:10]
        losses = pass_through(path, tmp_path / f"stripped{suffix}", strip_metadata=True)
        assert named(losses, "com.apple.quicktime.model", "as asked for")
        content = (tmp_path / f"stripped{suffix}").read_bytes()
        assert not any(word.encode() in content for word in ("Phone", "+60.39", "Jörg"))
        with av.open(str(tmp_path / f"stripped{suffix}")) as container:
            assert container.metadata.get("title", container.metadata.get("TITLE")) == "Talk"
            assert "creation_time" not in {key.lower() for key in container.metadata}


# The trial


def test_a_refusal_comes_before_any_frame_is_asked_for(tmp_path, monkeypatch):
    """What a muxer refuses at the trailer shows in the scratch file, which is removed."""
    make_video(tmp_path / "in.mp4", range(5))
    source = open_source(tmp_path / "in.mp4")
    options = EncodeOptions(codec="h264_nvenc")
    with pytest.raises(UsageError, match=r"h264_nvenc.*(device|driver|encoder).*"):
        open_sink(tmp_path / "out.mp4", source, options)
    with pytest.raises(UsageError, match=r"prores.*\.mp4.*\.mkv"):
        open_sink(tmp_path / "out.mp4", source, EncodeOptions(codec="prores"))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_the_first_video_keeps_its_place_and_disposition(tmp_path):
    make_video(tmp_path / "in.mp4", range(25), audio=("aac",), subtitles="mov_text")
    pass_through(tmp_path / "in.mp4", tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [s.type for s in container.streams] == ["video", "audio", "subtitle"]
        assert container.streams[0].disposition & Disposition.default
    assert len(frame_times(tmp_path / "out.mkv")) == 25
