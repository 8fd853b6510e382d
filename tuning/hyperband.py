"""Synchronous HyperBand: brackets of successive halving, in which the trials of a rung wait.

Li and others, Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization (JMLR 2018),
https://arxiv.org/abs/1603.06560. Brackets follow each other, so that the searcher knows the one
before; the last bracket has as many trials as are left of `tune.num_trials`.
"""

import math

from pydantic import Field

from trivium.platform.settings import ComponentSettings
from trivium.tuning.rounds import InRounds, Round, Standing


class SynchronousHyperBandSettings(ComponentSettings):
    """Brackets of successive halving; the trials of a rung are compared when all are there."""

    grace_reports: int = Field(1, ge=1)
    """Reports before a trial may be stopped: the first rung of the first bracket."""
    reduction: float = Field(3.0, gt=1)
    """One in so many goes on; each rung is so many times later than the one before."""
    max_reports: int = Field(27, ge=2)
    """Reports of a whole training, which the last rung goes to; trials end as the job says."""


class SynchronousHyperBand(InRounds):
    """Decides at each rung of a bracket, then begins the next bracket."""

    def __init__(self, settings: SynchronousHyperBandSettings) -> None:
        self.settings = settings

    @property
    def brackets(self) -> list[tuple[int, tuple[int, ...]]]:
        """Trials and rungs (in reports, without the last: the end) of each bracket."""
        reduction, grace = self.settings.reduction, self.settings.grace_reports
        shares = self.settings.max_reports / grace
        most = max(0, math.floor(math.log(shares) / math.log(reduction) + 1e-9))
        found = []
        for halvings in range(most, -1, -1):
            count = math.ceil((most + 1) / (halvings + 1) * reduction**halvings - 1e-9)
            first = self.settings.max_reports / reduction**halvings
            rungs = tuple(max(grace, round(first * reduction**i)) for i in range(halvings))
            found.append((count, rungs))
        return found

    def next_round(self, standing: Standing) -> Round | None:
        """The next rung of the bracket, or the first of the next bracket."""
        if not standing.rounds:
            return self._begin(0, 0, standing.num_trials)
        last = standing.rounds[-1]
        bracket, rung = last.stage
        rungs = self.brackets[bracket][1]
        live = [m for m in standing.ranked(last.trials, by_best=True) if not m.is_over]
        if live and last.until is not None:
            keep = max(1, math.floor(len(last.trials) / self.settings.reduction + 1e-9))
            until = rungs[rung + 1] if rung + 1 < len(rungs) else None
            return Round(
                until,
                tuple(sorted(m.number for m in live[:keep])),
                ended=tuple(sorted(m.number for m in live[keep:])),
                stage=(bracket, rung + 1),
            )
        begun = 1 + max(n for r in standing.rounds for n in r.trials)
        if begun >= standing.num_trials:
            return None
        return self._begin((bracket + 1) % len(self.brackets), begun, standing.num_trials)

    def _begin(self, bracket: int, first: int, num_trials: int) -> Round:
        count, rungs = self.brackets[bracket]
        numbers = tuple(range(first, min(first + count, num_trials)))
        return Round(rungs[0] if rungs else None, numbers, stage=(bracket, 0))
