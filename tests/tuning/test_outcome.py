"""What a sweep on disk says of itself, by files written by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trivium.platform.exhibit import Points, Table
from trivium.platform.run import RunFolder
from trivium.tuning.dimension import Dimension
from trivium.tuning.exhibits import fronts, history, slices
from trivium.tuning.objective import Objective, values_of
from trivium.tuning.outcome import parts
from trivium.tuning.progress import in_short, in_words
from trivium.tuning.settings import Distribution
from trivium.tuning.trials import TrialRow, pareto_front, ranked

LOSS = Objective("validation/loss", False)


def row(number: int, value: float | None, status: str = "finished", **point: Any) -> TrialRow:
    return TrialRow(number, status, value, 1, point, 1.0)


ROWS = [
    row(0, 0.5, lr=0.1, kind="a"),
    row(1, None, "failed", lr=0.2, kind="b"),
    row(2, 0.7, lr=0.05, kind="b"),
    row(3, 0.4, "stopped early", lr=0.3, kind="a"),
    row(4, 0.1, "failed", lr=0.3, kind="a"),
]


def test_failed_trials_have_no_rank() -> None:
    assert [r.number for r in ranked(ROWS, LOSS)] == [3, 0, 2]
    assert [r.number for r in ranked(ROWS, Objective("accuracy", True))] == [2, 0, 3]


def test_the_history_has_the_best_so_far() -> None:
    lines = history(ROWS, LOSS)
    assert lines.x == (0.0, 2.0, 3.0)
    assert lines.lines["validation/loss"] == (0.5, 0.7, 0.4)
    assert lines.lines["best so far"] == (0.5, 0.5, 0.4)


def test_a_slice_is_dots_over_numbers_and_a_table_over_choices() -> None:
    over_lr, over_kind = slices(ROWS[:4], LOSS)
    assert isinstance(over_lr, Points)
    assert isinstance(over_kind, Table)
    assert over_lr.groups == {
        "trained to its end": ((0.1, 0.5), (0.05, 0.7)),
        "stopped early": ((0.3, 0.4),),
    }
    assert over_kind.rows == (
        ("a", 2, pytest.approx(0.45), 0.5, 0.4),
        ("b", 1, 0.7, 0.7, 0.7),
    )


def test_the_front_has_the_trials_that_none_beats_in_all_aims() -> None:
    aims = (LOSS, Objective("parameters", False, is_cost=True))
    rows = [
        TrialRow(n, "finished", v[0], 1, {}, 1.0, values=v)
        for n, v in enumerate([(0.5, 100.0), (0.4, 900.0), (0.5, 900.0), (0.6, 50.0), (0.4, 900.0)])
    ] + [row(5, 0.1)]  # ended before it was measured
    assert [r.number for r in pareto_front(rows, aims)] == [1, 4, 0, 3]
    chart = fronts(rows, aims)[0]
    assert isinstance(chart, Points)
    assert (chart.x_label, chart.y_label) == ("parameters", "validation/loss")
    assert chart.groups["other trials"] == ((900.0, 0.5),)


def test_the_values_of_several_aims_are_those_of_the_model_that_is_kept(tmp_path: Path) -> None:
    lines = [{"step": 1, "a": 0.9, "b": 1.0}, {"step": 2, "a": 0.5, "b": 3.0}]
    (tmp_path / "run.json").write_text(json.dumps({"kind": "train", "status": "finished"}))
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in lines))
    result = {"best_step": 2, "costs": {"parameters": 7.0}}
    (tmp_path / "result.json").write_text(json.dumps(result))
    run = RunFolder(tmp_path)
    aims = [Objective("a", True), Objective("b", False), Objective("parameters", False, True)]
    assert values_of(run, aims) == (0.5, 3.0, 7.0)
    assert values_of(run, [*aims, Objective("latency_ms", False, True)]) is None


def test_what_no_trial_came_near_is_told() -> None:
    lr = Dimension("lr", Distribution(loguniform=(0.001, 1.0)))
    assert lr.unexplored([0.01, 0.9]) == "nothing below 0.01"
    assert lr.unexplored([0.0011, 0.9]) == ""
    kind = Dimension("kind", Distribution(choice=("a", [1], "b")))
    assert kind.unexplored(["a"]) == "never [1], b"


def test_settings_and_spaces_read_as_words() -> None:
    settings = {"algorithm.optimizer.lr": 0.003, "model.hidden": [32], "algorithm.lr": 1}
    assert in_short(settings) == "optimizer.lr 0.0030, hidden [32], algorithm.lr 1"
    assert in_words(Distribution(logint=(8, 64))) == "8 to 64 in whole numbers, by its logarithm"
    conditional = Distribution(quantized=(0, 1, 0.5), when={"kind": "a"})
    assert in_words(conditional) == "0 to 1 in steps of 0.5, when kind is a"


def test_a_run_that_is_no_sweep_is_told_so(
    tmp_path: Path, type_command: Callable[..., Any]
) -> None:
    run = tmp_path / "digits-1"
    run.mkdir()
    (run / "run.json").write_text(json.dumps({"kind": "train", "status": "finished"}))
    for words in (("ui", "digits-1"), ("train", "--from", "digits-1")):
        typed = type_command(*words, "--store", tmp_path)
        assert (typed.code, typed.err) == (
            2,
            "digits-1 is no sweep; `trivium tune JOB` makes one\n",
        )


def test_a_sweep_is_a_line_with_what_is_done(tmp_path: Path) -> None:
    run = tmp_path / "digits-1"
    for number, status in enumerate(["finished", "failed", "running"]):
        child = run / "children" / str(number)
        child.mkdir(parents=True)
        (child / "run.json").write_text(json.dumps({"status": status}))
    (run / "children" / "3").mkdir()  # just being made
    (run / "run.json").write_text(json.dumps({"kind": "tune", "status": "running"}))
    (run / "sweep.json").write_text(json.dumps({"num_trials": 10}))
    lines = [{"step": n, "time_s": 30.0 * n} for n in (1, 2)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in lines))
    assert parts(RunFolder(run)) == "2/10 trials, 1 failed, 4 min left"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train",), "train: give a job file, or --from SWEEP\n"),
        (("train", "j.yaml", "--from", "s"), "--from s has a job of its own: leave j.yaml out\n"),
        (("train", "j.yaml", "--trial", "1"), "--trial has no effect without --from SWEEP\n"),
        (
            ("train", "--from", "s", "--set", "a=1"),
            "--set has no effect with --from SWEEP: the settings are the trial's\n",
        ),
    ],
)
def test_words_that_have_no_effect_are_refused(
    words: tuple[str, ...], message: str, type_command: Callable[..., Any]
) -> None:
    typed = type_command(*words)
    assert (typed.code, typed.err) == (2, message)
