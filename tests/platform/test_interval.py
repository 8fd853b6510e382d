"""Intervals by hand."""

import pytest

from trivium.platform.interval import mean_and_interval


def test_the_interval_is_students():
    assert mean_and_interval([1.0, 2.0, 3.0]) == (2.0, pytest.approx(4.303 * (1 / 3) ** 0.5))
    assert mean_and_interval([5.0]) == (5.0, 0.0)


def test_values_that_share_training_rows_are_less_sure():
    assert mean_and_interval([1.0, 2.0, 3.0], overlap=0.5) == (
        2.0,
        pytest.approx(4.303 * (1 / 3 + 1 / 2) ** 0.5),
    )
