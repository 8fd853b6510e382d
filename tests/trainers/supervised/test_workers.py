"""When several workers talk about saving and stopping."""

from itertools import pairwise
from typing import Any

import pytest
import torch

from trivium.trainers.supervised import workers as workers_module
from trivium.trainers.supervised.workers import TALK_S, Decision, Workers


class Writer:
    """A run whose checkpoint is due at a time, on a clock that the steps move."""

    checkpoint_interval_s = 1.0
    stop = False

    def __init__(self, begins_at: float) -> None:
        self.now, self.due_at = begins_at, begins_at + self.checkpoint_interval_s

    @property
    def checkpoint_due_in_s(self) -> float:
        return self.due_at - self.now

    def checkpoint_due(self) -> bool:
        if self.now < self.due_at:
            return False
        self.due_at = self.now + self.checkpoint_interval_s
        return True


def decisions(
    monkeypatch: pytest.MonkeyPatch, first_step: int, step_s: float, count: int
) -> tuple[list[float], list[float]]:
    """Times of the talks, and of the saves, in `count` steps of a worker that begins there."""
    writer: Any = Writer(begins_at=100.0)
    talks: list[float] = []
    monkeypatch.setattr(workers_module.time, "monotonic", lambda: writer.now)
    monkeypatch.setattr(
        torch.distributed, "all_reduce", lambda *_: talks.append(writer.now - 100.0)
    )
    workers, saves = Workers(rank=0, world_size=2), []
    for step in range(first_step, first_step + count):
        writer.now += step_s
        decision = workers.decide(step, writer)
        assert decision in (Decision(), Decision(save=True))
        if decision.save:
            saves.append(writer.now - 100.0)
    return talks, saves


@pytest.mark.parametrize("first_step", [1, 5_000, 2_000_000])
def test_a_resumed_run_talks_as_often_as_a_new_one(
    monkeypatch: pytest.MonkeyPatch, first_step: int
) -> None:
    talks, saves = decisions(monkeypatch, first_step, step_s=0.01, count=320)
    apart = [b - a for a, b in pairwise(talks)]
    assert max(apart) <= TALK_S + 1e-6
    assert len(talks) < 25, "no oftener than needed"
    assert saves == pytest.approx([1.0, 2.0, 3.0], abs=0.05)


def test_slow_steps_are_all_talked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    talks, saves = decisions(monkeypatch, 7, step_s=0.4, count=6)
    assert talks == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0, 2.4])
    assert saves == pytest.approx([1.2, 2.4])
