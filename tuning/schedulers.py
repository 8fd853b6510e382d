"""What stops hopeless trials early: Ray Tune's schedulers, told in reports of the metric.

A report is an epoch of supervised training or an evaluation in reinforcement learning; with
`seeds` above 1 it is a whole training with one seed. A stopped trial keeps its best checkpoint.
Schedulers in which trials wait for each other are in `population.py` and `hyperband.py`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import Field

from trivium.platform.settings import ComponentSettings

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

REPORTS = "training_iteration"
"""Number of a report within its trial, from 1."""
VALUE = "value"
"""The best value of the metric that the trial has reported so far."""


class FormerTrial:
    """What schedulers look at of Ray Tune's trial, for one that ended before this driver."""

    status = "TERMINATED"

    def __init__(self, number: int) -> None:
        self.trial_id = f"former-{number}"


class Scheduler(Protocol):
    """One entry of SCHEDULERS."""

    def make(self, mode: Literal["max", "min"]) -> "TrialScheduler":
        """Ray Tune's scheduler."""

    def recall(self, made: "TrialScheduler", curves: Mapping[int, Sequence[float]]) -> None:
        """Tell Ray Tune's scheduler, as `make` made it, of trials that ended before it began.

        `curves` has of each trial VALUE at every report.
        """


class NoStoppingSettings(ComponentSettings):
    """Every trial trains to its end."""


class NoStopping:
    """First in, first out."""

    def __init__(self, settings: NoStoppingSettings) -> None:
        self.settings = settings

    def make(self, mode: Literal["max", "min"]) -> "TrialScheduler":
        """Ray Tune's FIFO."""
        from ray.tune.schedulers import FIFOScheduler

        return FIFOScheduler()

    def recall(self, made: "TrialScheduler", curves: Mapping[int, Sequence[float]]) -> None:
        """Nothing to know."""


class AshaSettings(ComponentSettings):
    """Successive halving without waiting: at each rung only the best share goes on."""

    grace_reports: int = Field(1, ge=1)
    """Reports before a trial may be stopped: the first rung."""
    reduction: float = Field(3.0, gt=1)
    """One in so many goes on; each rung is so many times later than the one before."""
    max_reports: int = Field(1000, ge=2)
    """No rungs after this many reports; trials themselves end as the job says."""


class Asha:
    """Li and others, A System for Massively Parallel Hyperparameter Tuning (MLSys 2020)."""

    brackets = 1

    def __init__(self, settings: AshaSettings) -> None:
        self.settings = settings

    def make(self, mode: Literal["max", "min"]) -> "TrialScheduler":
        """Ray Tune's AsyncHyperBandScheduler."""
        from ray.tune.schedulers import AsyncHyperBandScheduler

        return AsyncHyperBandScheduler(
            time_attr=REPORTS,
            metric=VALUE,
            mode=mode,
            grace_period=self.settings.grace_reports,
            reduction_factor=self.settings.reduction,
            max_t=self.settings.max_reports,
            brackets=self.brackets,
            stop_last_trials=False,
        )

    def recall(self, made: "TrialScheduler", curves: Mapping[int, Sequence[float]]) -> None:
        """Fill the rungs; of several brackets a trial gets one as a new trial does."""
        for number, curve in curves.items():
            trial: Any = FormerTrial(number)
            made.on_trial_add(None, trial)
            for count, value in enumerate(curve, start=1):
                if math.isfinite(value):
                    made.on_trial_result(None, trial, {REPORTS: count, VALUE: value})


class HyperBand(Asha):
    """Asynchronous HyperBand: three brackets of ASHA, two of which give trials a longer grace."""

    brackets = 3


class MedianStoppingSettings(ComponentSettings):
    """Stop a trial whose best value is below the median of the others' means up to that report."""

    grace_reports: int = Field(3, ge=1)
    """Reports before a trial may be stopped."""
    min_trials: int = Field(3, ge=1)
    """Trials that must have come as far before one is compared with them."""


class MedianStopping:
    """The median rule of Golovin and others, Google Vizier (KDD 2017)."""

    def __init__(self, settings: MedianStoppingSettings) -> None:
        self.settings = settings

    def make(self, mode: Literal["max", "min"]) -> "TrialScheduler":
        """Ray Tune's MedianStoppingRule."""
        from ray.tune.schedulers import MedianStoppingRule

        return MedianStoppingRule(
            time_attr=REPORTS,
            metric=VALUE,
            mode=mode,
            grace_period=self.settings.grace_reports,
            min_samples_required=self.settings.min_trials,
        )

    def recall(self, made: "TrialScheduler", curves: Mapping[int, Sequence[float]]) -> None:
        """Fill the means, without asking whether one of these would be stopped now."""
        for number, curve in curves.items():
            trial: Any = FormerTrial(number)
            for count, value in enumerate(curve, start=1):
                if math.isfinite(value):
                    made.on_trial_complete(None, trial, {REPORTS: count, VALUE: value})
