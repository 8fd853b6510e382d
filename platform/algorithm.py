"""The seam between the verbs and the algorithms: what `trivium train` asks of any of them.

Order of calls: the job file is read as `job_type`; `Algorithm(job)` is made; `preflight()` answers
`check` and opens every run; `train(run)` fits and scores; later `evaluate(run)` scores the saved
result again and `export(run, folder)` writes it for use elsewhere. Supervised and reinforcement
learning differ behind this seam only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from trivium.platform.exhibit import Evaluation, Metric
from trivium.platform.job import Job
from trivium.platform.run import RunFolder
from trivium.platform.run_writer import RunWriter


@dataclass(frozen=True)
class Preflight:
    """What is known before anything starts: shown by `check` and at the head of each run."""

    facts: tuple[tuple[str, str], ...]
    """(label, sentence) in the order of reading: data, model, steps, memory, resources."""
    problems: tuple[str, ...] = ()
    """What would make the run fail, as `path.of.setting: sentence`; `train` refuses to start."""
    warnings: tuple[str, ...] = ()
    """What is allowed but probably not meant."""


@dataclass(frozen=True)
class Outcome:
    """How a training ended; the platform writes it to `result.json` and `exhibits.json`."""

    evaluation: Evaluation
    """Scores of the best checkpoint on data (or episodes) that training never used."""
    best_step: int
    rates: Mapping[str, float] = field(default_factory=dict)
    """Speeds such as `samples_per_s` or `env_steps_per_s`."""


@dataclass(frozen=True)
class EvaluateOptions:
    """What the user may ask of `evaluate`; an algorithm refuses what it cannot do."""

    split: str = "test"
    """Which part of the data is scored."""
    episodes: int = 100
    """How many episodes a policy plays."""
    sample: bool = False
    """Draw actions from the policy instead of taking its best one."""
    seed: int | None = None
    """Seed of the episodes; None takes seeds that training did not use."""


class Algorithm(Protocol):
    """One entry of `trivium.trainers.registry:ALGORITHMS`."""

    job_type: ClassVar[type[Job]]
    """The settings class that reads a whole job of this algorithm."""
    run_kind: ClassVar[str]
    """Kind of its runs, as in run.json; may be left out: train."""

    def __init__(self, job: Any) -> None: ...

    @property
    def metrics(self) -> Sequence[Metric]:
        """What this algorithm reports, most important first."""

    @property
    def changeable(self) -> Sequence[str]:
        """Settings that a training takes anew when it goes on from a checkpoint of other values,
        as dotted names, `algorithm.optimizer.*` for all below; may be left out: none.
        """

    @property
    def costs(self) -> Sequence[Metric]:
        """What `measure` tells of a trained model, such as parameters; may be left out: none."""

    def measure(self, run: RunFolder) -> Mapping[str, float]:
        """The costs of the best checkpoint of a finished run; asked only where `costs` has some."""

    def preflight(self) -> Preflight:
        """Look at the data (or environment), the model and the resources; start nothing."""

    def train(self, run: RunWriter) -> Outcome:
        """Fit, from the last checkpoint of `run` when it has one, and score the best.

        Raises:
            RunFailed: the run cannot go on; its reason is written for the user.
            Interrupted: the user asked to stop; the state is saved.
        """

    def evaluate(self, run: RunFolder, options: EvaluateOptions) -> Evaluation:
        """Score the best checkpoint of a finished run again, from its files alone."""

    def verify(self, recorded: Mapping[str, float], again: Mapping[str, float]) -> str | None:
        """A sentence when the scores of `evaluate` fall short of what training recorded."""

    def export(self, run: RunFolder, folder: Path) -> Sequence[tuple[str, Path]]:
        """Write the best checkpoint for use without Trivium: (what it is, where it lies)."""
