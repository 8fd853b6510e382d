"""The job file of an ensemble: which trained runs are combined, and how.

`trivium ensemble SWEEP` writes it; a file of one's own may name any runs of the same data.
"""

from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from trivium.platform.errors import Mistake
from trivium.platform.job import Job
from trivium.platform.settings import ComponentSettings, Many, refusal

Method: TypeAlias = Literal["voting", "average", "bagged", "stacked"]
METHODS: tuple[Method, ...] = ("voting", "average", "bagged", "stacked")


class EnsembleSettings(ComponentSettings):
    """The algorithm section of an ensemble."""

    members: Many[str] = Field(min_length=1)
    """Folders of supervised runs with the same rows, the best first: single trainings, or runs over
    seeds or folds, whose models count as one member."""
    method: Literal["best"] | Method = "best"
    """Voting: what most members say (the middle estimate of a real target). Average: the mean
    probability or estimate. Bagged: the mean by weights that a greedy selection on resampled
    validation rows gives. Stacked: a regression on the members' outputs, fitted on the validation
    rows. Best: the one with the best validation score."""
    metric: str | None = None
    """What `best` goes by, such as accuracy; None is what the task chooses the best epoch by."""


class EnsembleJob(Job):
    """A job that combines trained runs; nothing is trained but the combination."""

    algorithm: EnsembleSettings
    """What is combined, and how."""

    @model_validator(mode="after")
    def _takes_effect(self) -> Self:
        mistakes = []
        if self.seeds > 1:
            mistakes.append(Mistake("seeds", "has no effect: an ensemble trains no model"))
        if self.resources.most_workers > 1:
            message = "has no effect: an ensemble is combined in this process"
            mistakes.append(Mistake("resources.num_workers", message))
        if self.tune is not None:
            mistakes.append(Mistake("tune", "has no effect: tune the members, then combine them"))
        if mistakes:
            raise refusal(*mistakes)
        return self
