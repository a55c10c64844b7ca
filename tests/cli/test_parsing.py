"""The texts of arguments: what they mean, and that a wrong one is answered with an example."""

from argparse import ArgumentTypeError
from fractions import Fraction
from pathlib import Path

import pytest

from faceveil.cli import parsing


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parsing.point, "1500:640,300.5", (1500, 640.0, 300.5)),
        (parsing.between, "300-600", (300, 600, False)),
        (parsing.between, "1:20-1:35.5", (80, Fraction("95.5"), True)),
        (parsing.between, "1:00:00-1:00:01", (3600, 3601, True)),
        (parsing.positive, "7", 7),
        (parsing.rate, "30000/1001", Fraction(30000, 1001)),
        (parsing.rate, "29.97", Fraction(2997, 100)),
        (parsing.size, "1920x1080", (1920, 1080)),
        (parsing.person, "Ann Lee=photos/ann", ("Ann Lee", Path("photos/ann"))),
        (parsing.verify_frames, "every", 1),
        (parsing.verify_frames, "12", 12),
        (parsing.verify_frames, "sampled", "sampled"),
        (parsing.percent, "70", 70.0),
    ],
)
def test_a_text_becomes_its_value(parse, text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parsing.point, "1500:640"),
        (parsing.between, "300"),
        (parsing.between, "0:01-0/1"),
        (parsing.between, "0:01-0/0:1"),
        (parsing.between, "0:01-"),
        (parsing.between, "0:01-0:1/0"),
        (parsing.positive, "0"),
        (parsing.positive, "-1"),
        (parsing.rate, "0"),
        (parsing.rate, "1/0"),
        (parsing.rate, "nan"),
        (parsing.rate, "inf"),
        (parsing.rate, "fast"),
        (parsing.size, "big"),
        (parsing.size, "0x5"),
        (parsing.person, "Ann"),
        (parsing.verify_frames, "0"),
        (parsing.verify_frames, "some"),
        (parsing.percent, "101"),
        (parsing.percent, "nan"),
    ],
)
def test_a_wrong_text_is_answered_with_an_example(parse, text):
    with pytest.raises(ArgumentTypeError, match=r"such as|from 0 to 100|from 1 on"):
        parse(text)
