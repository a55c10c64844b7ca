"""Key frames with the same parameter sets have one size, so that one of them is decoded."""

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.media.parameter_sets import ParameterSets
from testkit.made_media import make_video


def of_key_frames(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        sets = ParameterSets(stream.codec_context.name, stream.codec_context.extradata)
        packets = [packet for packet in container.demux(stream) if packet.size]
        return [sets.of(bytes(packet)) for packet in packets if packet.is_keyframe]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("name", ["a.mkv", "a.ts"])
def test_all_key_frames_of_a_video_use_the_same_sets(tmp_path, codec, name):
    """Behind lengths or start codes, with sets in the header or repeated before each key frame."""
    options = {"x265-params": "keyint=5:log-level=error"} if codec == "libx265" else {"g": "5"}
    make_video(tmp_path / name, range(30), codec=codec, options=options)
    found = of_key_frames(tmp_path / name)
    assert len(found) == 6
    assert len(set(found)) == 1 and found[0] is not None


def test_another_size_has_other_sets(tmp_path):
    """A stream whose parts differ in nothing but their size."""
    found = []
    for size in ((160, 96), (192, 96)):
        make_video(tmp_path / "a.ts", range(10), size=size, options={"g": "5"})
        found.append(set(of_key_frames(tmp_path / "a.ts")))
    assert not found[0] & found[1]


@pytest.mark.parametrize("header", [None, b"", b"\x01", b"\x01" + 30 * b"\xff", b"\0\0\1\x67"])
@given(packet=st.binary(max_size=60), codec=st.sampled_from(["h264", "hevc", "vp9"]))
def test_any_bytes_are_answered(header, packet, codec):
    """A broken packet is one that cannot be told, which is then decoded."""
    found = ParameterSets(codec, header).of(packet)
    assert found is None or codec != "vp9"
