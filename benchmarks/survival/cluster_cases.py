"""Cases on a cluster of three nodes: workers and nodes that are killed, warned, and that come."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from nodes import Node, Nodes
from runs import Job, Repetition, Told, base_environment, disturb, settle, supervised
from steps import Attempt, curve

EPOCHS = 45
"""1,800 steps of 10 ms: long enough for a few strikes."""
ELASTIC = "{min: 1, max: 3, resize_interval_s: 5}"
STRIKES = 4
"""In one run."""

Strike = Callable[[Nodes, Job, Attempt], str]


def worker_killed(nodes: Nodes, job: Job, attempt: Attempt) -> str:
    """One of the training workers, by SIGKILL."""
    living = {p: r for p, r in job.steps.processes().items() if Path(f"/proc/{p}").exists()}
    pid = random.choice(sorted(living))
    os.kill(pid, signal.SIGKILL)
    return f"worker of rank {living[pid]}"


def node_killed(nodes: Nodes, job: Job, attempt: Attempt) -> str:
    """A node without rank 0; another one comes."""
    first = nodes.node_of(attempt.pid)
    others = [n for n in nodes.nodes if n is not first]
    return _replaced(nodes, random.choice(others or [first]), nodes.kill)


def first_node_killed(nodes: Nodes, job: Job, attempt: Attempt) -> str:
    """The node of rank 0; another one comes."""
    return _replaced(nodes, nodes.node_of(attempt.pid), nodes.kill)


def node_warned(nodes: Nodes, job: Job, attempt: Attempt) -> str:
    """SIGTERM to the node of rank 0, as a reclaimed machine gets it; another one comes."""
    return _replaced(nodes, nodes.node_of(attempt.pid), nodes.warn)


CASES: dict[str, Strike] = {
    "training worker killed": worker_killed,
    "node killed": node_killed,
    "node of rank 0 killed": first_node_killed,
    "node warned by SIGTERM": node_warned,
}


def run_case(name: str, nodes: Nodes, folder: Path, repetitions: int, seed: int) -> Told:
    """Elastic runs with strikes until there were enough of them."""
    strike = CASES[name]
    told, random_, began = Told(name), random.Random(seed), time.monotonic()
    reference = reference_curve(folder)
    while len(told.repetitions) < repetitions and told.runs < 3 * repetitions:
        told.runs += 1
        job = supervised(folder / f"{name.replace(' ', '-')}-{told.runs}", ELASTIC, EPOCHS)
        process = job.start("train", job.file, environment=nodes.environment)
        most = min(STRIKES, repetitions - len(told.repetitions))

        def hit(attempt: Attempt, job: Job = job) -> str:
            return strike(nodes, job, attempt)

        struck = disturb(job, process, random_, most, hit)
        process.wait()
        told.repetitions += struck
        _judge(told, job, struck, reference)
    told.seconds = time.monotonic() - began
    return told


def _judge(
    told: Told, job: Job, struck: list[Repetition], reference: list[tuple[int, float]]
) -> None:
    wrong = job.is_well()
    if wrong:
        told.lost += 1
        told.notes.append(f"run {told.runs}: {wrong}")
        return
    settle(job, struck)
    found = curve(job.run)
    if [step for step, _ in found] != [step for step, _ in reference]:
        told.notes.append(f"run {told.runs}: its reports are not those of an undisturbed run")
        return
    apart = max(abs(a - b) / b for (_, a), (_, b) in zip(found, reference, strict=True))
    told.curves_apart = max(told.curves_apart, apart)


def reference_curve(folder: Path) -> list[tuple[int, float]]:
    """Training losses of the same job on one worker that nobody disturbs; computed once."""
    path = folder / "reference"
    if not path.exists():
        job = supervised(path, "1", EPOCHS, pause_s=0.0)
        process = job.start("train", job.file, environment=base_environment())
        process.wait()
        assert not job.is_well(), job.is_well()
    return curve(next(iter((path / "runs").glob("*-1"))))


def _replaced(nodes: Nodes, node: Node, end: Callable[[Node], None]) -> str:
    end(node)
    nodes.add_later()
    return f"node {node.ip}"
