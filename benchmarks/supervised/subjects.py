"""What is measured: each subject's command, and how its figures are read.

A measurement is one whole process, from its start to its end. Samples per second are the rows of an
epoch over the seconds that its training steps took; validation, scoring and saving are left out for
all. The median epoch counts, without the first (in which allocators, caches and loader workers warm
up): a moment in which the machine was slow is no one's figure.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PEERS = ROOT / "benchmarks/.venv-supervised/bin/python"
TRIVIUM = ROOT / ".venv/bin/trivium"
TIMEOUT_S = 600


@dataclass(frozen=True)
class Subject:
    """One way to train the network."""

    name: str
    network: str
    epochs: int
    num_workers: int = 1
    threads: int | None = None
    """OMP_NUM_THREADS; None leaves it to torch, which takes all cores."""


@dataclass(frozen=True)
class Measurement:
    """Of one process."""

    subject: str
    network: str
    samples_per_s: float
    first_step_s: float
    """From the command to the end of the first training step."""
    whole_s: float
    """From the command to the end of the process."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


class Failed(Exception):
    """A subject did not run to its end."""


def measure(subject: Subject, work: Path) -> Measurement:
    """Run `subject` once, in the folder `work` that holds the data."""
    command = _command(subject, work)
    _bring_into_memory(Path(command[0]).parents[1])
    began, began_unix = time.perf_counter(), time.time()
    done = subprocess.run(
        command,
        cwd=work,
        env=_environment(subject, work),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    whole_s = time.perf_counter() - began
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    if subject.name.startswith("trivium"):
        rate, first_step_s = _read_run(work / "runs")
    else:
        rate, first_step_s = _read_answer(done.stdout, began_unix)
    return Measurement(subject.name, subject.network, rate, first_step_s, whole_s)


def _bring_into_memory(environment: Path) -> None:
    """Read what an environment imports: else a start measures the disk, as idle pages go away."""
    for file in environment.glob("lib/*/site-packages/**/*"):
        if file.suffix in (".pyc", ".so") or ".so." in file.name:
            with file.open("rb") as opened:
                while opened.read(2**24):
                    pass


def _command(subject: Subject, work: Path) -> list[str]:
    data = work / subject.network
    if subject.name.startswith("trivium"):
        settings = [
            f"dataset.source={data}",
            f"algorithm.epochs={subject.epochs}",
            f"resources.num_workers={subject.num_workers}",
        ]
        job = str(HERE / "jobs" / f"{subject.network}.yaml")
        overrides = [word for setting in settings for word in ("--set", setting)]
        return [str(TRIVIUM), "train", job, *overrides, "--store", str(work / "runs")]
    script, *more = SCRIPTS[subject.name]
    told = ["--data", data, "--network", subject.network, "--epochs", subject.epochs, *more]
    return [str(PEERS), str(HERE / script), *map(str, told)]


SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "limit": ("limit.py",),
    "limit, 2 processes of 1 thread": ("limit.py", "--workers", "2"),
    "plain": ("peers/plain.py",),
    "plain, 2 loaders": ("peers/plain.py", "--loader-workers", "2"),
    "lightning": ("peers/lightning_script.py",),
    "ray train": ("peers/ray_train.py",),
}
"""The peers' scripts and what they are told besides data, network and epochs."""


def _environment(subject: Subject, work: Path) -> dict[str, str]:
    """This process's own, without what would tell torch how many threads to take."""
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    environment.pop("PYTHONPATH", None)
    environment["TRIVIUM_CACHE"] = str(work / "cache")
    if subject.threads is not None:
        environment["OMP_NUM_THREADS"] = str(subject.threads)
    return environment


def _read_run(store: Path) -> tuple[float, float]:
    """Rate and first step of the only run in `store`, from its plain files; removes the store."""
    (run,) = store.iterdir()
    result = json.loads((run / "result.json").read_text())
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    rows = json.loads((run / "dataset.json").read_text())["splits"]["train"]["rows"]
    shutil.rmtree(store)
    # A line has the rate since the start, so the seconds of training since then are rows / rate.
    ends = [0.0, *(rows * line["epoch"] / line["samples_per_s"] for line in lines)]
    epoch_s = [end - begin for begin, end in pairwise(ends)]
    return _rate(rows, epoch_s), float(result["first_step_s"])


def _read_answer(printed: str, began: float) -> tuple[float, float]:
    """Rate and first step of a script, from the line of JSON that it ends with."""
    answer = json.loads(printed.splitlines()[-1])
    rate = _rate(answer["rows_per_epoch"], answer["epoch_s"])
    return rate, answer["first_step_at"] - began


def _rate(rows: int, epoch_s: list[float]) -> float:
    return rows / median(epoch_s[1:] or epoch_s)
