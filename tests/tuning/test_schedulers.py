"""What every scheduler keeps: a trial far behind is stopped at a report, a leading one is not."""

import math
from types import SimpleNamespace
from typing import Any

import pytest

from trivium.platform.settings import build, read_component
from trivium.tuning.schedulers import REPORTS, VALUE, Scheduler
from trivium.tuning.settings import SCHEDULERS


class TrialStub:
    """What schedulers look at of Ray Tune's trial."""

    status = "RUNNING"

    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id


def decisions(
    settings: Any, mode: Any, curves: list[list[float]], former: list[list[float]] | None = None
) -> list[int]:
    """How many reports each trial makes when they train one after the other."""
    seam: Scheduler = build(read_component(settings, SCHEDULERS), SCHEDULERS, {})
    scheduler = seam.make(mode)
    seam.recall(scheduler, dict(enumerate(former or ())))
    controller = SimpleNamespace(search_alg=None, get_live_trials=list)
    lengths = []
    for number, curve in enumerate(curves):
        trial = TrialStub(str(number))
        scheduler.on_trial_add(controller, trial)
        length, result = 0, {}
        for length, value in enumerate(curve, start=1):  # the last one is the length
            result = {VALUE: value, REPORTS: length, "time_total_s": float(length)}
            if scheduler.on_trial_result(controller, trial, result) == scheduler.STOP:
                break
        scheduler.on_trial_complete(controller, trial, result)
        lengths.append(length)
    return lengths


GOOD, POOR = [0.8, 0.9, 0.95, 0.97, 0.98, 0.99], [0.1, 0.1, 0.1, 0.1, 0.1, 0.1]


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "asha", "reduction": 2},
        {"name": "median", "grace_reports": 1, "min_trials": 2},
    ],
    ids=str,
)
def test_the_poor_trial_is_stopped_and_the_good_ones_are_not(settings: Any) -> None:
    lengths = decisions(settings, "max", [GOOD, GOOD, GOOD, POOR])
    assert lengths[:3] == [6, 6, 6]
    assert lengths[3] < 6
    assert decisions(settings, "min", [POOR, POOR, POOR, GOOD])[3] < 6


def test_hyperband_gives_some_trials_a_longer_grace() -> None:
    settings = {"name": "hyperband", "reduction": 2}
    lengths = decisions(settings, "max", [GOOD] * 4 + [POOR] * 40)
    assert lengths[:4] == [6] * 4
    assert 1 in lengths[4:]


def test_without_a_scheduler_every_trial_goes_to_its_end() -> None:
    assert decisions("none", "max", [GOOD, POOR, POOR]) == [6, 6, 6]


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "asha", "reduction": 2},
        {"name": "hyperband", "reduction": 2},
        {"name": "median", "grace_reports": 1, "min_trials": 2},
    ],
    ids=str,
)
def test_a_resumed_sweep_measures_new_trials_by_those_that_ended_before(settings: Any) -> None:
    assert decisions(settings, "max", [POOR]) == [6], "alone there is nothing to compare with"
    lengths = decisions(settings, "max", [POOR] * 12, former=[[math.nan, *GOOD[1:]]] * 12)
    assert min(lengths) < 6
    assert decisions("none", "max", [POOR], former=[GOOD]) == [6]
