"""Ray Train's controller and trainer for machines that die, leave and come.

What it adds to the stock one: errors of workers that only lost another one wait for their cause to
show; workers that have notice, or that are to become more, save before they are ended; and what a
failed start had reserved is given back. Like lean_trainer.py it knows Ray Train's inner names.
"""

import contextlib
import os
import time
from typing import Any

import ray
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.callbacks import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.constants import (
    WORKER_GROUP_START_TIMEOUT_S_ENV_VAR,
    get_env_vars_to_propagate,
)
from ray.train.v2._internal.execution.callback import WorkerGroupCallback
from ray.train.v2._internal.execution.controller import TrainController
from ray.train.v2._internal.execution.controller.state import (
    ReschedulingState,
    ResizingState,
    RestartingState,
)
from ray.train.v2._internal.execution.worker_group import WorkerGroup

from trivium.trainers.supervised.notice import give_notice, listen_to_sigterm
from trivium.trainers.supervised.perseverance import GoOn
from trivium.trainers.supervised.room import RoomPolicy
from trivium.trainers.supervised.witness import Witness
from trivium.trainers.supervised.worker_failure import Ends

CAUSE_S = 40.0
"""How long to wait for the cause of a lost connection; Ray gives a silent node up after 30 s."""
LEAVE_S = 120.0
"""How long workers that have notice may take to finish their step and to save."""
ELASTIC_START_S = 60
"""How long a placement may take when the number of workers follows the room there is."""

UNUSED_HELPERS = (
    PlacementGroupCleanerCallback,  # frees what is reserved when the controller alone dies;
    # our driver ends with its controller, and Ray then frees it
    DatasetsCallback,  # hands out Ray Data shards; our data sets are read by the workers
)


class TidyWorkers(WorkerGroup):  # type: ignore[misc]
    """Workers that give back what they reserved when one of them dies while they start."""

    def _start(self) -> None:
        try:
            super()._start()
        except BaseException:
            if self.has_started():
                self.shutdown()
            raise


class HearsSigterm(WorkerGroupCallback):  # type: ignore[misc]
    """Makes SIGTERM to a worker's process a notice; stock Ray ends the process at once."""

    def after_worker_group_start(self, worker_group: Any) -> None:
        """In the main thread of each worker, the only one that may listen to signals."""
        worker_group.execute(listen_to_sigterm)


class PatientController(TrainController):  # type: ignore[misc]
    """Ray Train's controller, which lets workers save and looks for causes."""

    worker_group_cls = TidyWorkers
    _worker_group: Any  # Ray's own, and none between two starts

    async def _poll_workers(self) -> Any:
        """The workers' status once their errors, if there are some, say why."""
        status = await super()._poll_workers()
        began = time.monotonic()
        while status.errors and not _is_whole(status, time.monotonic() - began):
            status = await super()._poll_workers()
        return status

    async def _step(self) -> Any:
        state = self.get_state()
        if isinstance(state, ResizingState):
            await self._let_them_save()
            self._failure_policy.note_growth(state.scaling_decision.num_workers)
        elif isinstance(state, RestartingState | ReschedulingState) and self._worker_group:
            self._end_workers()  # the policy then sees what is free
        return await super()._step()

    def _end_workers(self) -> None:
        """End what is left of them; of what is dead already nothing answers."""
        group, self._worker_group = self._worker_group, None
        with contextlib.suppress(Exception):
            group.shutdown()
        with contextlib.suppress(Exception):
            if group.has_started():
                group.get_worker_group_state().shutdown()

    async def _let_them_save(self) -> None:
        """End the workers at a step's end, with their state saved."""
        self._worker_group.execute_single_async(0, give_notice)
        until = time.monotonic() + LEAVE_S
        status = await self._poll_workers()
        while not status.finished and not status.errors and time.monotonic() < until:
            status = await self._poll_workers()


def _is_whole(status: Any, waited_s: float) -> bool:
    """Whether there is nothing to wait for: a cause is known, and who had notice is done."""
    ends = Ends(status.errors)
    if ends.died or ends.raised:
        return True
    if ends.left:
        return bool(status.finished) or waited_s > LEAVE_S
    return waited_s > CAUSE_S


class ClusterTrainer(TorchTrainer):  # type: ignore[misc]
    """Ray Train's TorchTrainer for a cluster that was joined."""

    def __init__(self, *arguments: Any, witness: Witness, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.witness = witness

    def _create_default_callbacks(self) -> list[Any]:
        made = super()._create_default_callbacks()
        return [HearsSigterm(), *(c for c in made if not isinstance(c, UNUSED_HELPERS))]

    def _initialize_and_run_controller(self, **arguments: Any) -> Any:
        """Start the controller beside this process and wait for it."""
        arguments["failure_policy"] = GoOn(self.witness)
        variables = get_env_vars_to_propagate()
        if self.scaling_config.elasticity_enabled:
            arguments["scaling_policy"] = RoomPolicy(self.scaling_config)
            if WORKER_GROUP_START_TIMEOUT_S_ENV_VAR not in os.environ:
                variables[WORKER_GROUP_START_TIMEOUT_S_ENV_VAR] = str(ELASTIC_START_S)
        here = ray.get_runtime_context().get_node_id()
        kind = ray.remote(
            num_cpus=0,
            label_selector={ray._raylet.RAY_NODE_ID_KEY: here},
            runtime_env={"env_vars": variables},
        )(PatientController)
        controller = kind.remote(**arguments)
        ray.get(controller.run.remote())
        return ray.get(controller.get_result.remote())
