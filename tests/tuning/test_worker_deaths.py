"""What Ray Tune is told when an actor of a trial dies."""

from types import SimpleNamespace

import pytest

pytest.importorskip("ray")
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import ObjectStoreFullError, OutOfMemoryError, RayActorError

from trivium.tuning.worker_deaths import deaths_told


def told_of(error: Exception) -> list[Exception]:
    """What the callbacks of the actor hear of it."""
    heard: list[Exception] = []
    actor = SimpleNamespace(actor_id=1, _on_error=lambda _actor, e: heard.append(e))
    manager = SimpleNamespace(_failed_actor_ids=set(), _cleanup_actor=lambda tracked_actor: None)
    task = SimpleNamespace(_tracked_actor=actor, _on_error=None)
    RayActorManager._actor_task_failed(manager, tracked_actor_task=task, exception=error)
    return heard


def test_an_actor_that_ray_ends_for_want_of_memory_has_died() -> None:
    # Tune took it for something unheard of, and the sweep was lost.
    with pytest.raises(RuntimeError, match="Caught unexpected exception"):
        told_of(OutOfMemoryError("the node is running low on memory"))
    with deaths_told():
        (heard,) = told_of(OutOfMemoryError("the node is running low on memory"))
    assert isinstance(heard, RayActorError)
    assert str(heard) == "the node is running low on memory"


def test_other_errors_stay_what_they_are() -> None:
    died = RayActorError(error_msg="gone")
    with deaths_told():
        assert told_of(died) == [died]
        with pytest.raises(RuntimeError, match="Caught unexpected exception"):
            told_of(ObjectStoreFullError("full"))
