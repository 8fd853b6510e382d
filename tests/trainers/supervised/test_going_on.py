"""Trainings that lose a worker, change their number of workers, or have notice to go."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from trivium.platform.job import open_job, read_job
from trivium.platform.run import RunFolder, write_json
from trivium.platform.run_writer import RunWriter
from trivium.platform.runner import begin, resume
from trivium.platform.store import Store
from trivium.trainers.supervised.loop import Loop
from trivium.trainers.supervised.notice import Leaving
from trivium.trainers.supervised.trainer import Supervised
from trivium.trainers.supervised.workers import Workers

FRAGILE = """\
import os, pathlib, time, torch

FOLDER = pathlib.Path({folder!r})

class Fragile(torch.nn.Module):
    \"\"\"Dies once on rank 1, and later asks to stop, in the middle of epochs.\"\"\"

    def __init__(self, input_shape, output_size: int):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(64, 16), torch.nn.Tanh(),
            torch.nn.Linear(16, output_size))
        self.steps = 0

    def forward(self, images):
        if self.training and torch.distributed.is_initialized():
            self.steps += 1
            is_first = torch.distributed.get_rank() == 0
            saved = FOLDER / "runs/digits-1/checkpoints/last/manifest.json"
            died = FOLDER / "died"
            if not is_first and not died.exists() and saved.exists() and self.steps > 55:
                died.touch()
                os._exit(1)
            if is_first and died.exists() and self.steps == 6:
                (FOLDER / "runs/digits-1/stop").touch()
                time.sleep(0.6)  # the file is looked at twice a second
        return self.layers(images)
"""
JOB = """\
name: digits
dataset: {{source: digits, split: {{train: 0.7, validation: 0.15, test: 0.15, stratify: true}}}}
model: {{name: {model}}}
algorithm: {{name: supervised, epochs: 4, batch_size: 33, optimizer: {{name: adam, lr: 0.003}}}}
resources: {{num_workers: 2}}
checkpoint: {{interval_s: 0.05}}
"""


def losses(run: RunFolder) -> list[float]:
    return [float(r["train/loss"]) for r in run.metrics()]


def test_a_worker_that_dies_and_another_number_of_workers_leave_the_losses_as_they_were(
    tmp_path: Path, type_command
) -> None:
    (tmp_path / "fragile.py").write_text(FRAGILE.format(folder=str(tmp_path)))
    job = tmp_path / "job.yaml"
    job.write_text(JOB.format(model=f"'{tmp_path}/fragile.py:Fragile'"))
    store = tmp_path / "runs"
    typed = type_command("train", job, "--store", store)
    assert typed.code == 130, typed.err  # stopped in the middle, after it had gone on
    assert re.search(r"worker 1 died; .*; training goes on from the last checkpoint", typed.out)
    assert re.search(r"resumed from step \d+ on 2 workers", typed.out)
    resolved = store / "digits-1" / "job.yaml"
    resolved.write_text(resolved.read_text().replace("num_workers: 2", "num_workers: 1"))
    assert type_command("resume", "last", "--store", store).code == 0
    alone = type_command("train", job, "--store", store, "--set", "resources.num_workers=1")
    assert alone.code == 0
    run, other = RunFolder(store / "digits-1"), RunFolder(store / "digits-2")
    assert [r["step"] for r in run.metrics()] == [r["step"] for r in other.metrics()]
    assert losses(run) == pytest.approx(losses(other), rel=1e-4)


def test_a_worker_with_notice_saves_at_the_next_step_and_leaves(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(JOB.format(model="mlp").replace("0.05", "1000"))
    job = read_job(open_job(file))
    run = Store(tmp_path / "runs").create("digits")
    begin(run, job, "train")
    looks = iter([False] * 50 + [True] * 9)
    supervised = Supervised(job)  # type: ignore[arg-type]
    writer = RunWriter(run, checkpoint_interval_s=1000)
    with pytest.raises(Leaving) as left:
        supervised.fit(run, writer, Workers(has_notice=lambda: next(looks)))
    writer.close()
    saved = run.checkpoint("last")
    assert saved is not None
    assert str(left.value) == f"left at epoch 2, step {saved.step}"


def test_workers_of_another_number_share_what_the_epoch_has_counted() -> None:
    tallies = [[1.0, 2.0], [10.0, 20.0]]
    loop = Loop.__new__(Loop)
    for rank, world_size, expected in (
        (0, 2, [1.0, 2.0]),
        (1, 2, [10.0, 20.0]),
        (0, 3, [11.0, 22.0]),
        (2, 3, [0.0, 0.0]),
        (0, 1, [11.0, 22.0]),
    ):
        loop.workers = Workers(rank, world_size)
        assert loop._tally_of(tallies).tolist() == expected


def test_a_resumed_run_is_recorded_as_running_in_the_process_that_resumed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What was read of the run before it began was written back: a run that trained counted as
    # failed, and could be resumed a second time.
    file = tmp_path / "job.yaml"
    file.write_text(JOB.format(model="mlp").replace("num_workers: 2", "num_workers: 1"))
    job = read_job(open_job(file), tmp_path)
    run = Store(tmp_path / "runs").create(job.name)
    begin(run, job, "train")
    dead = {"status": "failed", "error": "killed", "pid": 1, "pid_started": 1}
    write_json(run.path / "run.json", run.info | dead)
    seen: list[dict[str, object]] = []
    fit = Supervised.fit

    def look(self: Supervised, *arguments: Any) -> None:
        seen.append(RunFolder(run.path).info)
        fit(self, *arguments)

    monkeypatch.setattr(Supervised, "fit", look)
    resume(RunFolder(run.path))
    (info,) = seen
    assert (info["status"], info["error"], info["pid"]) == ("running", None, os.getpid())
    assert info["dataset_fingerprint"]
