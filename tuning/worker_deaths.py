"""Deaths of trials' actors, told to Ray Tune by the one error for them that it knows.

It goes on after a RayActorError. An actor that Ray ends because its node has no memory left raises
another one, by which Tune ends the whole sweep.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from trivium.trainers.deaths import deaths


@contextlib.contextmanager
def deaths_told() -> Iterator[None]:
    """For the time of the block; a trial that died then goes on as `FailureConfig` says."""
    from ray.air.execution._internal.actor_manager import RayActorManager
    from ray.exceptions import RayActorError, RayTaskError

    stock = RayActorManager._actor_task_failed

    def failed(manager: Any, tracked_actor_task: Any, exception: Exception) -> None:
        is_known = isinstance(exception, RayActorError | RayTaskError)
        if isinstance(exception, deaths()) and not is_known:
            exception = RayActorError(error_msg=str(exception))
        stock(manager, tracked_actor_task=tracked_actor_task, exception=exception)

    RayActorManager._actor_task_failed = failed
    try:
        yield
    finally:
        RayActorManager._actor_task_failed = stock
