"""How many workers a job of `{min, max}` workers gets: as many as the cluster has room for.

Ray Train's own elastic policy divides what nodes have in all, as seen up to 20 seconds ago; after
a node's death it would wait for a placement that cannot be. Here the free resources of the living
nodes count, without those that are about to go. The autoscaler is asked for the most, as by Ray's.
"""

import time
from collections.abc import Mapping
from typing import Any

from ray.train.v2._internal.execution.scaling_policy import (
    NoopDecision,
    ResizeDecision,
    ScalingDecision,
    ScalingPolicy,
)

LOOK_S = 1.0
"""Between two looks at a cluster that has too little room, or that is settling."""
SETTLING_LOOKS = 4
"""Resources of what has ended are free a moment later; more looks than this do not help."""


class RoomPolicy(ScalingPolicy):  # type: ignore[misc]
    """Starts with what fits, grows when more fits; a node that goes makes a new start."""

    def _get_num_workers_for_resource_request(self) -> int:
        return int(self.scaling_config.max_workers)

    def make_decision_for_non_running_worker_group(self) -> ScalingDecision:
        """Ray Train asks before each start, when nothing of this job is reserved."""
        self._maybe_send_resource_request()
        count = self._settled()
        if count < self.scaling_config.min_workers:
            time.sleep(LOOK_S)  # Ray asks again at once
            return NoopDecision()
        return self._resized_to(count)

    def make_decision_for_running_worker_group(
        self, worker_group_state: Any, worker_group_status: Any
    ) -> ScalingDecision:
        """Ray Train asks each time it has polled the workers."""
        self._maybe_send_resource_request()
        now = time.monotonic()
        since = max(worker_group_state.start_time, self._looked_at)
        running, most = worker_group_state.num_workers, self.scaling_config.max_workers
        if running >= most or now - since < self.scaling_config.elastic_resize_monitor_interval_s:
            return NoopDecision()
        self._looked_at = now
        more = self._free()
        return self._resized_to(min(most, running + more)) if more else NoopDecision()

    _looked_at = float("-inf")

    def _settled(self) -> int:
        """Workers that fit, once two looks agree."""
        before = -1
        for _ in range(SETTLING_LOOKS):
            count = min(self._free(), self.scaling_config.max_workers)
            if count in (before, self.scaling_config.max_workers):
                break
            before = count
            time.sleep(LOOK_S)
        return int(count)

    def _free(self) -> int:
        from ray._private.state import state

        try:
            going = state.get_draining_nodes()
            free = state.available_resources_per_node()
        except Exception:  # the head does not answer now; it is asked again
            return 0
        each = self.scaling_config._resources_per_worker_not_none
        return num_fitting({k: v for k, v in free.items() if k not in going}, each)

    def _resized_to(self, count: int) -> ResizeDecision:
        each = self.scaling_config._resources_per_worker_not_none
        return ResizeDecision(num_workers=count, resources_per_worker=each)


def num_fitting(free: Mapping[str, Mapping[str, float]], each: Mapping[str, float]) -> int:
    """Workers of `each` that fit into what nodes have free, each wholly on one node."""
    needed = {name: amount for name, amount in each.items() if amount > 0}
    return sum(
        min(int(node.get(name, 0.0) / amount + 1e-6) for name, amount in needed.items())
        for node in free.values()
    )
