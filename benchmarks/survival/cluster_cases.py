"""Cases on a cluster of three nodes: workers and nodes that are killed, warned, and that come."""

import os
import random
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nodes import Node, Nodes, is_alive
from runs import Job, Repetition, Told, base_environment, disturb, settle, supervised
from steps import Attempt, curve

Strike = Callable[[Nodes, Job, Attempt, random.Random], str]
"""Says what it struck; nothing when there was nothing to strike at that moment."""


@dataclass(frozen=True)
class Case:
    """What happens to a run of elastic workers, and on how many nodes it begins."""

    strike: Strike
    num_nodes: int = 3
    most_strikes: int = 5
    """In one run."""
    epochs: int = 30
    """Of 40 steps, long enough for the strikes."""
    pause_s: float = 0.01
    """Of a step."""
    resize_interval_s: float = 20
    """Longer than until the next strike: a node that came is used by the next beginning."""

    @property
    def workers(self) -> str:
        """For the job file."""
        return f"{{min: 1, max: 4, resize_interval_s: {self.resize_interval_s:g}}}"


def worker_killed(nodes: Nodes, job: Job, attempt: Attempt, random_: random.Random) -> str:
    """One of the training workers, by SIGKILL."""
    living = {p: r for p, r in job.steps.processes().items() if is_alive(p)}
    if attempt.pid not in living:
        return ""
    pid = random_.choice(sorted(living))
    os.kill(pid, signal.SIGKILL)
    return f"worker of rank {living[pid]}"


def node_killed(nodes: Nodes, job: Job, attempt: Attempt, random_: random.Random) -> str:
    """A node without rank 0; another one comes."""
    first = nodes.node_of(attempt.pid)
    others = [n for n in nodes.nodes if n is not first]
    return _replaced(nodes, random_.choice(others) if first and others else None, nodes.kill)


def first_node_killed(nodes: Nodes, job: Job, attempt: Attempt, random_: random.Random) -> str:
    """The node of rank 0; another one comes."""
    return _replaced(nodes, nodes.node_of(attempt.pid), nodes.kill)


def node_warned(nodes: Nodes, job: Job, attempt: Attempt, random_: random.Random) -> str:
    """SIGTERM to the node of rank 0, as a reclaimed machine gets it; another one comes."""
    return _replaced(nodes, nodes.node_of(attempt.pid), nodes.warn)


def node_comes(nodes: Nodes, job: Job, attempt: Attempt, random_: random.Random) -> str:
    """A node more, beside those that train."""
    count = len(nodes.nodes)
    nodes.add_later()
    return f"nodes: {count} to {count + 1}"


CASES: Mapping[str, Case] = {
    "training worker killed": Case(worker_killed),
    "node killed": Case(node_killed),
    "node of rank 0 killed": Case(first_node_killed),
    "node warned by SIGTERM": Case(node_warned),
    # Training goes on while a node starts, so this takes more steps.
    "node comes, workers become more": Case(
        node_comes, num_nodes=1, most_strikes=3, epochs=60, pause_s=0.03, resize_interval_s=5
    ),
}


def run_case(told: Told, nodes: Nodes, folder: Path, repetitions: int, seed: int) -> None:
    """Elastic runs with strikes until there were enough of them."""
    case, random_ = CASES[told.case], random.Random(seed)
    slug = re.sub(r"\W+", "-", told.case)
    reference = reference_curve(folder, case.epochs)
    while len(told.repetitions) < repetitions and told.runs < 3 * repetitions:
        most = min(case.most_strikes, repetitions - len(told.repetitions))
        nodes.have(case.num_nodes)
        told.runs += 1
        job = supervised(folder / f"{slug}-{told.runs}", case.workers, case.epochs, case.pause_s)
        process = job.start("train", job.file, environment=nodes.environment)

        def hit(attempt: Attempt, job: Job = job) -> str:
            return case.strike(nodes, job, attempt, random_)

        struck = disturb(job, process, random_, most, hit)
        process.wait()
        _judge(told, job, struck, reference)
        told.repetitions += struck


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


def reference_curve(folder: Path, epochs: int) -> list[tuple[int, float]]:
    """Training losses of the same job on one worker that nobody disturbs; computed once."""
    path = folder / f"reference-{epochs}"
    if not path.exists():
        job = supervised(path, "1", epochs, pause_s=0.0)
        process = job.start("train", job.file, environment=base_environment())
        process.wait()
        assert not job.is_well(), job.is_well()
    return curve(next(iter((path / "runs").glob("*-1"))))


def _replaced(nodes: Nodes, node: Node | None, end: Callable[[Node], None]) -> str:
    if node is None:
        return ""
    end(node)
    nodes.add_later()
    return f"node {node.ip}"
