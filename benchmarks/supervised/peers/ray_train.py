"""The plain script on two workers of stock Ray Train, as its own documentation does it."""

import json
import time
from typing import Any

import ray.train
import torch
from arguments import answer, read_arguments
from digits import Digits
from networks import NETWORKS
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer, prepare_data_loader, prepare_model
from torch import nn
from torch.utils.data import DataLoader

NUM_WORKERS = 2


def train_worker(config: dict[str, Any]) -> None:
    torch.manual_seed(0)
    dataset = Digits(config["data"])
    loader = DataLoader(dataset, batch_size=config["batch_size"] // NUM_WORKERS, shuffle=True)
    loader = prepare_data_loader(loader)
    model = prepare_model(NETWORKS[config["network"]]())
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    epoch_s: list[float] = []
    first_step_at = 0.0
    for epoch in range(config["epochs"]):
        began = time.perf_counter()
        model.train()
        loader.sampler.set_epoch(epoch)
        total_loss = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = loss_function(model(images), labels)
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * len(labels)
            first_step_at = first_step_at or time.time()
        epoch_s.append(time.perf_counter() - began)
        ray.train.report({"loss": total_loss / len(dataset) * NUM_WORKERS})
    # The driver gets no metrics back without a checkpoint, which would take time.
    if ray.train.get_context().get_world_rank() == 0:
        config["timings"].write_text(json.dumps([len(dataset), epoch_s, first_step_at]))


def main() -> None:
    args = read_arguments()
    timings = args.data.parent / "ray-timings.json"
    trainer = TorchTrainer(
        train_worker,
        train_loop_config={
            "data": args.data,
            "network": args.network,
            "epochs": args.epochs,
            "batch_size": args.batch_size,
            "timings": timings,
        },
        scaling_config=ScalingConfig(num_workers=NUM_WORKERS),
        run_config=RunConfig(storage_path=str(args.data.parent / "ray")),
    )
    trainer.fit()
    answer(*json.loads(timings.read_text()))


if __name__ == "__main__":
    main()
