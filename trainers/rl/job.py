"""The job file of reinforcement learning: an environment, an algorithm, and when to stop.

`RlJob` is what every algorithm has. `NetworkJob` adds the model, for algorithms that learn one; a
tabular method takes `RlJob` as it is. An algorithm's own job type narrows `algorithm`:

    class PpoJob(NetworkJob):
        algorithm: PpoSettings
"""

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from trivium.platform.job import Job
from trivium.platform.settings import ComponentSettings, Settings, component
from trivium.trainers.rl.environment.settings import EnvSettings

MODELS = "trivium.models.registry:MODELS"


class StopSettings(Settings):
    """When training ends: at the first of these that is reached."""

    return_mean: float | None = None
    """Mean return of episodes as the section evaluation plays them; None is off."""
    env_steps: int | None = Field(None, ge=1)
    """Environment steps over all copies and runners; None is off."""
    time_s: float | None = Field(None, gt=0)
    """Seconds of training; None is off. A run stopped by it does not repeat exactly."""

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.return_mean is None and self.env_steps is None and self.time_s is None:
            raise ValueError("training would never end: give return_mean, env_steps or time_s")
        return self


class EvaluationSettings(Settings):
    """Episodes during training: they choose the best checkpoint and answer return_mean."""

    sample: bool = False
    """Draw actions from the policy instead of taking its best: where an observation does not tell
    all of the state, no greedy policy may be as good (Singh, Jaakkola and Jordan 1994)."""

    interval_env_steps: int | None = Field(None, ge=1)
    """Environment steps between evaluations; None is a twentieth of stop.env_steps, or 20,000."""
    episodes: int = Field(20, ge=1, le=10_000)
    """Episodes of each evaluation."""
    confirm_episodes: int = Field(100, ge=1, le=10_000)
    """Fresh episodes that must confirm stop.return_mean, less their standard error; as many more
    score the finished run."""
    max_steps: int = Field(20_000, ge=1)
    """An evaluation episode is cut after this many steps, for environments without a limit."""


class RlJob(Job):
    """A job of reinforcement learning."""

    env: EnvSettings
    """What is learned."""
    algorithm: ComponentSettings
    """How it is learned."""
    stop: StopSettings
    """When training ends."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """Episodes that score the policy, during training and after it."""

    uses_learners: ClassVar[bool] = False
    """Whether resources.num_learners takes effect."""
    uses_env_runners: ClassVar[bool] = False
    """Whether resources.num_env_runners takes effect."""

    @field_validator("algorithm", mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _takes_effect(self) -> Self:
        resources, name = self.resources, self.algorithm.name
        if resources.num_workers != 1:
            raise ValueError(
                "resources.num_workers is for supervised training; reinforcement learning takes "
                "num_env_runners and num_learners"
            )
        if resources.num_learners and not self.uses_learners:
            raise ValueError(f"resources.num_learners: {name} learns in one process; leave it out")
        if resources.num_env_runners and not self.uses_env_runners:
            raise ValueError(
                f"resources.num_env_runners: {name} steps in one process; leave it out"
            )
        return self

    @property
    def evaluation_interval(self) -> int:
        """Environment steps between two evaluations."""
        if self.evaluation.interval_env_steps is not None:
            return self.evaluation.interval_env_steps
        return max(1, self.stop.env_steps // 20) if self.stop.env_steps else 20_000


class NetworkJob(RlJob):
    """A job whose algorithm learns a network."""

    model: Annotated[ComponentSettings, component(MODELS)]
    """The network's structure; it gets input_shape and output_size from the environment."""
