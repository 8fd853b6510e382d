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
from runs import HERE, Job, Repetition, Told, base_environment, supervised
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
Step = Callable[[Told, Path, random.Random, int], None]


def rollout_actor_killed(told: Told, folder: Path, random_: random.Random, most: int) -> None:
    """A training that loses one of its two env runners, three times."""
    job = _job(folder, ROLLOUTS, env_steps=60_000)
    process = job.start("train", job.file, environment=base_environment())
    for _ in range(min(3, most)):
        if not _strike_one_of(told, job, process, random_, "ActorCriticEnvRunner"):
            break
    process.wait()
    _judge(told, job)


def trial_actor_killed(told: Told, folder: Path, random_: random.Random, most: int) -> None:
    """A sweep of four trials, two at a time, that loses an actor three times."""
    job = supervised(folder, "1", epochs=8)
    job.file.write_text(job.text + SWEEP.format(trials=4))
    process = job.start("tune", job.file, environment=base_environment())
    for _ in range(min(3, most)):
        if not _strike_one_of(told, job, process, random_, "TrialWorker"):
            break
    process.wait()
    _judge(told, job)
    children = list((job.run / "children").iterdir())
    unfinished = [c.name for c in children if info(c)["status"] != "finished"]
    if unfinished:
        told.lost += 1
        told.notes.append(f"run {told.runs}: trials {', '.join(unfinished)} were lost")


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


def head_restarted(told: Told, folder: Path, random_: random.Random, most: int) -> None:
    """The only node of a cluster dies with its jobs; the store has their history."""
    with Nodes(head_cpus=2) as nodes:
        nodes.start_head()
        job = supervised(folder, "2", epochs=30)
        process = job.start("train", job.file, environment=nodes.environment)
        for _ in range(min(3, most)):
            known = len(job.steps.attempts())
            if not _trains(job, process, known):
                break
            repetition = Repetition("head", round(_wait(process, random_.uniform(0.5, 4)), 2))
            assert nodes.head is not None
            nodes.head.kill()
            wait_until(lambda p=process: p.poll() is not None, 300, "the driver ends")
            _count(job, job.run, job.steps.attempts()[-1], repetition)
            listed = subprocess.run(
                ["trivium", "runs", "--json", "--store", str(folder / "runs")],
                env=nodes.environment,
                capture_output=True,
                text=True,
            )
            if '"digits-1"' not in listed.stdout:
                told.notes.append(f"history was not readable: {listed.stderr[-300:]}")
            nodes.start_head()
            process = _resumed(job, nodes.environment, repetition)
            told.repetitions.append(repetition)
        process.wait()
        _judge(told, job)


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
    """Workers that take more memory at each step, until Ray ends one: the reason is named."""
    job = supervised(folder, "2", epochs=400)
    eats = random_.choice([100, 200, 300])
    job.file.write_text(job.text.replace("pause_s: 0.01", f"pause_s: 0.05, eats_mb: {eats}"))
    limit = {
        "RAY_memory_usage_threshold": f"{_share_in_use() + 0.12:.3f}",
        "RAY_memory_monitor_refresh_ms": "100",
    }
    began = time.monotonic()
    process = job.start("train", job.file, environment=base_environment() | limit)
    code = process.wait()
    text = (folder / "out.txt").read_text()
    reason = re.search(r"worker \d died; its node ran out of memory.*", text)
    told.repetitions.append(Repetition(f"{eats} MB a step", round(time.monotonic() - began, 1)))
    if code != 1 or reason is None or "error: " not in text:
        told.lost += 1
        told.notes.append(f"exit code {code}: {text[-400:]}")


CASES: Mapping[str, Step] = {
    "rollout actor killed": rollout_actor_killed,
    "trial's actor killed": trial_actor_killed,
    "driver killed, resumed": driver_killed,
    "head restarted, resumed": head_restarted,
    "store's disk full, resumed": disk_full,
    "worker out of memory": out_of_memory,
}


def run_case(name: str, folder: Path, repetitions: int, seed: int) -> Told:
    """Runs with disturbances until there were enough of them."""
    told, random_, began = Told(name), random.Random(seed), time.monotonic()
    while len(told.repetitions) < repetitions and told.runs < 3 * repetitions:
        told.runs += 1
        slug = re.sub(r"\W+", "-", name)
        most = repetitions - len(told.repetitions)
        CASES[name](told, folder / f"{slug}-{told.runs}", random_, most)
    told.seconds = time.monotonic() - began
    return told


def _strike_one_of(
    told: Told, job: Job, process: "subprocess.Popen[bytes]", random_: random.Random, actor: str
) -> bool:
    """Kill one of the command's actors that trains; False when the command ended first."""
    if not _trains(job, process, max(0, len(job.steps.attempts()) - 1)):
        return False
    waited = _wait(process, random_.uniform(0.3, 3.0))

    def candidates() -> list[int]:
        trained = job.steps.processes()
        return [p for p in descendants(process.pid) if p in trained and _is_actor(p, actor)]

    while not (pids := candidates()):
        if process.poll() is not None:
            return False
        time.sleep(0.05)
    pid = random_.choice(sorted(pids))
    repetition = Repetition(actor, round(waited, 2))
    struck = time.time()
    os.kill(pid, signal.SIGKILL)
    attempt = next((a for a in job.steps.attempts() if a.pid == pid), None)
    if attempt is None:
        return True
    _count(job, _run_of(job, pid), attempt, repetition)
    known = {a.pid for a in job.steps.attempts()}
    while process.poll() is None and {a.pid for a in job.steps.attempts()} <= known:
        time.sleep(0.05)
    repetition.gone_on_s = time.time() - struck
    told.repetitions.append(repetition)
    return True


def _run_of(job: Job, pid: int) -> Path:
    """The run that a process trains: a trial's own, else the only one."""
    for child in (job.run / "children").glob("*"):
        if info(child).get("pid") == pid:
            return child
    return job.run


def _count(job: Job, run: Path, attempt: Attempt, repetition: Repetition) -> None:
    """Steps since the last checkpoint, which will be done again."""
    manifest = run / "checkpoints" / "last" / "manifest.json"
    saved = manifest.stat().st_mtime if manifest.exists() else 0.0
    repetition.repeated = sum(t > saved for t in attempt.times)
    repetition.interval = round(attempt.steps_per_s * job.interval_s)


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
    while len(job.steps.attempts()) <= known:
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
