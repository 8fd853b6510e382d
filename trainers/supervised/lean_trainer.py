"""A TorchTrainer for a Ray of our own: without the helpers that one machine has no use for.

Ray Train starts a process for each of them, and each costs one to two seconds on two cores. They
guard against a cluster's accidents; here the cluster is these workers, and ends with them. A
cluster that is joined gets the stock TorchTrainer. benchmarks/ray_startup.py measures it.

This file alone knows Ray Train's inner names; its tests fail when a later Ray moves them.
"""

import asyncio
from typing import Any

from ray._raylet import PlacementGroupID
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.callbacks import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.execution.controller import TrainController
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
from ray.train.v2._internal.execution.worker_group import (
    WorkerGroup,
    state,
    worker_group,
)
from ray.util.placement_group import (
    PlacementGroup,
    placement_group_table,
    remove_placement_group,
)

UNUSED_HELPERS = (
    PlacementGroupCleanerCallback,  # frees resources for others when the controller dies
    DatasetsCallback,  # hands out Ray Data shards; our data sets are read by the workers
)


class FixedWorkers(FixedScalingPolicy):  # type: ignore[misc]
    """A fixed number of workers that nobody asks an autoscaler for."""

    def after_controller_start(self, train_run_context: Any) -> None:
        """Nothing to register: the stock policy starts the autoscaling coordinator's actor."""

    def _maybe_send_resource_request(self) -> None:
        pass

    def _cancel_resource_request(self) -> None:
        pass


class HeirsOfTheEnvironment(WorkerGroup):  # type: ignore[misc]
    """Workers that find RAY_TRAIN_* in the environment that all processes of this Ray inherit.

    Stock names the variables in each worker's runtime environment, for which Ray starts a new
    process by way of another, instead of taking one that it started ahead.
    """

    @staticmethod
    def _get_worker_runtime_env(custom_runtime_env: Any) -> dict[str, Any]:
        return dict(custom_runtime_env)


class NobodyToMeet:
    """In place of the actor where workers meet in `ray.train.report`, which ours never call.

    They talk by torch's process group; the run folder has what they report.
    """

    @classmethod
    def options(cls, **_: Any) -> "type[NobodyToMeet]":
        """As of an actor's class."""
        return cls

    @staticmethod
    def remote(**_: Any) -> str:
        """What stands for the handle; it travels to the workers."""
        return "nobody"


class LeanController(TrainController):  # type: ignore[misc]
    """Ray Train's controller, with workers that inherit."""

    worker_group_cls = HeirsOfTheEnvironment


class LeanTorchTrainer(TorchTrainer):  # type: ignore[misc]
    """Ray Train's own controller, workers and failure handling; fewer processes beside them."""

    def _create_default_callbacks(self) -> list[Any]:
        made = super()._create_default_callbacks()
        return [c for c in made if not isinstance(c, UNUSED_HELPERS)]

    def _initialize_and_run_controller(self, **arguments: Any) -> Any:
        """Run the controller in this process, which must be an actor; stock starts another."""
        arguments["scaling_policy"] = FixedWorkers(self.scaling_config)
        worker_group.SynchronizationActor = NobodyToMeet
        state._shutdown_sync_actor = lambda _: None
        try:
            controller = LeanController(**arguments)
            asyncio.run(controller.run())
            return controller.get_result()
        finally:
            _free_what_is_reserved()


def _free_what_is_reserved() -> None:
    """Take back what a controller leaves reserved when a worker dies while it starts the others.

    Until the driver ends, says Ray; the next run of this Ray would wait for it for ever.
    """
    for name, group in placement_group_table().items():
        if group["state"] != "REMOVED":
            remove_placement_group(PlacementGroup(PlacementGroupID(bytes.fromhex(name))))
