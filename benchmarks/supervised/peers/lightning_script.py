"""The same training with PyTorch Lightning."""

import time
import warnings

import lightning
import torch
from arguments import answer, read_arguments
from digits import Digits
from networks import NETWORKS
from torch import nn
from torch.utils.data import DataLoader


class Classifier(lightning.LightningModule):
    """What is trained."""

    def __init__(self, network: str) -> None:
        super().__init__()
        self.model = NETWORKS[network]()
        self.loss_function = nn.CrossEntropyLoss()

    def training_step(
        self, batch: tuple[torch.Tensor, torch.Tensor], batch_index: int
    ) -> torch.Tensor:
        images, labels = batch
        loss: torch.Tensor = self.loss_function(self.model(images), labels)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.001)


class Stopwatch(lightning.Callback):
    """Times the training part of each epoch."""

    def __init__(self) -> None:
        self.epoch_s: list[float] = []
        self.first_step_at = 0.0
        self._began = 0.0

    def on_train_epoch_start(self, *_: object) -> None:
        self._began = time.perf_counter()

    def on_train_batch_end(self, *_: object) -> None:
        self.first_step_at = self.first_step_at or time.time()

    def on_train_epoch_end(self, *_: object) -> None:
        self.epoch_s.append(time.perf_counter() - self._began)


def main() -> None:
    args = read_arguments()
    warnings.filterwarnings("ignore")
    lightning.seed_everything(0, verbose=False)
    dataset = Digits(args.data)
    loader = DataLoader(
        dataset,
        batch_size=args.batch_size,
        shuffle=True,
        num_workers=args.loader_workers,
        persistent_workers=args.loader_workers > 0,
    )
    stopwatch = Stopwatch()
    # Off by choice, all in Lightning's favour: files of logs and checkpoints, the progress bar.
    trainer = lightning.Trainer(
        max_epochs=args.epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[stopwatch],
    )
    trainer.fit(Classifier(args.network), loader)
    answer(len(dataset), stopwatch.epoch_s, stopwatch.first_step_at)


if __name__ == "__main__":
    main()
