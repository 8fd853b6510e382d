"""Cases on one machine: actors, drivers and a head that are killed, a full disk, no memory."""

import contextlib
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from nodes import Nodes, descendants, is_alive, wait_until
from runs import (
    HERE,
    Job,
    Repetition,
    Told,
    base_environment,
    disturb,
    is_well,
    settle,
    supervised,
)
from steps import Attempt, info

ROLLOUTS = """\
name: cartpole
env: {{id: '{here}/counting_env.py:CountedCartPole', num_envs: 4, kwargs: {{folder: '{steps}'}}}}
model: {{name: mlp, hidden: [16]}}
algorithm: {{name: ppo, rollout_steps: 32, minibatch_size: 64, epochs: 1}}
stop: {{env_steps: {env_steps}}}
evaluation: {{episodes: 2, confirm_episodes: 2, max_steps: 50}}
resources: {{num_env_runners: 2}}
checkpoint: {{interval_s: 1}}
"""
SWEEP = """\
tune:
  search: random
  num_trials: {trials}
  max_concurrent: 2
  scheduler: none
  final: {{top: 0}}
  space: {{algorithm.optimizer.lr: {{loguniform: [1.0e-4, 1.0e-2]}}}}
"""
ENV_STEPS = 150_000
"""Long enough for four strikes."""
ROLLOUT_STEPS = 32 * 4
"""Of an env runner in one update."""

Step = Callable[[Told, Path, random.Random, int], None]


def rollout_actor_killed(told: Told, folder: Path, random_: random.Random, most: int) -> None:
    """A training that loses one of its two env runners, four times."""
    job = _job(folder, ROLLOUTS, env_steps=ENV_STEPS)
    process = job.start("train", job.file, environment=base_environment())

    def runners() -> dict[int, Path]:
        return {p: job.run for p in _actors(job, process, "ActorCriticEnvRunner")}

    def has_gone_on(run: Path, before: set[int]) -> bool:
        return bool(set(runners()) - before)

    for _ in range(min(4, most)):
        repetition = _strike_one(job, process, random_, runners, has_gone_on)
        if repetition is None:
            break
        # Steps come in bursts, and a checkpoint that is due waits for the end of an update.
        repetition.interval = repetition.interval + ROLLOUT_STEPS
        told.repetitions.append(repetition)
    process.wait()
    _judge(told, job)


def trial_actor_killed(told: Told, folder: Path, random_: random.Random, most: int) -> None:
    """A sweep of four trials, two at a time, that loses an actor three times."""
    job = supervised(folder, "1", epochs=20)
    job.file.write_text(job.text + SWEEP.format(trials=4))
    process = job.start("tune", job.file, environment=base_environment())

    def trials() -> dict[int, Path]:
        running = [c for c in _children(job) if info(c)["status"] == "running"]
        by_pid = {int(info(c)["pid"]): c for c in running}
        return {p: by_pid[p] for p in _actors(job, process, "TrialWorker") if p in by_pid}

    def has_gone_on(trial: Path, before: set[int]) -> bool:
        return info(trial)["status"] == "finished" or trial in trials().values()

    for _ in range(min(3, most)):
        repetition = _strike_one(job, process, random_, trials, has_gone_on)
        if repetition is None:
            break
        told.repetitions.append(repetition)
    process.wait()
    told.lost += info(job.run)["status"] != "finished"
    for child in _children(job):
        if wrong := is_well(child):
            told.lost += 1
            told.notes.append(f"run {told.runs}, trial {child.name}: {wrong}")


def driver_killed(told: Told, folder: Path, random_: random.Random, most: int) -> None:
    """A training in the command's own process, killed and resumed four times."""
    job = supervised(folder, "1", epochs=20)
    process = job.start("train", job.file, environment=base_environment())
    for _ in range(min(4, most)):
        known = len(job.steps.attempts())
        if not _trains(job, process, known - 1 if known else 0):
            break
        waited = _wait(process, random_.uniform(0.2, 2.5))
        if process.poll() is not None:
            break
        repetition = Repetition("driver", round(waited, 2))
        process.kill()
        process.wait()
        _count(job, job.run, job.steps.attempts()[-1], repetition)
        process = _resumed(job, base_environment(), repetition)
        told.repetitions.append(repetition)
    process.wait()
    _judge(told, job)


def cluster_driver_killed(told: Told, folder: Path, random_: random.Random, most: int) -> None:
    """A command whose workers are a cluster's, killed and resumed four times."""

    def kill(nodes: Nodes, process: "subprocess.Popen[bytes]") -> str:
        process.kill()
        process.wait()
        return "driver"

    _struck_on_a_cluster(told, folder, random_, min(4, most), kill)


def head_restarted(told: Told, folder: Path, random_: random.Random, most: int) -> None:
    """The only node of a cluster dies with its jobs; the store has their history."""

    def restart(nodes: Nodes, process: "subprocess.Popen[bytes]") -> str:
        assert nodes.head is not None
        nodes.head.kill()
        wait_until(lambda: process.poll() is not None, 300, "the driver ends")
        listed = subprocess.run(
            ["trivium", "runs", "--json", "--store", str(folder / "runs")],
            env=nodes.environment,
            capture_output=True,
            text=True,
        )
        if '"digits-1"' not in listed.stdout:
            told.notes.append(f"history was not readable: {listed.stderr[-300:]}")
        nodes.start_head()
        return "head"

    _struck_on_a_cluster(told, folder, random_, min(3, most), restart)


def _struck_on_a_cluster(
    told: Told,
    folder: Path,
    random_: random.Random,
    most: int,
    strike: Callable[[Nodes, "subprocess.Popen[bytes]"], str],
) -> None:
    """Two workers on a cluster of one node; what ends the command is followed by a resume."""
    with Nodes(head_cpus=2) as nodes:
        nodes.start_head()
        job = supervised(folder, "2", epochs=45)
        process = job.start("train", job.file, environment=nodes.environment)
        struck: list[Repetition] = []
        while len(struck) < most and _trains(job, process, len(struck)):
            waited = _wait(process, random_.uniform(0.5, 4))
            if process.poll() is not None:
                break
            what = strike(nodes, process)
            struck.append(Repetition(what, round(waited, 2), len(job.steps.attempts()) - 1))
            process = job.start("resume", "last", environment=nodes.environment)
        process.wait()
        _judge(told, job)
        settle(job, struck)
        told.repetitions += struck


def disk_full(told: Told, folder: Path, random_: random.Random, most: int) -> None:
    """The store's disk, of 4 MB, is filled; room is made, and the run goes on."""
    job = supervised(folder, "1", epochs=20)
    store = folder / "runs"
    store.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", store], check=True)
    try:
        process = job.start("train", job.file, environment=base_environment())
        for _ in range(min(3, most)):
            known = len(job.steps.attempts())
            if not _trains(job, process, max(0, known - 1)):
                break
            repetition = Repetition("disk", round(_wait(process, random_.uniform(1.2, 4)), 2))
            with contextlib.suppress(OSError), (store / "filler").open("wb") as filler:
                while True:
                    filler.write(b"x" * 4096)
                    filler.flush()
            code = process.wait()
            text = (folder / "out.txt").read_text()[-1500:]
            (store / "filler").unlink()
            if code != 1 or "the disk is full" not in text:
                told.notes.append(f"exit code {code}: {text[-300:]}")
            if not (job.run / "checkpoints" / "last" / "manifest.json").is_file():
                told.notes.append("no checkpoint was left")
            _count(job, job.run, job.steps.attempts()[-1], repetition)
            process = _resumed(job, base_environment(), repetition)
            told.repetitions.append(repetition)
        process.wait()
        _judge(told, job)
    finally:
        subprocess.run(["umount", store], check=True)


def out_of_memory(told: Told, folder: Path, random_: random.Random, most: int) -> None:
    """Two workers, one of which takes more memory at each step until Ray ends it; four times."""
    job = supervised(folder, "2", epochs=60)
    job.file.write_text(job.text.replace("pause_s: 0.01", "pause_s: 0.01, eats_mb: 300"))
    limit = {
        "RAY_memory_usage_threshold": f"{_share_in_use() + 0.2:.3f}",
        "RAY_memory_monitor_refresh_ms": "100",
    }
    process = job.start("train", job.file, environment=base_environment() | limit)

    def feed(_attempt: Attempt) -> str:
        (job.folder / "steps" / "eat").touch()
        return "300 MB more at each step"

    struck = disturb(job, process, random_, min(4, most), feed)
    process.wait()
    _judge(told, job)
    settle(job, struck)
    told.repetitions += struck
    named = len(re.findall(r"worker \d died; its node ran out of memory", _said(job)))
    if named < len(struck):
        told.notes.append(f"run {told.runs}: the reason was named {named} times of {len(struck)}")


def never_enough_memory(told: Told, folder: Path, random_: random.Random, most: int) -> None:
    """Two workers that never have the memory for their steps: the run ends and names it."""
    job = supervised(folder, "2", epochs=60, interval_s=60)
    job.file.write_text(job.text.replace("pause_s: 0.01", "pause_s: 0.01, eats_mb: 300"))
    (job.folder / "steps" / "eat").mkdir()
    limit = {
        "RAY_memory_usage_threshold": f"{_share_in_use() + 0.2:.3f}",
        "RAY_memory_monitor_refresh_ms": "100",
    }
    began = time.monotonic()
    process = job.start("train", job.file, environment=base_environment() | limit)
    code = process.wait()
    told.repetitions.append(Repetition("ended", round(time.monotonic() - began, 1)))
    if code != 1 or not re.search(r"worker \d died; its node ran out of memory", _said(job)):
        told.lost += 1
        told.notes.append(f"exit code {code}: {_said(job)[-400:]}")


CASES: Mapping[str, Step] = {
    "rollout actor killed": rollout_actor_killed,
    "trial's actor killed": trial_actor_killed,
    "driver killed, resumed": driver_killed,
    "driver of a cluster's workers killed, resumed": cluster_driver_killed,
    "head restarted, resumed": head_restarted,
    "store's disk full, resumed": disk_full,
    "worker out of memory": out_of_memory,
    "never enough memory, run ends": never_enough_memory,
}


def run_case(told: Told, folder: Path, repetitions: int, seed: int) -> None:
    """Runs with disturbances until there were enough of them."""
    random_ = random.Random(seed)
    while len(told.repetitions) < repetitions and told.runs < 3 * repetitions:
        told.runs += 1
        slug = re.sub(r"\W+", "-", told.case)
        most = repetitions - len(told.repetitions)
        CASES[told.case](told, folder / f"{slug}-{told.runs}", random_, most)


def _strike_one(
    job: Job,
    process: "subprocess.Popen[bytes]",
    random_: random.Random,
    candidates: Callable[[], Mapping[int, Path]],
    has_gone_on: Callable[[Path, set[int]], bool],
) -> Repetition | None:
    """Kill one of the command's actors that train; None when the command ended first.

    `candidates` are their processes and the run that each trains; `has_gone_on` is asked, with the
    run of the killed one and all processes of before, until what it did is done again.
    """
    if not _until(process, lambda: bool(candidates())):
        return None
    waited = _wait(process, random_.uniform(0.3, 3.0))
    if not _until(process, lambda: bool(candidates())):
        return None
    known = candidates()
    if not known:
        return None
    pid = random_.choice(sorted(known))
    os.kill(pid, signal.SIGKILL)
    at = time.time()
    attempt = next(a for a in job.steps.attempts() if a.pid == pid)
    repetition = Repetition("actor", round(waited, 2))
    _count(job, known[pid], attempt, repetition)
    _until(process, lambda: has_gone_on(known[pid], set(known)))
    repetition.gone_on_s = round(time.time() - at, 1)
    return repetition


def _actors(job: Job, process: "subprocess.Popen[bytes]", name: str) -> list[int]:
    """The command's actors of that class that train."""
    trained = job.steps.processes()
    return [p for p in descendants(process.pid) if p in trained and _is_actor(p, name)]


def _children(job: Job) -> list[Path]:
    """The trials of a sweep that has begun."""
    return sorted(f.parent for f in job.folder.glob("runs/*-1/children/*/run.json"))


def _count(job: Job, run: Path, attempt: Attempt, repetition: Repetition) -> None:
    """Steps since the last checkpoint, which will be done again."""
    manifest = run / "checkpoints" / "last" / "manifest.json"
    saved = manifest.stat().st_mtime if manifest.exists() else 0.0
    begun = (run / "run.json").stat().st_mtime  # a process has one trial after the other
    repetition.repeated = sum(t > max(saved, begun) for t in attempt.times)
    repetition.interval = attempt.most_within(job.interval_s)


def _said(job: Job) -> str:
    """What the command printed, its broken lines joined."""
    return " ".join((job.folder / "out.txt").read_text().split())


def _judge(told: Told, job: Job) -> None:
    wrong = job.is_well()
    if wrong:
        told.lost += 1
        told.notes.append(f"run {told.runs}: {wrong}")


def _resumed(
    job: Job, environment: Mapping[str, str], repetition: Repetition
) -> "subprocess.Popen[bytes]":
    """Resume the last run, and note how long it is until it trains again."""
    struck = time.time()
    process = job.start("resume", "last", environment=environment)
    _trains(job, process, len(job.steps.attempts()))
    repetition.gone_on_s = time.time() - struck
    return process


def _trains(job: Job, process: "subprocess.Popen[bytes]", known: int) -> bool:
    """Wait until there are more attempts than `known`; False when the command ends first."""
    return _until(process, lambda: len(job.steps.attempts()) > known)


def _until(process: "subprocess.Popen[bytes]", is_so: Callable[[], bool]) -> bool:
    """Wait for something; False when the command ends first."""
    while not is_so():
        if process.poll() is not None:
            return False
        time.sleep(0.05)
    return True


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> float:
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    return seconds


def _is_actor(pid: int, name: str) -> bool:
    try:
        return is_alive(pid) and f"ray::{name}" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def _job(folder: Path, text: str, **values: object) -> Job:
    (folder / "steps").mkdir(parents=True)
    filled = text.format(here=HERE, steps=folder / "steps", **values)
    (folder / "job.yaml").write_text(filled)
    return Job(folder, filled)


def _share_in_use() -> float:
    """Of the machine's memory."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    known = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return 1.0 - known["MemAvailable"] / known["MemTotal"]
