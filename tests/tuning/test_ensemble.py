"""A sweep over folds end to end, and the ensemble of its trials."""

import json
from pathlib import Path
from statistics import fmean

import pytest

from trivium.platform.run import RunFolder
from trivium.tuning.trials import trial_rows

DIGITS = """\
name: digits
dataset: {source: digits, split: {test: 0.25}}
model: {name: mlp, hidden: [8]}
validation: {folds: 2}
algorithm: {name: supervised, epochs: 2, optimizer: {name: adam, lr: 0.01}}
tune:
  search: random
  num_trials: 3
  space: {algorithm.optimizer.lr: {loguniform: [0.003, 0.03]}}
  final: {top: 0}
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "digits.yaml"
    path.write_text(DIGITS, encoding="utf-8")
    return path


def test_a_trial_over_folds_is_worth_their_mean_and_trials_make_an_ensemble(
    job: Path, type_command
) -> None:
    store = job.parent / "runs"
    typed = type_command("tune", job, "--store", store)
    assert typed.code == 0, typed.err
    sweep = RunFolder(store / "digits-1")
    rows = trial_rows(sweep)
    assert [r.status for r in rows] == ["finished"] * 3
    for row in rows:
        trial = RunFolder(sweep.path / "children" / str(row.number))
        assert trial.info["kind"] == "folds" and row.num_reports == 2
        bests = [max(r["validation/accuracy"] for r in c.metrics()) for c in trial.children()]
        assert row.value == pytest.approx(fmean(bests))

    typed = type_command("ensemble", "digits-1", "--top", 2, "--store", store)
    assert typed.code == 0, typed.err
    run = RunFolder(store / "digits-ensemble-2")
    best = sorted(rows, key=lambda r: -(r.value or 0))[:2]
    members = json.loads((run.checkpoints / "best" / "ensemble.json").read_text())["members"]
    assert [m["name"] for m in members] == [f"digits-1/{r.number}" for r in best]
    assert [len(m["fingerprints"]) for m in members] == [2, 2]
    assert run.job().algorithm.metric == "validation/accuracy"
    again = type_command("evaluate", "last", "--store", store, "--json")
    assert json.loads(again.out)["metrics"] == run.result["metrics"]


def test_seeds_do_not_multiply_with_folds_within_a_sweep(job: Path, type_command) -> None:
    typed = type_command("tune", job, "--set", "tune.seeds=2", "--store", job.parent / "runs")
    assert typed.code == 2
    assert typed.err == (
        "--set tune.seeds=2: tune.seeds: validation.folds trains each setting several times "
        "already; leave tune.seeds out\n"
    )


def test_a_sweep_of_one_trial_makes_no_ensemble(make_sweep, type_command) -> None:
    store = make_sweep(DIGITS, num_trials=1)
    typed = type_command("ensemble", "digits-1", "--store", store)
    assert typed.code == 2
    assert typed.err == "digits-1 has 0 finished trials; an ensemble needs two at least\n"


@pytest.fixture
def make_sweep(tmp_path: Path):
    """A sweep that was begun and has no trial yet."""

    def make(text: str, num_trials: int) -> Path:
        from trivium.platform.job import open_job, read_job
        from trivium.platform.run import write_json
        from trivium.platform.runner import begin
        from trivium.tuning.plan import PLAN, make_plan, plan_content

        path = tmp_path / "digits.yaml"
        path.write_text(text.replace("num_trials: 3", f"num_trials: {num_trials}"))
        file = open_job(path)
        plan, _ = make_plan(read_job(file), file.data)
        run = RunFolder(tmp_path / "runs" / "digits-1")
        run.path.mkdir(parents=True)
        begin(run, plan.job, "tune")
        write_json(run.path / PLAN, plan_content(plan))
        return tmp_path / "runs"

    return make
