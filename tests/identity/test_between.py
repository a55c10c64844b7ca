"""--between says when a choice counts: in frames, or in times of a video."""

from fractions import Fraction

import pytest

from faceveil.cli.main import build_parser
from faceveil.cli.options import request_of
from faceveil.errors import UsageError
from faceveil.frame_range import FrameRange

PAL = Fraction(25)


def times(*words, rate=PAL):
    options = build_parser().parse_args(["veil", "in.mp4", "out.mp4", "--nobody", *words])
    return request_of(options).resolve(None, rate).times


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("300-600", 300, 600),
        ("0:12-0:20", 300, 500),
        ("1:20-1:35.5", 2000, 2388),
        ("1:00:00-1:00:01", 90000, 90025),
    ],
)
def test_frames_and_times(text, first, end):
    assert times("--between", text) == (FrameRange(first, end),)


def test_several_ranges_count_together_and_none_means_always():
    assert times("--between", "0-5", "--between", "8-9") == (FrameRange(0, 5), FrameRange(8, 9))
    assert times() == ()


@pytest.mark.parametrize("text", ["5", "5-", "a-b", "1:2:3:4-5:6", "1:-2:3", "0:10-20"])
def test_what_is_no_range_is_refused_with_an_example(text, capsys):
    with pytest.raises(SystemExit):
        times("--between", text)
    assert "such as" in capsys.readouterr().err


def test_pictures_have_no_times_and_ranges_are_not_empty():
    with pytest.raises(UsageError, match="name frames"):
        times("--between", "0:10-0:20", rate=None)
    with pytest.raises(UsageError, match="empty"):
        times("--between", "9-9")
