"""What is measured: each subject's command, and how its figures are read.

A measurement is one whole process. Its learning time counts from the start of learning, without
imports, evaluation and saving, for all alike (peers/race.py); the time of the whole command is
measured for Trivium alone, from `trivium train` to its solved policy.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PEERS = ROOT / "benchmarks/.venv-rl/bin/python"
PYTHON = ROOT / ".venv/bin/python"
TRIVIUM = ROOT / ".venv/bin/trivium"
TIMEOUT_S = 1800
PEERS_LIMIT_S = 120
"""What the peers are given on LunarLander: many times what Trivium takes, and more than the goals
ask; to their ends they would take up to 15 minutes a seed."""


@dataclass(frozen=True)
class Subject:
    """One way to learn one task."""

    name: str
    task: str
    command: tuple[str, ...]
    """Less the seed, which comes last."""
    num_seeds: int = 5
    limit_s: float | None = None
    """Learning time after which it is stopped; None is the task's own (peers/race.py)."""


@dataclass(frozen=True)
class Measurement:
    """Of one process."""

    subject: str
    task: str
    seed: int
    reached: bool
    learning_s: float
    env_steps: int
    env_steps_per_s: float
    return_mean: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


class Failed(Exception):
    """A subject did not run to its end."""


def _peer(script: str, *arguments: str) -> tuple[str, ...]:
    return (str(PEERS), str(HERE / "peers" / script), *arguments)


def _trivium(task: str, job: str) -> tuple[str, ...]:
    script = str(HERE / "peers" / "trivium_job.py")
    return (str(PYTHON), script, task, str(ROOT / "jobs" / f"{job}.yaml"))


def _learners() -> tuple[Subject, ...]:
    single = (Subject("single file", t, _peer("single_file.py", t)) for t in ("cartpole",))
    return (
        Subject("trivium ppo", "cartpole", _trivium("cartpole", "cartpole-ppo")),
        Subject("sb3 ppo", "cartpole", _peer("sb3.py", "cartpole", "ppo")),
        *single,
        Subject("rllib ppo", "cartpole", _peer("rllib_stock.py", "cartpole"), 2),
        Subject("rllib older ppo", "cartpole", _peer("rllib_stock.py", "cartpole-older"), 3),
        Subject("trivium dqn", "cartpole", _trivium("cartpole", "cartpole-dqn")),
        Subject("sb3 dqn", "cartpole", _peer("sb3.py", "cartpole", "dqn")),
        Subject("trivium ppo", "lunarlander", _trivium("lunarlander", "lunarlander-ppo"), 3),
        Subject("sb3 ppo", "lunarlander", _peer("sb3.py", "lunarlander", "ppo"), 3, PEERS_LIMIT_S),
        Subject(
            "rllib ppo", "lunarlander", _peer("rllib_stock.py", "lunarlander"), 1, PEERS_LIMIT_S
        ),
    )


def _tabular() -> tuple[Subject, ...]:
    tasks = ("frozenlake8x8", "taxi", "cliffwalking")
    return tuple(
        subject
        for task in tasks
        for subject in (
            Subject("trivium q_learning", task, _trivium(task, f"{task}-q-learning")),
            Subject("plain loop", task, _peer("plain_tabular.py", task)),
        )
    )


SUBJECTS = (*_learners(), *_tabular())


def measure(subject: Subject, seed: int) -> Measurement:
    """Run `subject` once with `seed`.

    Raises:
        Failed: it did not run to its end.
    """
    words = (*subject.command, str(seed))
    limit = {} if subject.limit_s is None else {"RACE_LIMIT_S": str(subject.limit_s)}
    done = _run(words, limit)
    if done.returncode != 0:
        raise Failed(f"{' '.join(words)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    found = json.loads(next(x for x in done.stdout.splitlines() if x.startswith('{"reached"')))
    return Measurement(subject.name, subject.task, seed, **found)


def measure_command(seed: int) -> Measurement:
    """`trivium train` on CartPole as a user types it: seconds from the command to solved."""
    with tempfile.TemporaryDirectory() as store:
        job = str(ROOT / "jobs" / "cartpole-ppo.yaml")
        # The job itself goes on to 500.
        settings = ("--set", f"seed={seed}", "--set", "stop.return_mean=475")
        words = (str(TRIVIUM), "train", job, *settings, "--store", store)
        began = time.time()
        done = _run(words)
        if done.returncode != 0:
            raise Failed(f"{' '.join(words)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        (folder,) = Path(store).glob("cartpole-ppo-*")
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        last, result = json.loads(lines[-1]), json.loads((folder / "result.json").read_text())
        solved_s = (folder / "checkpoints" / "best").stat().st_mtime - began
    mean = result["metrics"]["test/return_mean"]
    rate = result.get("env_steps_per_s", 0.0)
    return Measurement(
        "trivium train",
        "cartpole, command",
        seed,
        mean >= 470,
        solved_s,
        last["env_steps"],
        rate,
        mean,
    )


def _run(
    words: tuple[str, ...], more: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words,
        cwd=HERE,
        env=environment_variables() | (more or {}),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def environment_variables() -> dict[str, str]:
    """Of each process that is measured."""
    return os.environ | {
        "OMP_NUM_THREADS": "1",  # for networks this small a second one costs more than it brings
        "RAY_worker_niceness": "0",  # stock Ray's workers give way to everything else
        "RAY_DEDUP_LOGS": "0",
        "PYTHONWARNINGS": "ignore",
    }
