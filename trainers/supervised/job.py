"""What a supervised job file says: the data, the model, and how the model is fitted to the data."""

from statistics import fmean
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from trivium.datasets.folds import Fold
from trivium.datasets.settings import DatasetSettings
from trivium.platform.errors import Mistake
from trivium.platform.job import Job, Repeats
from trivium.platform.settings import ComponentSettings, Settings, component, refusal
from trivium.trainers.supervised.gradients import GradientSettings

MODELS = "trivium.models.registry:MODELS"
TASKS = "trivium.trainers.registry:TASKS"
OPTIMIZERS = "trivium.trainers.registry:OPTIMIZERS"
SCHEDULES = "trivium.trainers.registry:SCHEDULES"


class EarlyStoppingSettings(Settings):
    """End the run when the watched metric stops getting better."""

    metric: str | None = None
    """Such as validation/accuracy; None is the task's own. The best epoch is chosen by it."""
    patience: int = Field(5, ge=1)
    """Epochs without a better value before the run ends."""
    min_delta: float = Field(0.0, ge=0)
    """A value is better when it is better by more than this."""


class SupervisedSettings(ComponentSettings):
    """The algorithm section of a supervised job."""

    task: Annotated[ComponentSettings, component(TASKS)] | None = None
    """classification, regression or rating; None is told from the data's target and inputs."""
    epochs: int = Field(10, ge=1)
    """Passes over the training rows."""
    batch_size: Annotated[int, Field(ge=1)] | Literal["full"] = 128
    """Rows per step over all workers: full is gradient descent, 1 is stochastic, between is
    mini-batch."""
    optimizer: Annotated[ComponentSettings, component(OPTIMIZERS, unnamed="adam")] = Field(
        "adam", validate_default=True
    )
    """The rule that turns gradients into steps."""
    schedule: Annotated[ComponentSettings, component(SCHEDULES)] = Field(
        "constant", validate_default=True
    )
    """How the learning rate moves over the run."""
    gradients: GradientSettings = GradientSettings()
    """Clipping, and the watch for vanishing and exploding gradients."""
    accumulate_batches: int = Field(1, ge=1)
    """Batches whose gradients are averaged before each step."""
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    """Number format of the forward and backward pass; weights stay float32."""
    early_stopping: EarlyStoppingSettings | None = None
    """None trains all epochs; the best epoch's weights are kept either way."""
    evaluation_batch_size: int = Field(1024, ge=1)
    """Rows per batch when nothing is learned; larger is faster and takes more memory."""

    @model_validator(mode="after")
    def _can_take_effect(self) -> Self:
        if self.batch_size == "full" and self.accumulate_batches > 1:
            raise ValueError(
                "accumulate_batches has no effect with batch_size: full, which is one batch"
            )
        return self


class ValidationSettings(Settings):
    """Cross-validation: the job is trained once for each fold, each time without its rows.

    All rows that the split would train on or validate with are shared out, with the same share of
    each class; by group where the split is by group; by time, each fold later than all that it
    trains on, where the split is by time. Statistics and vocabularies are those of the fold's
    training rows. The score is the mean over the folds; the test rows stay apart, and their score
    is the mean of the folds' models too, as no model is trained on all rows.
    """

    folds: int = Field(ge=2, le=100)
    """How many; more train on more rows, and take as many times longer."""
    fold: int | None = Field(None, ge=0)
    """Train this one alone, counted from 0; None trains all of them as one run."""

    @model_validator(mode="after")
    def _exists(self) -> Self:
        if self.fold is not None and self.fold >= self.folds:
            message = f"there are {self.folds}, 0 to {self.folds - 1}; got {self.fold}"
            raise refusal(Mistake("fold", message))
        return self


class SupervisedJob(Job):
    """A job that learns from rows with a target."""

    dataset: DatasetSettings
    """Pillar 1: the data."""
    model: Annotated[ComponentSettings, component(MODELS)]
    """Pillar 2: the model structure."""
    algorithm: SupervisedSettings
    """Pillar 3: how the model is fitted."""
    validation: ValidationSettings | None = None
    """Cross-validation; None validates once, with the rows of dataset.split.validation."""

    @model_validator(mode="after")
    def _folds_take_effect(self) -> Self:
        if self.validation is None:
            return self
        mistakes = []
        split = self.dataset.split
        if split.validation is not None and split.train is None:
            message = "has no effect with validation.folds, which share all rows but those of test"
            mistakes.append(Mistake("dataset.split.validation", f"{message}; leave it out"))
        if self.seeds > 1 and self.validation.fold is None:
            message = f"{self.seeds} trainings a fold are not made: keep seeds or validation.folds"
            mistakes.append(Mistake("seeds", message))
        if mistakes:
            raise refusal(*mistakes)
        return self

    @property
    def fold(self) -> Fold | None:
        """The fold that this job trains; of a job over all folds the first, which is looked at."""
        if self.validation is None:
            return None
        return Fold(self.validation.fold or 0, self.validation.folds)

    @property
    def repeats(self) -> Repeats | None:
        """One training for each fold, or for each seed."""
        if self.validation is None or self.validation.fold is not None:
            return super().repeats
        count = self.validation.folds
        jobs: dict[str, Job] = {
            f"fold {i}": self.changed(validation=ValidationSettings(folds=count, fold=i))
            for i in range(count)
        }
        # Rows validated on per row trained on: one part of the others, or of those before it.
        before = range(1, count + 1) if self.dataset.split.time else [count - 1]
        return Repeats(
            "folds",
            jobs,
            "Validation scores are of the fold's own rows, at its best epoch. The interval is the "
            "95% confidence interval of the mean, wider than over seeds as folds share rows.",
            validates=True,
            overlap=fmean(1 / parts for parts in before),
        )
