"""The limit: the same training steps and nothing else.

All batches are in memory as float tensors before the clock starts: no reading, no gathering, no
conversion, no shuffling, no metrics, no look at the loss. It has what makes Trivium's steps fast:
the fused Adam, which PyTorch does not choose by itself on a CPU, and freed memory that is kept
(see trainers/supervised/heap.py), without which the CNN's steps take a third longer.
"""

import ctypes
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from arguments import answer, read_arguments
from digits import Digits
from networks import NETWORKS


def main() -> None:
    args = read_arguments()
    for option in (-1, -3):  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc
        ctypes.CDLL(None).mallopt(option, 2**30)
    torch.manual_seed(0)
    dataset = Digits(args.data)
    batches = list(DataLoader(dataset, batch_size=args.batch_size, shuffle=True))
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
        epoch_s.append(time.perf_counter() - began)
    answer(len(dataset), epoch_s, first_step_at)


if __name__ == "__main__":
    main()
