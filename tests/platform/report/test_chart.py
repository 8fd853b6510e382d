import json
import re

import pytest

from trivium.platform.curves import Curve, CurveGroup
from trivium.platform.report.chart import MAX_POINTS, draw


def group(*curves: Curve) -> CurveGroup:
    return CurveGroup("loss", "epoch", curves)


def test_a_curve_runs_from_corner_to_corner() -> None:
    chart = draw(group(Curve("train/loss", (0.0, 1.0), (0.0, 1.0))))
    assert chart is not None
    # 5% of margin above and below: 0.05 / 1.1 of the height.
    assert chart.traces[0].line == "M0.0 954.5L1000.0 45.5"
    assert chart.traces[0].dots == "M0.0 954.5h0M1000.0 45.5h0"
    assert chart.summary == "loss over epoch: train/loss from 0.0000 to 1.0000"


def test_a_value_that_is_not_finite_breaks_the_curve_and_is_marked() -> None:
    y = (1.0, 2.0, None, 1.0)
    chart = draw(group(Curve("train/loss", (0.0, 1.0, 2.0, 4.0), y)))
    assert chart is not None
    assert chart.traces[0].line.count("M") == 1
    assert chart.traces[0].dots.count("M") == 3
    assert chart.gaps == (0.5,)


def test_nothing_finite_is_no_chart() -> None:
    assert draw(group(Curve("train/loss", (1.0,), (None,)))) is None


def test_thousands_of_points_are_thinned_and_the_extremes_stay() -> None:
    values = [float(i % 7) for i in range(20_000)]
    values[12_345] = 1_000.0
    values[777] = -1_000.0
    chart = draw(group(Curve("train/loss", tuple(map(float, range(20_000))), tuple(values))))
    assert chart is not None
    drawn = json.loads(chart.readout)["curves"][0]
    assert len(drawn["x"]) <= MAX_POINTS + 2
    assert (max(drawn["y"]), min(drawn["y"])) == (1_000.0, -1_000.0)
    assert drawn["x"] == sorted(drawn["x"])
    assert (drawn["x"][0], drawn["x"][-1]) == (0.0, 19_999.0)


def test_a_long_noisy_curve_gets_its_running_mean() -> None:
    noisy = tuple(float(i % 2) for i in range(1_000))
    chart = draw(group(Curve("train/loss", tuple(map(float, range(1_000))), noisy)))
    calm = draw(group(Curve("train/loss", (0.0, 1.0), (0.0, 1.0))))
    assert chart is not None and calm is not None
    heights = [float(p.split()[1]) for p in re.split("[ML]", chart.traces[0].smooth)[1:2]]
    assert heights == [pytest.approx(500, abs=50)]
    assert calm.traces[0].smooth == ""


def test_a_band_is_a_closed_shape_and_the_best_step_is_marked() -> None:
    banded = Curve("return", (0.0, 10.0), (1.0, 2.0), (0.0, 1.0), (2.0, 3.0))
    chart = draw(group(banded), mark=5.0)
    assert chart is not None
    assert chart.traces[0].band == "M0.0 348.5L1000.0 45.5 1000.0 651.5 0.0 954.5Z"
    assert chart.mark == 0.5
    outside = draw(group(banded), mark=11.0)
    assert outside is not None and outside.mark is None


def test_points_that_are_not_joined_are_dots_on_an_axis_of_their_own() -> None:
    group = CurveGroup("score", "lr", (Curve("trials", (0.01, 0.1, 1.0), (1.0, 3.0, 2.0)),))
    chart = draw(group, is_joined=False, is_log=True)
    assert chart is not None
    assert chart.traces[0].line == ""
    assert chart.traces[0].dots.count("M") == 3
    assert chart.x.share(0.1) == pytest.approx(0.5)
    assert json.loads(chart.readout)["log"] is True


def test_several_lines_in_one_colour_are_broken_where_x_falls_back() -> None:
    several = Curve("others", (1.0, 2.0, 2.0) * 80, (1.0, 2.0, None) * 80)
    chart = draw(CurveGroup("score", "report", (several,)), marks_gaps=False)
    assert chart is not None
    assert chart.traces[0].line.count("M") == 80
    assert (chart.gaps, chart.traces[0].smooth) == ((), "")
    # The read-out looks for the nearest place, which such a curve has no order for.
    assert json.loads(chart.readout)["curves"][0]["x"] == []
