"""Answers of Ray actors, with their failures in words for the user."""

from typing import Any

from trivium.platform.errors import RunFailed, TriviumError
from trivium.trainers.deaths import cause_of_death, deaths

LESS_MEMORY = (
    "Take fewer copies of the environment (env.num_envs), fewer actors for each node "
    "(resources.num_env_runners, resources.num_learners), or nodes with more memory"
)


class ActorDied(RunFailed):
    """The process of an actor ended, or its node did; what it was doing can be done again."""

    def __init__(self, who: str) -> None:
        super().__init__(f"{who}; `trivium resume` goes on from the last checkpoint")
        self.who = who
        """As in `env runner 1 died; ...`."""

    def __reduce__(self) -> tuple[type["ActorDied"], tuple[str]]:
        return (type(self), (self.who,))  # it passes through RLlib, which copies it


def results(references: list[Any], role: str) -> list[Any]:
    """What the actors answer, in order; `role` names them in messages.

    Raises:
        TriviumError: the one that an actor raised.
        ActorDied: an actor's process ended.
        RunFailed: an actor raised something else.
    """
    import ray

    answers = []
    for index, reference in enumerate(references):
        try:
            answers.append(ray.get(reference))
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, TriviumError):
                raise cause from None
            raise RunFailed(
                f"{role} {index + 1} failed: {type(cause).__name__}: {cause}"
            ) from error
        except deaths() as error:
            why = cause_of_death(error, LESS_MEMORY)
            raise ActorDied(f"{role} {index + 1} died; {why}") from error
    return answers
