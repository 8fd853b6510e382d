import multiprocessing
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from trivium.trainers.supervised import shared_gradients
from trivium.trainers.supervised.workers import Workers

WORLD_SIZE = 2


def rows(rank: int, step: int) -> torch.Tensor:
    return torch.randn(4, 5, generator=torch.Generator().manual_seed(10 * step + rank))


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1))


def gradients(of: nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in of.parameters() if p.grad is not None])


def learn(rank: int) -> tuple[list[list[float]], bool]:
    """Gradients of four steps, and whether they went through shared memory."""
    workers = Workers(rank, WORLD_SIZE, is_one_machine=True)
    own = model()
    if rank == 1:  # all begin with the weights of the first
        torch.nn.init.zeros_(own[0].weight)
    learner = workers.wrap(own)
    found = []
    for step in range(4):
        for parameter in learner.parameters():
            parameter.grad = None
        if step == 2:  # accumulated over two batches: only the last is exchanged
            with workers.without_sync(learner, is_last=False):
                learner(rows(rank, 99)).sum().backward()
        learner(rows(rank, step)).sum().backward()
        workers.average_gradients()
        found.append(gradients(learner).tolist())
    return found, learner is own


def work(rank: int, port: int, answers: Any) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.distributed.init_process_group("gloo", rank=rank, world_size=WORLD_SIZE)
    in_memory = learn(rank)
    shared_gradients.MOST_BYTES = 10 if rank == 1 else 2**30  # one that cannot is enough
    answers.put((rank, in_memory, learn(rank)))
    torch.distributed.destroy_process_group()


def expected() -> torch.Tensor:
    alone = model()
    means = []
    for step in range(4):
        shares = []
        for rank in range(WORLD_SIZE):
            alone.zero_grad()
            for seen in [99, step] if step == 2 else [step]:
                alone(rows(rank, seen)).sum().backward()
            shares.append(gradients(alone))
        means.append(torch.stack(shares).mean(dim=0))
    return torch.stack(means)


def test_every_worker_gets_the_mean_of_all_gradients() -> None:
    context = multiprocessing.get_context("spawn")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    answers = context.Queue()
    processes = [context.Process(target=work, args=(r, port, answers)) for r in range(WORLD_SIZE)]
    for process in processes:
        process.start()
    found = sorted(answers.get(timeout=300) for _ in processes)
    for process in processes:
        process.join()
    for _, (in_memory, is_shared), (by_gloo, is_shared_without_room) in found:
        assert is_shared
        assert not is_shared_without_room
        torch.testing.assert_close(torch.tensor(in_memory), expected())
        torch.testing.assert_close(torch.tensor(by_gloo), expected())
        assert in_memory == found[0][1][0]  # to the bit


def test_views_keep_the_layout_of_their_parameters() -> None:
    plain = nn.Parameter(torch.zeros(3, 2))
    pictures = nn.Parameter(torch.zeros(4, 3, 2, 2).to(memory_format=torch.channels_last))
    flat = torch.arange(54.0)
    first, second = shared_gradients._views(flat, [plain, pictures])
    assert first.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert second.stride() == pictures.stride() == (12, 1, 6, 3)
    assert second[0, :, 0, 0].tolist() == [6, 7, 8]
    assert sorted(second.flatten().tolist()) == flat[6:].tolist()


def test_memory_that_is_not_there_is_not_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    free = os.statvfs(shared_gradients.MEMORY)
    before = set(shared_gradients.MEMORY.glob("trivium-gradients-*"))
    assert shared_gradients._reserve(2 * free.f_frsize * free.f_blocks) == ""
    assert set(shared_gradients.MEMORY.glob("trivium-gradients-*")) == before
    monkeypatch.setattr(shared_gradients, "MEMORY", Path("/nowhere"))
    assert shared_gradients._reserve(1) == ""
