"""A job over folds by the command line: one run, whose children never train on what they score."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from trivium.platform.interval import mean_and_interval
from trivium.platform.run import RunFolder
from trivium.trainers.supervised.trainer import Supervised

FOLDS = """\
name: digits
dataset: {source: digits, split: {test: 0.2}}
model: {name: mlp, hidden: [16]}
validation: {folds: 3}
algorithm: {name: supervised, epochs: 2, batch_size: 32, optimizer: {name: adam, lr: 0.01}}
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "digits.yaml"
    path.write_text(FOLDS, encoding="utf-8")
    return path


def scores_of(run: RunFolder) -> dict[str, object]:
    """The result without what depends on the clock."""
    return {k: v for k, v in run.result.items() if k != "wall_time_s"}


def test_the_score_is_the_mean_over_folds_that_share_out_the_rows(job: Path, type_command) -> None:
    store = job.parent / "runs"
    typed = type_command("train", job, "--store", store)
    assert typed.code == 0, typed.err
    assert "fold 2 of 3, each with its share of every class" in typed.out
    run = RunFolder(store / "digits-1")
    children = run.children()
    assert run.info["kind"] == "folds" and [c.id for c in children] == [
        "digits-1/0",
        "digits-1/1",
        "digits-1/2",
    ]
    at_best = [next(r for r in c.metrics() if r["step"] == c.result["best_step"]) for c in children]
    values = [r["validation/accuracy"] for r in at_best]
    mean, half = mean_and_interval(values, overlap=1 / 2)
    assert run.result["metrics"]["validation/accuracy"] == pytest.approx(mean)
    assert run.result["interval_95"]["validation/accuracy"] == pytest.approx(half)
    tested = [c.result["metrics"]["test/accuracy"] for c in children]
    assert run.result["metrics"]["test/accuracy"] == pytest.approx(fmean(tested))
    assert mean > 0.8

    sets = [Supervised(c.job()).dataset for c in children]

    def rows(dataset, split: str) -> set[int]:
        record = dataset.split(split)
        part = slice(record.start, record.start + record.num_rows)
        return set(dataset.columns["row"].cells[part, 0].tolist())

    validated = [rows(d, "validation") for d in sets]
    test = rows(sets[0], "test")
    assert all(rows(d, "test") == test for d in sets)
    assert sum(map(len, validated)) == len(set.union(*validated)) == 1797 - len(test)
    assert not set.union(*validated) & test
    for dataset, own in zip(sets, validated, strict=True):
        assert not rows(dataset, "train") & (own | test)

    assert "3 folds" in type_command("runs", "--store", store).out
    shown = type_command("show", "last", "--store", store).out
    assert "3 folds" in shown and "trivium ensemble digits-1" in shown
    page = run.report.read_text()
    assert "Cross-validation" in page and "Scores over folds" in page
    assert "Mean over the folds; the band spans all of them." in page
    again = type_command("evaluate", "last", "--store", store, "--json")
    assert again.code == 0
    scored = [json.loads(line)["metrics"]["test/accuracy"] for line in again.out.splitlines()]
    assert scored == tested

    alone = type_command("train", job, "--store", store, "--set", "validation.fold=1")
    assert alone.code == 0
    one = RunFolder(store / "digits-2")
    assert one.info["kind"] == "train" and one.result["metrics"] == children[1].result["metrics"]


def test_a_killed_cross_validation_goes_on_to_the_same_numbers(
    job: Path, type_command, start_command: Callable[..., object]
) -> None:
    job.write_text(FOLDS.replace("epochs: 2", "epochs: 8"), encoding="utf-8")
    store, whole = job.parent / "runs", job.parent / "whole"
    assert type_command("train", job, "--store", whole).code == 0
    process = start_command("train", job, "--store", store)
    first = store / "digits-1" / "children" / "0" / "result.json"
    second = store / "digits-1" / "children" / "1" / "run.json"
    until = time.monotonic() + 240
    while not second.is_file() and time.monotonic() < until:
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert first.is_file() and RunFolder(store / "digits-1").status == "failed"
    assert "/3 folds" in type_command("runs", "--store", store).out
    written = first.stat().st_mtime_ns
    resumed = type_command("resume", "last", "--store", store)
    assert resumed.code == 0, resumed.err
    assert first.stat().st_mtime_ns == written  # what was finished is not trained again
    assert scores_of(RunFolder(store / "digits-1")) == scores_of(RunFolder(whole / "digits-1"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ["validation.folds=1"],
            "--set validation.folds=1: validation.folds: must be at least 2, got 1",
        ),
        (
            ["validation.fold=3"],
            "--set validation.fold=3: validation.fold: there are 3, 0 to 2; got 3",
        ),
        (
            ["seeds=2"],
            "--set seeds=2: seeds: 2 trainings a fold are not made: keep seeds or validation.folds",
        ),
        (
            ["dataset.split.validation=0.1"],
            "--set dataset.split.validation=0.1: dataset.split.validation: has no effect with "
            "validation.folds, which share all rows but those of test; leave it out",
        ),
    ],
)
def test_folds_that_cannot_take_effect_are_told(
    job: Path, type_command, changes: list[str], message: str
) -> None:
    words = [w for change in changes for w in ("--set", change)]
    typed = type_command("check", job, *words)
    assert typed.code == 2
    assert message in typed.err.replace(str(job), "job.yaml")


def test_what_one_fold_lacks_is_told_before_the_first_starts(tmp_path: Path, type_command) -> None:
    lines = "".join(f"{i},{'b' if i == 5 else 'a'}\n" for i in range(40))
    (tmp_path / "rows.csv").write_text("x,y\n" + lines)
    job = tmp_path / "rare.yaml"
    job.write_text(
        f"dataset: {{source: {tmp_path}/rows.csv, target: y, split: {{test: 0}}}}\n"
        "model: {name: mlp, hidden: [4]}\n"
        "validation: {folds: 3}\n"
        "algorithm: {name: supervised, task: {name: classification, class_weights: balanced}}\n"
    )
    typed = type_command("train", job, "--store", tmp_path / "runs")
    assert typed.code == 2 and not (tmp_path / "runs").exists()
    assert "algorithm.task: in fold " in typed.err or "algorithm.task: class_weights" in typed.err
    assert "balanced needs a training row of each class; none of b" in typed.err


def test_reinforcement_learning_has_no_folds(tmp_path: Path, type_command) -> None:
    job = tmp_path / "cart.yaml"
    job.write_text(
        "env: {id: CartPole-v1}\nmodel: mlp\nalgorithm: ppo\nstop: {env_steps: 100}\n"
        "validation: {folds: 3}\n"
    )
    typed = type_command("check", job)
    assert typed.code == 2
    assert typed.err.startswith(f"{job}:5: validation: unknown setting")


def test_interval_of_folds_by_time_counts_what_came_before() -> None:
    from trivium.platform.job import check_job

    job = check_job(
        {
            "dataset": {"source": "digits", "split": {"time": "x"}},
            "model": "mlp",
            "validation": {"folds": 3},
            "algorithm": {"name": "supervised"},
        }
    )
    assert job.repeats is not None
    assert job.repeats.overlap == pytest.approx(np.mean([1, 1 / 2, 1 / 3]))


def test_a_run_over_folds_that_is_whole_or_being_trained_is_left_alone(
    job: Path, type_command
) -> None:
    from trivium.platform.errors import UserError
    from trivium.platform.interrupt import Interrupted
    from trivium.platform.repeats import resume_repeats
    from trivium.platform.run import process_started, write_json
    from trivium.platform.runner import Screen

    assert type_command("train", job, "--store", job.parent / "runs").code == 0
    run = RunFolder(job.parent / "runs" / "digits-1")
    told: list[int] = []

    def again(**info: object) -> None:
        write_json(run.path / "run.json", run.info | info)
        resume_repeats(run, run.job(), Screen(), lambda c: told.append(len(c)), lambda: True)

    again()
    assert told == [3] and RunFolder(run.path).status == "finished"
    other = os.getppid()
    with pytest.raises(UserError) as caught:
        again(status="running", pid=other, pid_started=process_started(other))
    assert str(caught.value) == f"digits-1 is running (process {other}); stop it first"
    with pytest.raises(Interrupted) as stopped:
        again(status="stopped")
    assert str(stopped.value) == "stopped after 0 of 3 folds; all is saved"
