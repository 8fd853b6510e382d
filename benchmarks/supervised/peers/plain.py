"""The training script that people write with PyTorch alone."""

import time

import torch
from arguments import answer, read_arguments
from digits import Digits
from networks import NETWORKS
from torch import nn
from torch.utils.data import DataLoader


def main() -> None:
    args = read_arguments()
    torch.manual_seed(0)
    dataset = Digits(args.data)
    # Workers that live on are not the default; without them each epoch would start new ones.
    loader = DataLoader(
        dataset,
        batch_size=args.batch_size,
        shuffle=True,
        num_workers=args.loader_workers,
        persistent_workers=args.loader_workers > 0,
    )
    model = NETWORKS[args.network]()
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    epoch_s: list[float] = []
    first_step_at = 0.0
    for _epoch in range(args.epochs):
        began = time.perf_counter()
        model.train()
        total_loss = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = loss_function(model(images), labels)
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * len(labels)
            first_step_at = first_step_at or time.time()
        epoch_s.append(time.perf_counter() - began)
    answer(len(dataset), epoch_s, first_step_at)


if __name__ == "__main__":
    main()
