"""Protects: any small video comes out with the same frames, the same times and the same sound."""

import itertools
import tempfile
from fractions import Fraction
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faceveil.media.video import VideoSource
from testkit.made_media import frame_times, make_video, number_of, streams_of
from testkit.video_files import pass_through

CODECS = [("libx264", ".mp4"), ("libx264", ".mkv"), ("mpeg4", ".mkv"), ("ffv1", ".mkv")]
CODECS += [("libx264", ".ts"), ("mpeg2video", ".ts"), ("libx265", ".mp4")]


def sound_of(path):
    """The encoded packets of each track of sound."""
    tracks = streams_of(path).items()
    return [
        [packet for _, _, packet in packets] for (_, kind), packets in tracks if kind == "audio"
    ]


@st.composite
def videos(draw):
    codec, suffix = draw(st.sampled_from(CODECS))
    is_fixed = codec in ("mpeg4", "mpeg2video")
    rate = draw(st.sampled_from([Fraction(1, 25), Fraction(1001, 30000), Fraction(1, 50)]))
    rate = Fraction(1, 25) if is_fixed else rate
    gaps = st.just(1) if is_fixed else st.integers(1, 9)
    steps = draw(st.lists(gaps, min_size=10, max_size=20))
    start = 0 if is_fixed else draw(st.integers(0, 40))
    times = list(itertools.accumulate(steps, initial=start))
    size = (draw(st.sampled_from([144, 160, 178])), draw(st.sampled_from([64, 96, 98])))
    sounds = draw(st.sampled_from([(), ("aac",), ("aac", "aac"), ("mp2",)]))
    target = draw(st.sampled_from([".mp4", ".mov", ".mkv", ".ts"]))
    return codec, suffix, rate, times, size, sounds, target


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(videos())
def test_any_small_video_comes_out_whole(video):
    codec, suffix, rate, times, size, sounds, target_suffix = video
    with tempfile.TemporaryDirectory() as folder:
        path, target = Path(folder, f"in{suffix}"), Path(folder, f"out{target_suffix}")
        make_video(path, times, rate, size=size, codec=codec, audio=sounds, b_frames=0)
        losses = pass_through(path, target)
        assert not any("track" in loss and "encoding" not in loss for loss in losses)
        before, after = frame_times(path), frame_times(target)
        assert len(after) == len(before) == len(times)
        shift = after[0] - before[0]
        if suffix != ".ts" and target_suffix != ".ts":
            # Matroska has no time before zero, where the first block of AAC begins.
            assert abs(shift) <= Fraction(1, 40), "only a broadcast's clock is moved"
        moved = [abs(b - a - shift) for a, b in zip(before, after, strict=True)]
        assert max(moved) <= Fraction(1, 1000)
        numbers = [number_of(frame.rgb()) for frame in VideoSource(target)]
        assert numbers == [number_of(frame.rgb()) for frame in VideoSource(path)]
        for first, second in zip(sound_of(path), sound_of(target), strict=True):
            assert len(first) == len(second)  # in a transport stream with a header before each
            pairs = zip(first, second, strict=True)
            assert all(one.endswith(other) or other.endswith(one) for one, other in pairs)
        starts = [
            [packets[0][0] for (_, kind), packets in streams_of(file).items() if kind == "audio"]
            for file in (path, target)
        ]
        for first, second in zip(*starts, strict=True):
            assert abs(second - first - shift) <= Fraction(1, 500), "in step"
