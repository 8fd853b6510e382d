import pytest

from trivium.platform.report.axes import Axis, make_axis, whole_axis


def labels(axis: Axis) -> list[str]:
    return [label for _, label in axis.ticks]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 1.0], ["0.0", "0.5", "1.0"]),
        ([0.91, 0.987], ["0.92", "0.94", "0.96", "0.98"]),
        ([0.0, 480.0], ["0", "200", "400"]),
        ([-0.02, 0.003], ["-0.02", "-0.01", "0.00"]),
        ([2e5, 1.9e6], ["0.5M", "1.0M", "1.5M"]),
        ([1e-5, 5e-5], ["1e-5", "2e-5", "3e-5", "4e-5", "5e-5"]),
    ],
)
def test_ticks_are_round_and_evenly_written(values: list[float], expected: list[str]) -> None:
    assert labels(make_axis(values)) == expected


def test_equal_values_still_have_an_axis_around_them() -> None:
    axis = make_axis([3.0, 3.0])
    assert axis.share(3.0) == pytest.approx(0.5)
    assert make_axis([0.0]).share(0.0) == pytest.approx(0.5)


def test_a_loss_that_falls_over_decades_gets_a_log_scale() -> None:
    axis = make_axis([100.0, 1.0, 0.1, 0.01], may_log=True)
    assert axis.is_log
    assert labels(axis) == ["0.01", "0.1", "1", "10", "100"]
    assert axis.share(0.1) - axis.share(0.01) == pytest.approx(axis.share(100) - axis.share(10))


def test_an_even_spread_stays_linear_whatever_its_range() -> None:
    assert not make_axis([0.001 + i for i in range(200)], may_log=True).is_log
    assert not make_axis([-1.0, 0.01, 100.0, 0.02, 0.03], may_log=True).is_log


def test_epochs_are_whole_numbers_without_margin() -> None:
    axis = whole_axis([1.0, 2.0, 3.0])
    assert (axis.low, axis.high, labels(axis)) == (1.0, 3.0, ["1", "2", "3"])
    assert labels(whole_axis([7.0])) == ["7"]
    assert labels(whole_axis([0, 6_000_000])) == ["0", "1M", "2M", "3M", "4M", "5M", "6M"]
