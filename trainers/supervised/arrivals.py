"""Waiting for the other workers of a machine by counters in memory that all of them map.

A message that goes round by gloo puts each worker to sleep until the last has come. On a virtual
machine a core that wakes takes up to a millisecond, and its clock and caches have cooled: two
workers of a small CNN were a tenth slower with it than with a look at the counters in a loop.
"""

import os
import platform
import time

import numpy as np
from numpy.typing import NDArray

LINE_BYTES = 64
"""A counter has a cache line of its own: a write to it disturbs no reader of another."""
_SPINS = 20_000
"""Looks before naps, some milliseconds: as long as workers are apart within a step."""
_NAP_S = 0.0002


class Arrivals:
    """How many meetings each of `world_size` workers has come to.

    Leaves out: a worker that dies on the way. The others wait, until whoever started them ends
    them (Ray Train does, when it has seen the death).
    """

    def __init__(self, memory: memoryview, rank: int, world_size: int) -> None:
        counters = np.frombuffer(memory, np.int64, world_size * LINE_BYTES // 8)
        self._counters: NDArray[np.int64] = counters[:: LINE_BYTES // 8]
        self._others = [other for other in range(world_size) if other != rank]
        self._rank = rank
        self._meeting = 0

    def meet(self) -> None:
        """Return when all have called this equally often; what they wrote before can be read."""
        self._meeting += 1
        self._counters[self._rank] = self._meeting
        for other in self._others:
            looks = 0
            while self._counters[other] < self._meeting:
                looks += 1
                if looks < _SPINS:
                    os.sched_yield()  # lets other threads of this process have the interpreter
                else:
                    time.sleep(_NAP_S)


def can_spin(num_workers: int, num_threads: int) -> bool:
    """Whether counters serve here: a core for each thread, and a processor that keeps order.

    Only x86 shows writes of a core to the others in the order in which they were made.
    """
    if platform.machine() not in ("x86_64", "AMD64") or not hasattr(os, "sched_getaffinity"):
        return False
    return num_workers * num_threads <= len(os.sched_getaffinity(0))
