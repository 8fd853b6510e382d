"""A TorchTrainer for a Ray of our own: without the helpers that one machine has no use for.

Ray Train starts a process for each of them, and each costs one to two seconds on two cores. They
guard against a cluster's accidents; here the cluster is these workers, and ends with them. The
controller, too, runs in a thread of the command, which has imported torch for itself anyway. A
cluster that is joined gets controller.py's trainer. benchmarks/ray_startup.py measures it.

Ray Train's inner names are known here, in controller.py and its policies; the tests fail when a
later Ray moves them.
"""

import asyncio
from typing import Any

import ray
from ray._raylet import PlacementGroupID
from ray.runtime_context import RuntimeContext
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
from ray.train.v2._internal.execution.worker_group import state, worker_group
from ray.util.placement_group import (
    PlacementGroup,
    placement_group_table,
    remove_placement_group,
)

from trivium.trainers.supervised.controller import ClusterTrainer, PatientController, TidyWorkers
from trivium.trainers.supervised.perseverance import GoOn


class FixedWorkers(FixedScalingPolicy):  # type: ignore[misc]
    """A fixed number of workers that nobody asks an autoscaler for."""

    def after_controller_start(self, train_run_context: Any) -> None:
        """Nothing to register: the stock policy starts the autoscaling coordinator's actor."""

    def _maybe_send_resource_request(self) -> None:
        pass

    def _cancel_resource_request(self) -> None:
        pass


class HeirsOfTheEnvironment(TidyWorkers):
    """Workers that find RAY_TRAIN_* in the environment that all processes of this Ray inherit.

    Stock names the variables in each worker's runtime environment, for which Ray starts a new
    process by way of another, instead of taking one that it started ahead.
    """

    @staticmethod
    def _get_worker_runtime_env(custom_runtime_env: Any) -> dict[str, Any]:
        return dict(custom_runtime_env)

    def _init_train_context_on_workers(self, *arguments: Any) -> None:
        """Tell the workers no actor of the controller, which here lives in none.

        It would list reported checkpoints to them; theirs are in the run folder.
        """
        before = RuntimeContext.current_actor
        RuntimeContext.current_actor = None
        try:
            super()._init_train_context_on_workers(*arguments)
        finally:
            RuntimeContext.current_actor = before


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


class LeanController(PatientController):
    """The controller, with workers that inherit, in a thread that outlives its Ray."""

    worker_group_cls = HeirsOfTheEnvironment

    async def _run_control_loop_iteration(self) -> None:
        """End when another thread has ended Ray (Ctrl-C); stock would try again and again."""
        if not ray.is_initialized():
            raise RuntimeError("Ray was stopped")
        await super()._run_control_loop_iteration()


class LeanTrainer(ClusterTrainer):
    """The same controller, workers and failure handling; fewer processes beside them."""

    def _initialize_and_run_controller(self, **arguments: Any) -> Any:
        """Run the controller in this thread; stock starts an actor for it."""
        arguments["scaling_policy"] = FixedWorkers(self.scaling_config)
        arguments["failure_policy"] = GoOn(self.witness)
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
    if not ray.is_initialized():
        return
    for name, group in placement_group_table().items():
        if group["state"] != "REMOVED":
            remove_placement_group(PlacementGroup(PlacementGroupID(bytes.fromhex(name))))
