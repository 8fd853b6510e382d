"""What a job will ask of a cluster, told from its file before anything is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trivium.platform.job import Job

Amounts = Mapping[str, float]
"""CPU and GPU, in Ray's units."""


@dataclass(frozen=True)
class Ask:
    """A number of equal shares, each of which must lie on one node."""

    what: str
    """As in `4 workers`."""
    count: int
    each: Amounts

    def __str__(self) -> str:
        return f"{self.what} x {amounts_text(self.each)}"


@dataclass(frozen=True)
class Demand:
    """What the command itself reserves, and what it starts on the cluster."""

    command: Amounts
    """Empty for a command that only waits for others: it then runs on the head."""
    shares: Sequence[Ask] = ()

    @property
    def asks(self) -> list[Ask]:
        """All of it, the command first."""
        own = [Ask("the command", 1, self.command)] if self.command else []
        return [*own, *self.shares]

    @property
    def total(self) -> dict[str, float]:
        """Everything together."""
        sums: dict[str, float] = {}
        for ask in self.asks:
            for name, amount in ask.each.items():
                sums[name] = sums.get(name, 0.0) + ask.count * amount
        return sums

    def __str__(self) -> str:
        asked = " + ".join(map(str, self.asks)) or "nothing but the head"
        return (
            f"{amounts_text(self.total)} ({asked})" if len(self.asks) != 1 or self.shares else asked
        )


def demand_of(verb: str, job: Job, has_gpus: bool) -> Demand:
    """What `verb` asks for when it runs `job` on a cluster.

    A job of one worker computes in the command itself, so the command reserves what a worker does.
    Several workers, actors and trials reserve their own.
    """
    resources = job.resources
    gpus = resources.gpus_per_worker
    per_worker = _amounts(
        resources.cpus_per_worker or 1.0, float(has_gpus) if gpus == "auto" else gpus
    )
    if verb in ("evaluate", "play"):
        return Demand(per_worker)
    workers = []
    if resources.most_workers > 1:
        what = f"{resources.worker_count} workers"
        workers.append(Ask(what, resources.fewest_workers, per_worker))
    if resources.num_env_runners:
        count = resources.num_env_runners
        workers.append(Ask(f"{count} environment runners", count, _amounts(1.0, 0.0)))
    if resources.num_learners:
        learner = _amounts(1.0, 0.0 if gpus == "auto" else gpus)
        workers.append(Ask(f"{resources.num_learners} learners", resources.num_learners, learner))
    if verb == "tune":
        return Demand({}, workers or [Ask("1 trial at a time", 1, _of_a_trial(job))])
    return Demand({} if resources.most_workers > 1 else per_worker, workers)


def amounts_text(amounts: Amounts) -> str:
    """`8 CPUs and 1 GPU`."""
    parts = [
        f"{amount:g} {name}{'s' if amount != 1 else ''}"
        for name, amount in amounts.items()
        if name in ("CPU", "GPU") and (amount or name == "CPU")
    ]
    return " and ".join(parts) or "0 CPUs"


def _of_a_trial(job: Job) -> Amounts:
    cpus = getattr(job.tune, "cpus_per_trial", 1.0)
    return _amounts(cpus, getattr(job.tune, "gpus_per_trial", 0.0))


def _amounts(cpus: float, gpus: float) -> Amounts:
    return {"CPU": cpus, **({"GPU": gpus} if gpus else {})}
