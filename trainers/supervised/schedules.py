"""How the learning rate moves over a run.

A schedule gives a scale for each step, and the learning rate of that step is `optimizer.lr` times
it. All but one are pure functions of the step, so a resumed run needs nothing but its step; the
one that watches a metric has a state to save.

In the formulas, t counts steps after the warm-up from 0, e = t / steps_per_epoch counts epochs.
While it warms up, over w steps, step k (from 0) is scaled by (k + 1) / w.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from trivium.platform.errors import UserError, nearest
from trivium.platform.settings import ComponentSettings


class ScheduleSettings(ComponentSettings):
    """Settings of every schedule."""

    warmup_epochs: float = Field(0.0, ge=0)
    """Epochs over which the learning rate grows from near zero to its full value."""
    warmup_steps: int = Field(0, ge=0)
    """The same in steps, when epochs are too coarse."""

    @model_validator(mode="after")
    def _one_warmup(self) -> Self:
        if self.warmup_epochs and self.warmup_steps:
            raise ValueError("warmup_epochs and warmup_steps say the same thing: give one of them")
        return self


class ConstantSettings(ScheduleSettings):
    """Settings of `constant`."""


class StepSettings(ScheduleSettings):
    """Settings of `step`."""

    every_epochs: float = Field(gt=0)
    """Epochs between two drops."""
    factor: float = Field(0.1, gt=0, lt=1)
    """What a drop multiplies the learning rate by."""


class ExponentialSettings(ScheduleSettings):
    """Settings of `exponential`."""

    factor: float = Field(0.95, gt=0, lt=1)
    """What an epoch multiplies the learning rate by; within an epoch it falls smoothly."""


class InverseTimeSettings(ScheduleSettings):
    """Settings of `inverse_time`."""

    rate: float = Field(0.1, gt=0)
    """How fast it falls: after 1 / rate epochs the learning rate is halved."""


class CosineSettings(ScheduleSettings):
    """Settings of `cosine`."""

    min_scale: float = Field(0.0, ge=0, lt=1)
    """Share of the learning rate at the end of the last epoch."""


class ReduceOnPlateauSettings(ScheduleSettings):
    """Settings of `reduce_on_plateau`."""

    metric: str = "validation/loss"
    """The metric that must go on getting better, looked at after each epoch."""
    mode: Literal["min", "max"] = "min"
    """Whether better is smaller (a loss) or larger (an accuracy)."""
    factor: float = Field(0.5, gt=0, lt=1)
    """What a reduction multiplies the learning rate by."""
    patience: int = Field(3, ge=0)
    """Epochs without a better value that are put up with before a reduction."""
    min_delta: float = Field(1e-4, ge=0)
    """A value counts as better when it is better by more than this."""
    min_scale: float = Field(0.001, ge=0, lt=1)
    """Reductions stop at this share of the learning rate."""


class Schedule(ABC):
    """The order of calls: `lr_scale` before each step, `observe` after each epoch's validation."""

    def __init__(self, settings: ScheduleSettings, steps_per_epoch: int, num_epochs: int) -> None:
        self.steps_per_epoch = steps_per_epoch
        self.warmup_steps = settings.warmup_steps or round(settings.warmup_epochs * steps_per_epoch)
        self.num_steps = num_epochs * steps_per_epoch
        if self.warmup_steps and self.warmup_steps >= self.num_steps:
            raise ValueError(
                f"the warm-up takes {self.warmup_steps} steps and the run has {self.num_steps} "
                f"({num_epochs} epochs of {steps_per_epoch}): shorten the warm-up"
            )

    def lr_scale(self, step: int) -> float:
        """The scale at optimizer step `step`, counted from 0 at the start of the run."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        return self._scale(step - self.warmup_steps)

    @abstractmethod
    def _scale(self, step: int) -> float:
        """The scale `step` steps after the warm-up."""

    def observe(self, metrics: Mapping[str, float]) -> None:  # noqa: B027
        """Take notice of an epoch's metrics; only `reduce_on_plateau` does."""

    def state_dict(self) -> dict[str, float]:
        """What resumption needs besides the step; empty for pure functions of the step."""
        return {}

    def load_state_dict(self, state: Mapping[str, float]) -> None:  # noqa: B027
        """Take up the state that `state_dict` gave."""


class Constant(Schedule):
    """1."""

    def __init__(self, settings: ConstantSettings, steps_per_epoch: int, num_epochs: int) -> None:
        super().__init__(settings, steps_per_epoch, num_epochs)

    def _scale(self, step: int) -> float:
        return 1.0


class Step(Schedule):
    """factor ** floor(e / every_epochs)."""

    def __init__(self, settings: StepSettings, steps_per_epoch: int, num_epochs: int) -> None:
        super().__init__(settings, steps_per_epoch, num_epochs)
        self.settings = settings

    def _scale(self, step: int) -> float:
        every_steps = max(1, round(self.settings.every_epochs * self.steps_per_epoch))
        return self.settings.factor ** (step // every_steps)


class Exponential(Schedule):
    """factor ** e."""

    def __init__(
        self, settings: ExponentialSettings, steps_per_epoch: int, num_epochs: int
    ) -> None:
        super().__init__(settings, steps_per_epoch, num_epochs)
        self.settings = settings

    def _scale(self, step: int) -> float:
        return float(self.settings.factor ** (step / self.steps_per_epoch))


class InverseTime(Schedule):
    """1 / (1 + rate * e)."""

    def __init__(
        self, settings: InverseTimeSettings, steps_per_epoch: int, num_epochs: int
    ) -> None:
        super().__init__(settings, steps_per_epoch, num_epochs)
        self.settings = settings

    def _scale(self, step: int) -> float:
        return 1.0 / (1.0 + self.settings.rate * step / self.steps_per_epoch)


class Cosine(Schedule):
    """min_scale + (1 - min_scale) * (1 + cos(pi * t / n)) / 2, with n steps after the warm-up.

    https://arxiv.org/abs/1608.03983, without restarts.
    """

    def __init__(self, settings: CosineSettings, steps_per_epoch: int, num_epochs: int) -> None:
        super().__init__(settings, steps_per_epoch, num_epochs)
        self.settings = settings

    def _scale(self, step: int) -> float:
        share = min(1.0, step / max(1, self.num_steps - self.warmup_steps))
        low = self.settings.min_scale
        return low + (1.0 - low) * (1.0 + math.cos(math.pi * share)) / 2.0


class ReduceOnPlateau(Schedule):
    """factor ** (number of reductions so far).

    A reduction comes after more than `patience` epochs in a row without a better value.
    """

    def __init__(
        self, settings: ReduceOnPlateauSettings, steps_per_epoch: int, num_epochs: int
    ) -> None:
        super().__init__(settings, steps_per_epoch, num_epochs)
        self.settings = settings
        self.scale = 1.0
        self.best = math.inf
        self.bad_epochs = 0

    def _scale(self, step: int) -> float:
        return self.scale

    def observe(self, metrics: Mapping[str, float]) -> None:
        """Count an epoch as progress or not; reduce when patience is over.

        Raises:
            UserError: the watched metric is not among `metrics`.
        """
        name = self.settings.metric
        if name not in metrics:
            raise UserError.at(
                "algorithm.schedule.metric",
                f"no metric {name!r} is reported{nearest(name, metrics)} "
                f"(reported: {', '.join(metrics)})",
            )
        value = metrics[name] if self.settings.mode == "min" else -metrics[name]
        if value < self.best - self.settings.min_delta:
            self.best, self.bad_epochs = value, 0
            return
        self.bad_epochs += 1
        if self.bad_epochs > self.settings.patience:
            self.scale = max(self.scale * self.settings.factor, self.settings.min_scale)
            self.bad_epochs = 0

    def state_dict(self) -> dict[str, float]:
        """The scale, the best value so far and the epochs since it."""
        return {"scale": self.scale, "best": self.best, "bad_epochs": self.bad_epochs}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Take up the state that `state_dict` gave."""
        self.scale, self.best = state["scale"], state["best"]
        self.bad_epochs = int(state["bad_epochs"])
