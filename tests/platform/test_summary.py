from datetime import UTC, datetime
from typing import Any

from trivium.platform.summary import (
    Score,
    ScoreTable,
    age_s,
    duration_s,
    larger_is_better,
    main_score,
    score_table,
    telling,
)


def test_accuracy_tells_more_than_what_was_scored_first() -> None:
    assert telling(["test/loss", "test/accuracy"]) == "test/accuracy"
    assert telling(["evaluation/length", "evaluation/return_mean"]) == "evaluation/return_mean"
    assert telling(["test/bleu", "test/other"]) == "test/bleu"
    assert telling([]) is None


def test_losses_and_errors_are_better_when_small() -> None:
    names = ("validation/loss", "test/rmse", "test/accuracy", "episode/return_mean")
    assert [larger_is_better(n) for n in names] == [False, False, True, True]


def test_an_unfinished_run_has_the_best_score_so_far(make_run: Any, learning_records: Any) -> None:
    worse_at_last = [*learning_records, dict(learning_records[0], step=440, epoch=11)]
    run = make_run(status="stopped", records=worse_at_last)
    best = 0.98 - 0.5 * 0.6**10
    assert main_score(run) == Score("validation/accuracy", best, is_final=False)


def test_the_number_of_a_trial_is_no_score(make_run: Any) -> None:
    records = [{"step": 1, "time_s": 1.0, "trial": 3, "validation/score": None}]
    assert main_score(make_run(status="failed", records=records)) is None


def test_a_run_over_seeds_has_an_interval(make_run: Any) -> None:
    run = make_run(metrics={"test/accuracy": 0.97}, result={"interval_95": {"test/accuracy": 0.01}})
    assert str(main_score(run)) == "test/accuracy 0.9700 +/- 0.0100"


def test_a_return_has_the_interval_over_its_episodes(make_run: Any) -> None:
    run = make_run(metrics={"test/return_mean": 482.2, "test/return_ci95": 5.25})
    assert str(main_score(run)) == "test/return_mean 482.20 +/- 5.2500"


def test_metrics_stand_side_by_side_at_the_best_step(make_run: Any) -> None:
    records = [
        {"step": 1, "epoch": 1, "time_s": 1.0, "train/loss": 0.5, "validation/loss": 0.6},
        {"step": 2, "epoch": 2, "time_s": 2.0, "train/loss": 0.3, "validation/loss": 0.9},
    ]
    run = make_run(metrics={"test/f1": 0.8, "test/loss": 0.7}, result={"best_step": 1})
    table = score_table(run, records)
    assert table == ScoreTable(
        ("train", "validation", "test"),
        (("f1", (None, None, 0.8)), ("loss", (0.5, 0.6, 0.7))),
    )
    assert table.note == "Train and validation: at the best step."


def test_a_policy_is_shown_as_trained_evaluated_and_tested(make_run: Any) -> None:
    record = {"step": 1, "env_steps": 9, "time_s": 1.0, "train/return_mean": 220.0, "train/kl": 0.1}
    run = make_run(metrics={"test/return_mean": 480.0}, result={"best_step": 1})
    assert score_table(run, [record | {"evaluation/return_mean": 500.0}]) == ScoreTable(
        ("train", "evaluation", "test"), (("return_mean", (220.0, 500.0, 480.0)),)
    )


def test_only_a_run_that_goes_on_gets_older_in_duration(make_run: Any) -> None:
    now = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
    assert duration_s(make_run("a-1"), now) == 72.5
    assert duration_s(make_run("a-2", status="running"), now) == 3600
    assert duration_s(make_run("a-3", status="running", pid=2**22 + 1, pid_started=1), now) is None
    assert age_s(make_run("a-4"), now) == 3600
