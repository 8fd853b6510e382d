"""What a supervised job file says: the data, the model, and how the model is fitted to the data."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from trivium.datasets.settings import DatasetSettings
from trivium.platform.job import Job
from trivium.platform.settings import ComponentSettings, Settings, component
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
    optimizer: Annotated[ComponentSettings, component(OPTIMIZERS)] = Field(
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


class SupervisedJob(Job):
    """A job that learns from rows with a target."""

    dataset: DatasetSettings
    """Pillar 1: the data."""
    model: Annotated[ComponentSettings, component(MODELS)]
    """Pillar 2: the model structure."""
    algorithm: SupervisedSettings
    """Pillar 3: how the model is fitted."""
