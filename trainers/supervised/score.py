"""Scores of a trained model on a split: outputs of all its rows, then the task's evaluation."""

import numpy as np
import torch
from torch import nn

from trivium.datasets.dataset import Dataset
from trivium.platform.errors import UserError
from trivium.platform.exhibit import Evaluation
from trivium.trainers.supervised.job import SupervisedJob
from trivium.trainers.supervised.tasks.task import Example, Task

SPLITS = ("test", "validation", "train")


def score(
    job: SupervisedJob, dataset: Dataset, task: Task, model: nn.Module, split: str, device: str
) -> Evaluation:
    """Metrics as `test/accuracy`, and what to show of them.

    Raises:
        UserError: there is no such split, or no row in it.
    """
    if split not in SPLITS:
        raise UserError(f"--split {split}: must be one of {', '.join(SPLITS)}")
    if dataset.num_rows(split) == 0:
        if split == "test":  # a job may keep no test rows; validation is then the only score
            return score(job, dataset, task, model, "validation", device)
        raise UserError(f"--split {split}: this data set has no such rows (see dataset.split)")
    outputs, target, rows = collect_outputs(
        model.to(device), dataset, split, job.algorithm.evaluation_batch_size, device
    )

    def example(row: int) -> Example:
        (position,) = dataset.positions(np.array([row]), split)
        return dataset.example(int(position), split)

    evaluation = task.evaluate(outputs, target, rows, example)
    metrics = {f"{split}/{name}": value for name, value in evaluation.metrics.items()}
    return Evaluation(metrics, evaluation.exhibits)


@torch.inference_mode()
def collect_outputs(
    model: nn.Module, dataset: Dataset, split: str, batch_size: int, device: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(outputs, targets, source rows) of a split, in its own order, on the CPU."""
    model.eval()
    outputs, targets, rows = [], [], []
    for batch in dataset.batches(split, batch_size, device=device).epoch(0):
        outputs.append(model(*batch.inputs).float().cpu())
        targets.append(batch.target.cpu())
        rows.append(batch.rows)
    return torch.cat(outputs), torch.cat(targets), torch.cat(rows)
