"""The limit: the same training steps and nothing else.

All batches are in memory as float tensors before the clock starts: no reading, no gathering, no
conversion, no shuffling, no metrics, no look at the loss. It has what makes Trivium's steps fast:
the fused Adam, which PyTorch does not choose by itself on a CPU, and freed memory that is kept
(see trainers/supervised/heap.py), without which the CNN's steps take a third longer.

With `--workers N`, N processes take an N-th of each batch and never speak to each other: what the
machine gives N workers, to which only the exchange of gradients is missing.
"""

import argparse
import ctypes
import json
import os
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from arguments import answer, read_arguments
from digits import Digits
from networks import NETWORKS


def main() -> None:
    args = read_arguments()
    read, write = os.pipe()
    rank = 0
    for child in range(1, args.workers):  # before torch has threads
        if os.fork() == 0:
            rank = child
            break
    rows, epoch_s, first_step_at = _train(args, rank)
    if rank:
        os.write(write, (json.dumps(epoch_s) + "\n").encode())
        os._exit(0)
    told = os.fdopen(read)
    others = [json.loads(told.readline()) for _ in range(args.workers - 1)]
    # As long as one epoch of all rows takes when rates of the processes are added.
    each = zip(epoch_s, *others, strict=True)
    together = [1.0 / sum(1.0 / s for s in several) for several in each]
    answer(rows, together, first_step_at)


def _train(args: argparse.Namespace, rank: int) -> tuple[int, list[float], float]:
    for option in (-1, -3):  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc
        ctypes.CDLL(None).mallopt(option, 2**30)
    torch.manual_seed(0)
    dataset = Digits(args.data)
    mine = Subset(dataset, range(rank, len(dataset), args.workers))
    batches = list(DataLoader(mine, batch_size=args.batch_size // args.workers, shuffle=True))
    model = NETWORKS[args.network]().train()
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, fused=True)
    epoch_s: list[float] = []
    first_step_at = 0.0
    for _epoch in range(args.epochs):
        began = time.perf_counter()
        for images, labels in batches:
            optimizer.zero_grad()
            loss_function(model(images), labels).backward()
            optimizer.step()
            first_step_at = first_step_at or time.time()
        # A process has its share of the rows: the time of all of them at its own rate.
        epoch_s.append((time.perf_counter() - began) * args.workers)
    return len(dataset), epoch_s, first_step_at


if __name__ == "__main__":
    main()
