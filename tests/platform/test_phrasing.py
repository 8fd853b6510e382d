import math

import pytest

from trivium.platform.phrasing import age, duration, number, plural, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.97214, "0.9721"),
        (482.204, "482.20"),
        (61_000.0, "61,000"),
        (61_000.5, "61,000.5"),
        (61_000, "61,000"),
        (0.0, "0.0000"),
        (1.2345e-5, "1.23e-05"),
        (2.5e7, "2.5e+07"),
        (math.nan, "not finite"),
        (None, "-"),
        ("earn", "earn"),
        (True, "True"),
    ],
)
def test_numbers_have_four_decimals_and_counts_none(value: object, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.23, "4.2 s"), (59.6, "1 min"), (192, "3 min 12 s"), (7500, "2 h 5 min"), (None, "-")],
)
def test_durations_have_two_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_a_long_duration_is_in_days() -> None:
    assert duration(3 * 86_400 + 4 * 3_600) == "3 d 4 h"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "just now"), (300, "5 min ago"), (3 * 3600, "3 h ago"), (2e6, "23 d ago")],
)
def test_an_age_has_one_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_sizes_are_in_powers_of_a_thousand() -> None:
    assert [size(n) for n in (512, 1_400_000, 12e9)] == ["512 B", "1.4 MB", "12 GB"]


def test_one_is_not_plural() -> None:
    assert [plural(1, "seed"), plural(1200, "row")] == ["1 seed", "1,200 rows"]
