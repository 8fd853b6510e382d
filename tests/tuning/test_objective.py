"""What is made best, and in which direction."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from trivium.platform.errors import UserError
from trivium.platform.exhibit import Metric
from trivium.platform.run import RunFolder
from trivium.platform.settings import validate
from trivium.tuning.objective import Objective, choose_objective, curve_of, without_value
from trivium.tuning.settings import TuneSettings

METRICS = (
    Metric("train/loss", "", False),
    Metric("validation/loss", "", False),
    Metric("validation/accuracy", "", True),
)


def settings(**given: object) -> TuneSettings:
    return validate(TuneSettings, {"space": {"a": {"int": [0, 1]}}, **given})


def test_the_most_telling_held_out_metric_is_taken_with_its_own_direction() -> None:
    assert choose_objective(settings(), METRICS) == Objective("validation/accuracy", True)
    chosen = choose_objective(settings(metric="validation/loss"), METRICS)
    assert chosen == Objective("validation/loss", False)
    assert choose_objective(settings(mode="min"), METRICS).mode == "min"


def test_a_metric_that_is_not_reported_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError) as error:
        choose_objective(settings(metric="validation/acuracy"), METRICS)
    assert str(error.value) == (
        "tune.metric: 'validation/acuracy' is not reported; did you mean validation/accuracy? "
        "(one of validation/loss, validation/accuracy)"
    )


def test_values_that_are_not_finite_are_passed_over_but_counted() -> None:
    records = [{"loss": 3.0}, {"other": 1.0}, {"loss": None}, {"loss": 2.0}, {"loss": 4.0}]
    assert Objective("loss", False).best_of(records) == (2.0, 4)
    assert Objective("loss", True).best_of(records) == (4.0, 4)
    assert Objective("loss", True).best_of([]) == (None, 0)


def write_run(path: Path, records: list[dict[str, Any]], kind: str = "train") -> RunFolder:
    path.mkdir(parents=True)
    (path / "run.json").write_text(json.dumps({"kind": kind, "status": "finished"}))
    (path / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    return RunFolder(path)


def test_a_scheduler_is_told_the_best_so_far_at_each_report(tmp_path: Path) -> None:
    records = [{"loss": None}, {"loss": 3.0}, {"other": 1.0}, {"loss": 4.0}, {"loss": 2.0}]
    run = write_run(tmp_path / "1", records)
    first, *others = curve_of(run, Objective("loss", False))
    assert math.isnan(first)
    assert others == [3.0, 3.0, 2.0]
    over_seeds = write_run(tmp_path / "2", [], kind="seeds")
    write_run(tmp_path / "2" / "children" / "0", [{"loss": 3.0}, {"loss": 1.0}])
    write_run(tmp_path / "2" / "children" / "1", [{"loss": 2.0}])
    assert curve_of(over_seeds, Objective("loss", False)) == [1.0, 1.5]


def test_a_run_without_a_value_says_why(tmp_path: Path) -> None:
    objective = Objective("validation/loss", False)
    run = write_run(tmp_path / "1", [{"validation/loss": None}, {"other": 1.0}])
    assert without_value(run, objective) == "validation/loss was never finite"
    run = write_run(tmp_path / "2", [{"train/loss": 1.0}])
    assert without_value(run, objective) == "never reported validation/loss"
