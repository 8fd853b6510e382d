"""What a trained model costs, for searches that weigh it against its score."""

import time
from collections.abc import Mapping
from itertools import islice
from statistics import median

import torch
from torch import nn

from trivium.datasets.dataset import Dataset
from trivium.platform.errors import RunFailed
from trivium.platform.exhibit import Metric

COSTS = (
    Metric("parameters", "Numbers that the model learns.", False),
    Metric("latency_ms", "Median time of the output for one row, in milliseconds.", False),
)
NUM_ROWS = 200
"""Rows that are timed, each by itself; a tenth as many go before to warm up."""


def count_parameters(model: nn.Module) -> int:
    """Those of a tensor that is used twice count once."""
    return sum(p.numel() for p in model.parameters())


@torch.inference_mode()
def latency_ms(model: nn.Module, dataset: Dataset, device: str) -> float:
    """Median time for one row of held-out data.

    Raises:
        RunFailed: there is no validation and no test split.
    """
    split = next((s for s in ("validation", "test") if dataset.num_rows(s)), None)
    if split is None:
        raise RunFailed(
            "latency_ms is measured on rows that training never saw, and there are none"
        )
    model = model.to(device).eval()
    rows = list(islice(dataset.batches(split, 1, device=device).epoch(0), NUM_ROWS))
    for row in rows[: max(1, NUM_ROWS // 10)]:
        model(*row.inputs)
    times = []
    for row in rows:
        began = time.perf_counter()
        model(*row.inputs)
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return 1000.0 * median(times)


def measure(model: nn.Module, dataset: Dataset, device: str) -> Mapping[str, float]:
    """All of COSTS."""
    return {
        "parameters": float(count_parameters(model)),
        "latency_ms": latency_ms(model, dataset, device),
    }
