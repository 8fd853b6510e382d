import mmap
import os
import random
import time

import pytest

from trivium.trainers.supervised import arrivals
from trivium.trainers.supervised.arrivals import LINE_BYTES, Arrivals, can_spin

WORLD_SIZE = 3
MEETINGS = 300


def come(memory: mmap.mmap, rank: int) -> bool:
    """Write a number before each meeting; after it those of all must be there."""
    notes = memoryview(memory)[WORLD_SIZE * LINE_BYTES :].cast("q")
    own = Arrivals(memoryview(memory), rank, WORLD_SIZE)
    random_ = random.Random(rank)
    for meeting in range(1, MEETINGS + 1):
        half = meeting % 2 * WORLD_SIZE
        notes[half + rank] = meeting
        if random_.random() < 0.02:
            time.sleep(0.01)
        own.meet()
        if list(notes[half : half + WORLD_SIZE]) != [meeting] * WORLD_SIZE:
            return False
    return True


@pytest.mark.parametrize("spins", [20_000, 3])  # 3: they nap, too
def test_nobody_goes_on_before_all_have_written(spins: int, monkeypatch) -> None:
    monkeypatch.setattr(arrivals, "_SPINS", spins)
    memory = mmap.mmap(-1, WORLD_SIZE * (LINE_BYTES + 2 * 8))
    children = []
    for rank in range(1, WORLD_SIZE):
        if (child := os.fork()) == 0:
            os._exit(not come(memory, rank))
        children.append(child)
    assert come(memory, 0)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]


def test_counters_serve_where_each_thread_has_a_core(monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert can_spin(2, 2)
    assert not can_spin(3, 2)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")  # shows writes in another order
    assert not can_spin(1, 1)
