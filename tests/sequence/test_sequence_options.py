"""Options that make no sense are refused with what to use instead."""

import pytest

from faceveil.errors import UsageError
from faceveil.sequence.options import THESIS, SequenceOptions


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("distance", "euclid"),
        ("interpolation", "spline"),
        ("smoothing", "kalman"),
        ("smoothing_window", 8),
        ("smoothing_window", 1),
        ("max_gap", 0),
        ("join_gap", -1),
        ("extension", -1),
        ("min_length", -1),
    ],
)
def test_a_wrong_option_is_named(option, value):
    with pytest.raises(UsageError, match=option):
        SequenceOptions(**{option: value})


def test_the_thesis_parameters():
    assert (THESIS.distance, THESIS.join_gap, THESIS.interpolation) == ("thesis", 40, "pchip")
    assert (THESIS.smoothing, THESIS.smoothing_window) == ("moving_average", 9)
