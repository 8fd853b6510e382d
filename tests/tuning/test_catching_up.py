"""What is set right when a trial is handed out twice, or its driver died before it ended."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.tuning.conftest import write_sweep

from trivium.platform.console import Console
from trivium.platform.errors import UserError
from trivium.platform.job import open_job, read_job
from trivium.platform.run import RunFolder, process_started
from trivium.platform.runner import begin
from trivium.tuning.objective import Objective
from trivium.tuning.plan import PLAN, make_plan, plan_content
from trivium.tuning.progress import SweepProgress
from trivium.tuning.sweep import Sweep
from trivium.tuning.trial import ENDED, REASON, TrialWorker, config_of, train_child
from trivium.tuning.trials import trial_rows

SCORE = Objective("validation/score", True)


@pytest.fixture
def sweep(tmp_path: Path, sweep_job: Path) -> Sweep:
    """A sweep of three trials that were made and not trained."""
    write_sweep(
        sweep_job, "scheduler: asha\nnum_trials: 3\nspace: {algorithm.x: {uniform: [0, 1]}}"
    )
    file = open_job(sweep_job)
    job = read_job(file)
    plan, _ = make_plan(job, file.data)
    run = RunFolder(tmp_path / "parabola-1")
    run.path.mkdir()
    begin(run, job, "tune")
    (run.path / PLAN).write_text(json.dumps(plan_content(plan)))
    made = Sweep(run, plan, SweepProgress(run, plan, Console()))
    for number in range(3):
        made.new_child(number, {"algorithm.x": number / 10})
    return made


def amend(child: RunFolder, **changes: Any) -> None:
    (child.path / "run.json").write_text(json.dumps(child.info | changes))


def test_only_the_worker_that_is_asked_to_train_touches_the_run(sweep: Sweep) -> None:
    child = sweep.trials()[0]
    config = config_of(child, [SCORE], is_final=False)
    thrown_away, kept = TrialWorker.__new__(TrialWorker), TrialWorker.__new__(TrialWorker)
    thrown_away.setup(config)
    kept.setup(config)
    assert repr(kept) == "trials of parabola-1"
    results = [kept.step()]
    thrown_away.cleanup()
    while "done" not in results[-1]:
        results.append(kept.step())
    kept.cleanup()
    assert results[-1][ENDED] == "finished"
    assert [r["step"] for r in RunFolder(child.path).metrics()] == [1, 2, 3]


def test_a_trial_that_another_process_trains_is_left_alone(sweep: Sweep) -> None:
    child = sweep.trials()[0]
    amend(child, status="running", pid=1, pid_started=process_started(1))
    with pytest.raises(UserError) as error:
        train_child(RunFolder(child.path), SCORE, lambda *_: None, lambda: False)
    assert str(error.value) == f"{child.id} is running (process 1); stop it first"
    amend(child, status="finished")
    train_child(RunFolder(child.path), SCORE, lambda *_: None, lambda: False)
    assert RunFolder(child.path).metrics() == []


def test_a_trial_whose_metric_was_never_finite_has_failed(sweep: Sweep) -> None:
    child = sweep.trials()[0]
    job = (child.path / "job.yaml").read_text()
    (child.path / "job.yaml").write_text(job.replace("kind: plain", "kind: nan"))
    worker = TrialWorker.__new__(TrialWorker)
    worker.setup(config_of(child, [SCORE], is_final=False))
    ended = worker.step()
    assert (ended[ENDED], ended[REASON]) == ("failed", "validation/score was never finite")
    sweep.ended(0, ended[ENDED], None, ended[REASON])
    (row, *_) = trial_rows(sweep.run)
    assert (row.status, row.error) == ("failed", "validation/score was never finite")
    assert RunFolder(child.path).result["metrics"] == {}
    assert "warning: test/score is nan, and left out of the result" in child.log.read_text()


def test_ends_that_no_driver_wrote_are_written_when_the_sweep_goes_on(sweep: Sweep) -> None:
    trials = sweep.trials()
    for child, value in ((trials[0], 0.5), (trials[1], None), (trials[2], 0.1)):
        (child.path / "metrics.jsonl").write_text(
            json.dumps({"step": 1, "validation/score": value}) + "\n"
        )
    amend(trials[0], status="finished")
    amend(trials[1], status="finished")  # all that it reported was not finite
    amend(trials[2], status="stopped", error="stopped at report 1")  # by the scheduler
    again = Sweep(sweep.run, sweep.plan, SweepProgress(sweep.run, sweep.plan, Console()))
    for _ in range(2):  # the second time there is nothing left to write
        again.catch_up(again.trials(), closed={0, 2})
    assert [r.status for r in trial_rows(sweep.run)] == ["finished", "failed", "stopped early"]
    assert [(r["trial"], r["validation/score"]) for r in sweep.run.metrics()] == [
        (0, 0.5),
        (1, None),
        (2, 0.1),
    ]
    third = Sweep(sweep.run, sweep.plan, SweepProgress(sweep.run, sweep.plan, Console()))
    assert third.progress.told == {0, 1, 2}
