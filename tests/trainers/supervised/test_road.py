"""The whole road by the command line: from a job file to a trained, scored, reloaded model."""

import json
import math
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trivium.platform.run import RunFolder

Start = Callable[..., "subprocess.Popen[str]"]

DIGITS = """\
name: digits
dataset: {source: digits, split: {train: 0.7, validation: 0.15, test: 0.15, stratify: true}}
model: {name: mlp, hidden: [32], dropout: 0.1}
algorithm:
  name: supervised
  epochs: 4
  batch_size: 32
  optimizer: {name: adam, lr: 0.003}
  schedule: {name: cosine}
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "数字 digits.yaml"
    path.write_text(DIGITS, encoding="utf-8")
    return path


def metrics_of(run: RunFolder) -> list[dict[str, object]]:
    """The records without what depends on the clock."""
    clock = ("time_s", "samples_per_s")
    return [{k: v for k, v in r.items() if k not in clock} for r in run.metrics()]


def test_a_job_trains_scores_and_leaves_a_whole_run(job: Path, type_command) -> None:
    store = job.parent / "runs"
    typed = type_command("train", job, "--store", store)
    assert typed.code == 0, typed.err
    assert "digits: train 1,25" in typed.out and "epoch 4/4" in typed.out
    assert f"report         {store}/digits-1/report.html" in typed.out or "report" in typed.out
    assert "next" in typed.out.splitlines()[-1]
    run = RunFolder(store / "digits-1")
    names = {p.name for p in run.path.iterdir()}
    assert {"job.yaml", "run.json", "metrics.jsonl", "result.json", "report.html"} <= names
    assert {"log.txt", "dataset.json", "checkpoints", "tensorboard"} <= names
    assert run.info["status"] == "finished" and run.info["dataset_fingerprint"]
    assert run.result["metrics"]["test/accuracy"] > 0.85
    assert len(run.metrics()) == 4
    assert "epoch 4/4" in run.log.read_text()
    assert list((run.path / "tensorboard").iterdir())


def test_evaluate_gives_the_recorded_scores_and_fails_loudly_for_other_weights(
    job: Path, type_command
) -> None:
    store = job.parent / "runs"
    assert type_command("train", job, "--store", store, "--set", "algorithm.epochs=2").code == 0
    again = type_command("evaluate", "last", "--store", store, "--json")
    assert again.code == 0
    recorded = RunFolder(store / "digits-1").result["metrics"]
    assert json.loads(again.out)["metrics"] == recorded
    shown = type_command("evaluate", "--store", store, "--split", "validation")
    assert "Confusion matrix" in shown.out
    # The weights of another seed in the place of the best: what a restore that lost them gives.
    assert type_command("train", job, "--store", store, "--set", "seed=5").code == 0
    best = store / "digits-1" / "checkpoints" / "best"
    for file in best.iterdir():
        file.unlink()
    for file in (store / "digits-2" / "checkpoints" / "best").iterdir():
        (best / file.name).write_bytes(file.read_bytes())
    spoiled = type_command("evaluate", "1", "--store", store)
    assert spoiled.code == 1
    assert "the saved model is not the one that was scored" in spoiled.err


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(
    job: Path, type_command
) -> None:
    store = job.parent / "runs"
    for seed in (0, 0, 1):
        type_command("train", job, "--store", store, "--set", f"seed={seed}")
    runs = [RunFolder(store / f"digits-{i}") for i in (1, 2, 3)]
    assert metrics_of(runs[0]) == metrics_of(runs[1])
    assert runs[0].result["metrics"] == runs[1].result["metrics"]
    assert metrics_of(runs[0]) != metrics_of(runs[2])


def test_killed_at_random_moments_and_resumed_the_numbers_are_those_of_a_run_never_stopped(
    job: Path, type_command, start_command: Start
) -> None:
    store = job.parent / "runs"
    options = ("--set", "algorithm.epochs=30", "--set", "checkpoint.interval_s=0.1")
    assert type_command("train", job, "--store", store, *options).code == 0
    process = start_command("train", job, "--store", store, *options)
    killed = RunFolder(store / "digits-2")
    for already in (1, 9):  # lines of metrics.jsonl at which to kill
        _wait_for(lambda n=already: len(killed.metrics()) > n, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert RunFolder(killed.path).status == "failed"
        process = start_command("resume", "last", "--store", store)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "resumed from step" in out
    whole = RunFolder(store / "digits-1")
    resumed = RunFolder(killed.path)
    assert metrics_of(resumed) == metrics_of(whole)
    assert resumed.result["metrics"] == whole.result["metrics"]
    assert resumed.result["best_step"] == whole.result["best_step"]


def test_a_torn_last_checkpoint_costs_steps_not_the_run(job: Path, type_command) -> None:
    store = job.parent / "runs"
    assert type_command("train", job, "--store", store).code == 0
    run = RunFolder(store / "digits-1")
    expected = dict(run.result["metrics"])
    (run.checkpoints / "last" / "state.pt").write_bytes(b"torn")
    info = json.loads((run.path / "run.json").read_text()) | {"status": "failed", "pid": 1}
    (run.path / "run.json").write_text(json.dumps(info))
    assert type_command("resume", "last", "--store", store).code == 0
    assert RunFolder(run.path).result["metrics"] == expected


def test_ctrl_c_saves_and_resume_goes_on(job: Path, start_command: Start) -> None:
    store = job.parent / "runs"
    process = start_command("train", job, "--store", store, "--set", "algorithm.epochs=2000")
    run = RunFolder(store / "digits-1")
    _wait_for(lambda: len(run.metrics()) > 2, process)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "all is saved, `trivium resume` goes on from there" in err
    assert RunFolder(run.path).status == "stopped"
    assert (run.path / "report.html").is_file()
    assert RunFolder(run.path).checkpoint("last") is not None


def test_a_loss_that_is_not_finite_stops_the_run_and_says_where(job: Path, type_command) -> None:
    store = job.parent / "runs"
    typed = type_command(
        "train", job, "--store", store,
        "--set", "algorithm.optimizer={name: sgd, lr: 1.0e+30}",
    )  # fmt: skip
    assert typed.code == 1
    assert "the loss is not finite at step" in typed.err
    assert "Try a smaller algorithm.optimizer.lr" in typed.err
    run = RunFolder(store / "digits-1")
    assert run.status == "failed" and "not finite" in run.info["error"]
    assert run.checkpoint("last") is not None
    why = type_command("why", "last", "--store", store)
    assert "not finite" in why.out


def test_seeds_are_one_run_with_a_mean_and_an_interval(job: Path, type_command) -> None:
    store = job.parent / "runs"
    typed = type_command("train", job, "--store", store, "--set", "seeds=3", "--json")
    assert typed.code == 0
    result = json.loads(typed.out.splitlines()[-1])
    run = RunFolder(store / "digits-1")
    values = [c.result["metrics"]["test/accuracy"] for c in run.children()]
    assert [c.info["seed"] for c in run.children()] == [0, 1, 2]
    assert result["metrics"]["test/accuracy"] == pytest.approx(np.mean(values))
    half = 4.303 * np.std(values, ddof=1) / math.sqrt(3)
    assert result["interval_95"]["test/accuracy"] == pytest.approx(half)
    listed = json.loads(type_command("runs", "--store", store, "--json").out)
    assert [i["id"] for i in listed] == ["digits-1"]
    assert type_command("evaluate", "last", "--store", store).code == 0


def test_reproduce_compares_every_score(job: Path, type_command) -> None:
    store = job.parent / "runs"
    assert type_command("train", job, "--store", store).code == 0
    same = type_command("reproduce", "last", "--store", store)
    assert same.code == 0 and "scores are equal" in same.out
    result = store / "digits-1" / "result.json"
    content = json.loads(result.read_text())
    content["metrics"]["test/accuracy"] += 0.01
    result.write_text(json.dumps(content))
    other = type_command("reproduce", "1", "--store", store)
    assert other.code == 1
    assert "does not reproduce digits-1: test/accuracy" in other.err


def test_export_writes_weights_and_an_onnx_model_that_agrees(job: Path, type_command) -> None:
    import onnxruntime
    from safetensors.numpy import load_file

    store = job.parent / "runs"
    assert type_command("train", job, "--store", store, "--set", "algorithm.epochs=1").code == 0
    typed = type_command("export", "last", "--store", store, "--to", job.parent / "out")
    assert typed.code == 0, typed.err
    session = onnxruntime.InferenceSession(str(job.parent / "out" / "model.onnx"))
    (outputs,) = session.run(None, {"input_0": np.zeros((3, 1, 8, 8), np.float32)})
    assert outputs.shape == (3, 10)
    assert load_file(str(job.parent / "out" / "model.safetensors"))
    contract = json.loads((job.parent / "out" / "model.json").read_text())
    assert contract["class_names"] == [str(d) for d in range(10)]


def test_check_starts_nothing_and_says_what_would_be(job: Path, type_command) -> None:
    typed = type_command("check", job)
    assert typed.code == 0
    for label in ("data", "task", "model", "algorithm", "steps", "memory", "resources"):
        assert any(line.startswith(label) for line in typed.out.splitlines()), label
    assert "parameters" in typed.out and "fine. Next:" in typed.out
    assert not (job.parent / "runs").exists()


def test_a_last_batch_of_one_row_does_not_end_a_model_with_batch_normalisation(
    job: Path, type_command
) -> None:
    store = job.parent / "runs"
    rows = 1257  # of the training split: one more than 157 batches of 8
    typed = type_command(
        "train", job, "--store", store, "--set", "algorithm.batch_size=8",
        "--set", "model.normalization=batch", "--set", "algorithm.epochs=1",
    )  # fmt: skip
    assert typed.code == 0, typed.err
    assert f"train {rows:,}" in typed.out
    refused = type_command(
        "train", job, "--store", store, "--set", "algorithm.batch_size=1",
        "--set", "model.normalization=batch",
    )  # fmt: skip
    assert refused.code == 2
    assert "batch normalisation needs 2 rows on each worker, and there are 1 for 1" in refused.err


def test_a_model_of_ones_own_is_named_by_its_file(tmp_path: Path, type_command) -> None:
    (tmp_path / "nets.py").write_text(
        "import torch\n"
        "class Linear(torch.nn.Module):\n"
        "    def __init__(self, input_shape, output_size: int, bias: bool = True):\n"
        "        super().__init__()\n"
        "        self.layer = torch.nn.Linear(64, output_size, bias=bias)\n"
        "    def forward(self, x):\n"
        "        return self.layer(x.flatten(1))\n"
    )
    job = tmp_path / "job.yaml"
    job.write_text(
        DIGITS.replace(
            "{name: mlp, hidden: [32], dropout: 0.1}",
            f"{{name: '{tmp_path}/nets.py:Linear', bias: false}}",
        )
    )
    assert type_command("train", job, "--store", tmp_path / "runs").code == 0
    run = RunFolder(tmp_path / "runs" / "digits-1")
    assert run.result["metrics"]["test/accuracy"] > 0.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model={name: cnn}", "model: "),
        ("algorithm.batch_size=0", "--set algorithm.batch_size=0: algorithm.batch_size: must be "
         "at least 1 or be one of full; got 0"),
        ("algorithm.early_stopping={metric: validation/acuracy}", "validation/acuracy"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_a_run_is_made(
    tmp_path: Path, type_command, change: str, message: str
) -> None:
    job = tmp_path / "job.yaml"
    job.write_text(DIGITS.replace("digits,", "breast-cancer,", 1))
    typed = type_command("train", job, "--store", tmp_path / "runs", "--set", change)
    assert typed.code == 2
    assert message in typed.err
    assert not (tmp_path / "runs").exists()


def _wait_for(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "waited two minutes"
        time.sleep(0.01)
