"""Runs written by hand: real files, no training."""

import json
import math
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from trivium.platform.exhibit import Exhibit, to_json
from trivium.platform.run import RunFolder, process_started

JOB = """\
name: digits-cnn
dataset:
  source: mnist5k
  split: {train: 0.8, validation: 0.1, test: 0.1}
model: {name: cnn, channels: [32, 64]}
algorithm:
  name: supervised
  epochs: 10
  batch_size: 128
  optimizer: {name: adam, lr: 0.001, weight_decay: 0.0001}
  early_stopping: null
resources: {num_workers: 1}
seed: 0
seeds: 1
"""
RL_JOB = """\
name: cartpole-ppo
env: {id: CartPole-v1, num_envs: 64}
model: {name: mlp, hidden: [64, 64]}
algorithm: {name: ppo, lr: 0.002, gamma: 0.98}
stop: {return_mean: 475}
seed: 0
"""

MakeRun = Callable[..., RunFolder]


@pytest.fixture
def store_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, which is the usual one: commands need no --store."""
    root = tmp_path / "runs"
    root.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRIVIUM_STORE", raising=False)
    return root


@pytest.fixture
def make_run(store_root: Path) -> MakeRun:
    """Write a run: `make_run("digits-cnn-1", status="failed", error="...", records=[...])`."""

    def make(
        id: str = "digits-cnn-1",
        *,
        status: str = "finished",
        records: Iterable[Mapping[str, Any]] = (),
        metrics: Mapping[str, float] | None = None,
        result: Mapping[str, Any] | None = None,
        exhibits: Sequence[Exhibit] = (),
        job: str = JOB,
        log: str = "",
        **info: Any,
    ) -> RunFolder:
        parent, _, child = id.partition("/")
        path = store_root / parent / "children" / child if child else store_root / parent
        path.mkdir(parents=True)
        (path / "job.yaml").write_text(job, encoding="utf-8")
        content = {
            "id": id,
            "name": parent.rpartition("-")[0],
            "kind": "train",
            "status": status,
            "started": "2026-03-01T10:00:00.000Z",
            "ended": None if status == "running" else "2026-03-01T10:01:12.500Z",
            "command": "trivium train jobs/digits-cnn.yaml",
            "seed": 0,
            "parent": parent if child else None,
            "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
            "versions": {"python": "3.11.9", "trivium": "0.1.0", "torch": "2.13.0"},
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "pid_started": process_started(os.getpid()),
            "base": str(store_root.parent),
            "ray": None,
            "dataset_fingerprint": "5f2c9a1b",
            "error": None,
        }
        write(path / "run.json", content | info)
        lines = [json.dumps({k: _finite(v) for k, v in r.items()}) + "\n" for r in records]
        if lines:
            (path / "metrics.jsonl").write_text("".join(lines), encoding="utf-8")
        if metrics is not None or result is not None:
            write(path / "result.json", {"metrics": dict(metrics or {}), **(result or {})})
        if exhibits:
            write(path / "exhibits.json", to_json(exhibits))
        if log:
            (path / "log.txt").write_text(log, encoding="utf-8")
        return RunFolder(path)

    def write(file: Path, content: Any) -> None:
        file.write_text(json.dumps(content), encoding="utf-8")

    return make


@pytest.fixture
def learning_records() -> list[dict[str, Any]]:
    """Ten epochs of a classifier that learns, 40 steps each."""
    return [
        {
            "step": 40 * epoch,
            "epoch": epoch,
            "time_s": 1.5 * epoch,
            "train/loss": 2.0 * 0.6**epoch + 0.02,
            "train/accuracy": 1 - 0.5 * 0.6**epoch,
            "validation/loss": 2.0 * 0.65**epoch + 0.08,
            "validation/accuracy": 0.98 - 0.5 * 0.6**epoch,
            "lr": 0.001 * (1 + math.cos(math.pi * epoch / 10)) / 2,
        }
        for epoch in range(1, 11)
    ]


@pytest.fixture
def rl_job() -> str:
    """The job of a run of reinforcement learning."""
    return RL_JOB


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
