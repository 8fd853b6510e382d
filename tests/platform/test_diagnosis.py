"""Each rule of `why` on a run written by hand; the words are the interface, so they are whole."""

import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from trivium.platform.checkpoint import write_checkpoint
from trivium.platform.diagnosis import Diagnosis, diagnose, render_diagnosis
from trivium.platform.exhibit import Matrix
from trivium.platform.run import RunFolder

SMALLER_LR = "trivium train runs/digits-cnn-1/job.yaml --set algorithm.optimizer.lr=0.0001"


def save(run: RunFolder, step: int) -> None:
    write_checkpoint(
        run.checkpoints, "last", step, lambda p: (p / "state").write_text("x") and None
    )


def supervised(losses: list[tuple[float | None, float | None]]) -> list[dict[str, Any]]:
    return [
        {"step": 10 * i, "epoch": i, "time_s": float(i), "train/loss": a, "validation/loss": b}
        for i, (a, b) in enumerate(losses, start=1)
    ]


def returns(values: list[float]) -> list[dict[str, Any]]:
    return [
        {"step": i, "env_steps": 1000 * i, "time_s": float(i), "episode/return_mean": v}
        for i, v in enumerate(values, start=1)
    ]


def test_a_good_run_needs_no_cure(make_run: Any, learning_records: Any) -> None:
    flat_end = [*learning_records, *(dict(learning_records[-1], epoch=e) for e in (11, 12, 13, 14))]
    run = make_run(records=flat_end, metrics={"test/accuracy": 0.97}, result={"best_step": 1400})
    assert diagnose(run) == Diagnosis(
        "digits-cnn-1",
        "finished",
        "It finished: test/accuracy 0.9700, at best step 1,400.",
        (),
        "trivium evaluate digits-cnn-1",
    )


def test_a_loss_that_is_not_finite(make_run: Any) -> None:
    error = "the loss is not finite at step 30 (epoch 3). Try a smaller algorithm.optimizer.lr"
    records = supervised([(1.0, 1.0), (0.9, 0.9), (None, None)])
    said = diagnose(make_run(status="failed", records=records, error=error))
    assert said.sentences == (f"It failed: {error}.",)
    assert said.next_command == SMALLER_LR


def test_a_non_finite_value_that_the_error_does_not_mention(make_run: Any) -> None:
    records = supervised([(1.0, 1.0), (None, 0.9)])
    said = diagnose(make_run(status="failed", records=records, error="AssertionError: bad labels"))
    assert said.ending == (
        "It failed: train/loss was not finite at step 20. AssertionError: bad labels. "
        "A smaller learning rate is the usual cure, gradient clipping the next."
    )


def test_an_absurd_learning_rate_is_not_just_divided(make_run: Any) -> None:
    job = "algorithm: {name: supervised, optimizer: {lr: 1000000.0}}\n"
    said = diagnose(make_run(status="failed", job=job, error="the loss is not finite"))
    assert said.next_command.endswith("--set algorithm.optimizer.lr=0.001")


def test_memory_that_ran_out_halves_the_batch(make_run: Any) -> None:
    error = "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"
    said = diagnose(make_run(status="failed", error=error))
    assert said.ending == (
        f"Memory ran out: {error}. A smaller batch needs less (gradient accumulation keeps the "
        f"step the same), so does a smaller model."
    )
    assert said.next_command == (
        "trivium train runs/digits-cnn-1/job.yaml --set algorithm.batch_size=64"
    )


def test_a_full_disk_goes_on_from_the_checkpoint(make_run: Any) -> None:
    run = make_run(status="failed", error="OSError: [Errno 28] No space left on device: 'x'")
    save(run, 1200)
    said = diagnose(run)
    assert said.ending == (
        "The disk is full: OSError: [Errno 28] No space left on device: 'x'. Make room first "
        "(`trivium doctor` shows where), then go on. It goes on from its checkpoint of step 1,200."
    )
    assert said.next_command == "trivium resume digits-cnn-1"


def test_a_missing_package(make_run: Any) -> None:
    error = "ModuleNotFoundError: No module named 'gymnasium.envs'"
    said = diagnose(make_run(status="failed", error=error))
    assert said.ending == (
        "The Python module 'gymnasium' is not installed here. If it is not a package but a file "
        "of yours, the job must name it as file.py:Name."
    )
    assert said.next_command == "trivium doctor"


def test_a_lost_worker_is_found_in_the_log(make_run: Any) -> None:
    log = "epoch 1\nray.exceptions.ActorDiedError: The actor died unexpectedly\n(node 10.0.0.7)\n"
    said = diagnose(make_run(status="failed", error="RunFailed: worker 1", log=log))
    assert said.ending == (
        "A worker of the cluster was lost: ray.exceptions.ActorDiedError: The actor died "
        "unexpectedly. Often its node ran out of memory or was taken back. It saved no "
        "checkpoint, so resuming starts from the beginning."
    )


def test_any_other_failure_in_its_own_words(make_run: Any) -> None:
    records = supervised([(1.0, 1.0)])
    run = make_run(status="failed", records=records, error="KeyError: 'label'")
    said = diagnose(run)
    assert said.ending == "It failed after epoch 1: KeyError: 'label'."
    assert said.next_command == f"tail -n 40 {run.log}"


def test_a_killed_process_is_not_running(make_run: Any) -> None:
    records = returns([20.0, 30.0])
    run = make_run(status="running", records=records, pid=2**22 + 1, pid_started=1)
    save(run, 2)
    said = diagnose(run)
    assert said.status == "dead"
    assert said.ending == (
        f"Its process (4194305 on {socket.gethostname()}) ended after 2,000 environment steps "
        f"without writing how: it was killed (by `kill -9`, or by the system when memory ran "
        f"out), or the machine went down. It goes on from its checkpoint of step 2."
    )
    assert said.next_command == "trivium resume digits-cnn-1"


def test_a_stopped_run_can_go_on(make_run: Any) -> None:
    run = make_run(status="stopped", records=supervised([(1.0, 1.0), (0.5, 0.6)]))
    save(run, 20)
    said = diagnose(run)
    assert said.ending == (
        "It was asked to stop and did so at epoch 2. It goes on from its checkpoint of step 20."
    )
    assert said.next_command == "trivium resume digits-cnn-1"


def test_a_running_run_says_how_far_it_is(make_run: Any) -> None:
    started = (datetime.now(UTC) - timedelta(seconds=192)).isoformat()
    run = make_run(status="running", records=supervised([(1.0, 1.0)]), started=started)
    assert diagnose(run).ending == (
        "It is running since 3 min 12 s and is at epoch 1; best so far: validation/loss 1.0000."
    )
    assert diagnose(run).next_command == "trivium show digits-cnn-1"


def test_a_silent_run_may_be_stuck(make_run: Any) -> None:
    run = make_run(status="running", records=supervised([(1.0, 1.0), (0.9, 0.9)]))
    an_hour_ago = datetime.now().timestamp() - 3600
    os.utime(run.path / "metrics.jsonl", (an_hour_ago, an_hour_ago))
    assert diagnose(run).ending == (
        "It is running, but its last report, at epoch 2, is 1 h old, where 1.0 s was the longest "
        "time between two: it may be stuck."
    )


def test_overfitting_since_an_epoch(make_run: Any) -> None:
    losses = [(1.0, 0.9), (0.6, 0.5), (0.3, 0.6), (0.1, 0.7), (0.05, 0.8)]
    run = make_run(records=supervised(losses), metrics={"test/loss": 0.5})
    said = diagnose(run)
    assert said.warnings == (
        "It overfits since epoch 2: validation loss rose from 0.5000 to 0.8000 while training "
        "loss fell from 0.6000 to 0.0500; stop earlier, regularize more, or augment.",
    )
    assert said.next_command == (
        "trivium train runs/digits-cnn-1/job.yaml --set algorithm.early_stopping.patience=3"
    )


def test_a_loss_that_rises_on_the_training_data_diverged(make_run: Any) -> None:
    run = make_run(records=supervised([(2.0, 2.0), (0.5, 0.6), (1.9, 2.0), (40.0, 41.0)]))
    said = diagnose(run)
    assert said.warnings[0] == (
        "It diverged: training loss rose from 0.5000 at epoch 2 to 40.0000."
    )
    assert said.next_command == SMALLER_LR


def test_what_the_trainer_said_of_gradients_is_told_again(make_run: Any) -> None:
    log = "epoch 1\ngradients: the gradients of conv1 vanish (norm 1e-9): try init: he\nepoch 2\n"
    assert diagnose(make_run(log=log)).warnings == (
        "The gradients of conv1 vanish (norm 1e-9): try init: he.",
    )


def test_a_loss_that_never_moves(make_run: Any) -> None:
    run = make_run(records=supervised([(2.302, 2.303), (2.301, 2.302), (2.302, 2.303)]))
    assert diagnose(run).warnings == (
        "Training loss has not moved: 2.3020 at epoch 1, 2.3020 at epoch 3. The learning rate may "
        "be far too small or too large, or the inputs are not scaled.",
    )


def test_a_constant_prediction_is_not_learning(make_run: Any) -> None:
    constant = Matrix("Confusion", ("no", "yes"), ("no", "yes"), ((60.0, 0.0), (40.0, 0.0)))
    said = diagnose(make_run(exhibits=(constant,), metrics={"test/accuracy": 0.6}))
    assert said.warnings == (
        "It predicts 'no' for nearly every row, so it has learned nothing but the most frequent "
        "answer (accuracy 0.6000).",
    )


def test_an_accuracy_that_the_most_frequent_class_has_too(make_run: Any) -> None:
    poor = Matrix("Confusion", ("no", "yes"), ("no", "yes"), ((40.0, 20.0), (30.0, 10.0)))
    assert diagnose(make_run(exhibits=(poor,))).warnings == (
        "Its accuracy 0.5000 is not above 0.6000, the share of the most frequent class.",
    )


def test_a_regression_that_is_no_better_than_the_mean(make_run: Any) -> None:
    assert diagnose(make_run(metrics={"test/rmse": 70.0, "test/r2": -0.013})).warnings == (
        "R2 on the test split is -0.0130: no better than always predicting the mean. "
        "Are the inputs standardized?",
    )


def test_a_loss_that_still_fell_asks_for_more_epochs(make_run: Any, learning_records: Any) -> None:
    said = diagnose(make_run(records=learning_records, metrics={"test/accuracy": 0.97}))
    assert said.warnings == (
        "Validation loss was still falling when it ended (from 0.1437 to 0.1069 over the last 2 "
        "reports): longer training may score better.",
    )
    assert said.next_command == (
        "trivium train runs/digits-cnn-1/job.yaml --set algorithm.epochs=20"
    )


def test_a_return_that_never_rose(make_run: Any, rl_job: str) -> None:
    flat = returns([21.0, 20.0, 22.0, 21.0, 20.0, 21.0, 22.0, 20.0, 21.0, 20.0])
    said = diagnose(make_run("cartpole-ppo-2", records=flat, job=rl_job))
    assert said.warnings == (
        "The return never rose: 21.0000 at the start, 20.3333 at 10,000 environment steps. Look "
        "at the scale of the rewards, the exploration and the learning rate.",
    )
    assert said.next_command == (
        "trivium train runs/cartpole-ppo-2/job.yaml --set algorithm.lr=0.0002"
    )


def test_a_return_that_is_flat_short_of_its_goal(make_run: Any, rl_job: str) -> None:
    values = [20.0, 60.0, 100.0, 150.0, 200.0, *[200.0] * 8]
    assert diagnose(make_run(records=returns(values), job=rl_job)).warnings == (
        "The return is flat since 7,000 environment steps: 200 then, 200 at the end, short of the "
        "goal 475.",
    )
    reached = [20.0, 200.0, *[480.0] * 10]
    assert diagnose(make_run("a-2", records=returns(reached), job=rl_job)).warnings == ()
    scored = {"test/return_mean": 490.0}  # greedy play reaches what exploring play does not
    run = make_run("a-3", records=returns(values), job=rl_job, metrics=scored)
    assert diagnose(run).warnings == ()


def test_a_policy_that_was_good_and_lost_it(make_run: Any, rl_job: str) -> None:
    values = [20.0, 100.0, 200.0, 300.0, 400.0, 400.0, 390.0, 300.0, 120.0, 60.0, 40.0, 30.0]
    assert diagnose(make_run(records=returns(values), job=rl_job)).warnings[0] == (
        "The policy collapsed: its return fell from 396.67 at 7,000 environment steps to 43.3333 "
        "at 12,000 environment steps; smaller steps hold it (learning rate, clip range, target KL)."
    )


def test_a_run_over_seeds_explains_the_one_that_failed(make_run: Any) -> None:
    parent = make_run("digits-cnn-4", kind="seeds", status="failed", error="KeyError: 'x'")
    make_run("digits-cnn-4/0")
    make_run("digits-cnn-4/1", status="failed", error="KeyError: 'x'")
    said = diagnose(parent)
    assert said.ending == (
        "1 of 2 runs inside it finished. digits-cnn-4/1: It failed before its first report: "
        "KeyError: 'x'."
    )
    assert said.next_command == "trivium resume digits-cnn-4"


def test_commands_name_a_store_that_is_not_the_usual_one(
    make_run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = make_run(status="stopped")
    monkeypatch.setenv("TRIVIUM_STORE", str(tmp_path / "elsewhere"))
    assert diagnose(run).next_command == "trivium resume digits-cnn-1 --store runs"


def test_it_is_one_paragraph_and_the_next_command(make_run: Any, capsys: Any) -> None:
    run = make_run(status="stopped")
    render_diagnosis(diagnose(run), Console(width=200, highlight=False))
    assert capsys.readouterr().out == (
        "digits-cnn-1 It was asked to stop and did so before its first report. It saved no "
        "checkpoint, so resuming starts from the beginning.\n\n"
        "Next:\n  trivium resume digits-cnn-1\n"
    )
