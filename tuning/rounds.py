"""Schedulers that let all trials come equally far before they decide: the trials train in rounds.

A round says which trials go on and until which report. When all of them are there, the scheduler
looks at them and makes the next round. Trials wait as what they are anyway, run folders with a
checkpoint, so any number of them take turns on a few workers, and what was decided stands in the
sweep's `rounds.jsonl` before it is done: a killed sweep goes on in the middle of its round.
Decisions follow from the job's seed and the trials' values, not from which trial was faster.
"""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from trivium.platform.run import RunFolder, read_records
from trivium.tuning.dimension import Point
from trivium.tuning.objective import Objective

if TYPE_CHECKING:
    import numpy as np
    from ray.tune.schedulers import TrialScheduler

    from trivium.tuning.space import Space

LOG = "rounds.jsonl"


@dataclass(frozen=True)
class Take:
    """A trial goes on from another one's checkpoint, with other settings."""

    trial: int
    donor: int
    settings: Point


@dataclass(frozen=True)
class Round:
    """What happens until the scheduler is asked again."""

    until: int | None
    """Reports that each trial has when the round is over; None trains to the end."""
    trials: tuple[int, ...]
    """Those that go on; a number that is not there yet begins."""
    ended: tuple[int, ...] = ()
    """Those that do not go on, and are stopped early."""
    takes: tuple[Take, ...] = ()
    stage: tuple[int, ...] = ()
    """Where the scheduler is in its own plan."""


@dataclass(frozen=True)
class Member:
    """A trial as the scheduler sees it between two rounds."""

    number: int
    value: float | None
    """The metric in its last report; None when it failed or the value was not finite."""
    best: float | None
    """The best of all its reports."""
    settings: Point
    is_over: bool
    """It trained to its end, or failed and cannot go on by itself."""


@dataclass(frozen=True)
class Standing:
    """All that a decision follows from."""

    rounds: Sequence[Round]
    """Those that are over, in order."""
    members: Mapping[int, Member]
    objective: Objective
    space: "Space"
    num_trials: int
    generator: "np.random.Generator"
    """Seeded by the job's seed and the number of the round."""

    def ranked(self, numbers: Sequence[int], by_best: bool = False) -> list[Member]:
        """The members of these numbers, the best first and those without a value last."""
        found = [self.members[n] for n in numbers if n in self.members]

        def key(member: Member) -> tuple[bool, float, int]:
            value = member.best if by_best else member.value
            worth = 0.0 if value is None else self.objective.sort_key(value)
            return value is None, worth, member.number

        return sorted(found, key=key)


class InRounds(ABC):
    """Base of the schedulers that train trials in rounds; Ray Tune itself stops none."""

    changes_settings = False
    """Settings change while a trial trains, so that not every setting can be searched."""
    rescues = False
    """A trial that failed may go on from the checkpoint of another one."""

    def make(self, mode: Literal["max", "min"]) -> "TrialScheduler":
        """Ray Tune's first in, first out."""
        from ray.tune.schedulers import FIFOScheduler

        return FIFOScheduler()

    def recall(self, made: "TrialScheduler", curves: Mapping[int, Sequence[float]]) -> None:
        """Nothing to tell: what was decided stands in the sweep's rounds, see `read_rounds`."""
        return

    @abstractmethod
    def next_round(self, standing: Standing) -> Round | None:
        """What comes after `standing.rounds`; None when no trial goes on or begins."""


def read_rounds(run: RunFolder) -> list[Round]:
    """The rounds of a sweep that were decided, in order."""
    return [_round(r) for r in read_records(run.path / LOG)]


def write_round(run: RunFolder, decided: Round) -> None:
    """Add a decision; it is on the disk before anything follows from it."""
    with (run.path / LOG).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(decided)) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def _round(record: Mapping[str, Any]) -> Round:
    return Round(
        until=record["until"],
        trials=tuple(record["trials"]),
        ended=tuple(record["ended"]),
        takes=tuple(Take(**t) for t in record["takes"]),
        stage=tuple(record["stage"]),
    )
