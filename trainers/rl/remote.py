"""Answers of Ray actors, with their failures in words for the user."""

from typing import Any

import ray

from trivium.platform.errors import RunFailed, TriviumError


def results(references: list[Any], role: str) -> list[Any]:
    """What the actors answer, in order; `role` names them in messages.

    Raises:
        TriviumError: the one that an actor raised.
        RunFailed: an actor died, or raised something else.
    """
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
        except ray.exceptions.RayActorError as error:
            raise RunFailed(
                f"{role} {index + 1} died ({_reason(error)}); `trivium resume` goes on from the "
                f"last checkpoint"
            ) from error
    return answers


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
