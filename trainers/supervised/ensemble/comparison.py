"""Whether one set of predictions is really better than another: a bootstrap over the rows."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from trivium.platform.phrasing import number

_SAMPLES = 2000
_CHUNK_CELLS = 2_000_000  # row numbers drawn at once


@dataclass(frozen=True)
class Gain:
    """How much better the first is than the second, in the metric's unit."""

    metric: str
    gain: float
    low: float
    high: float
    """The gain's 95% interval over resampled rows."""
    num_rows: int

    @property
    def is_real(self) -> bool:
        """Whether the interval leaves out no difference at all."""
        return self.low > 0 or self.high < 0

    @property
    def sentence(self) -> str:
        """Better or worse, by how much, and whether that is sure."""
        word = "better" if self.gain >= 0 else "worse"
        interval = f"95% interval {number(self.low)} to {number(self.high)}"
        sure = "the difference is real" if self.is_real else "the difference may be chance"
        return (
            f"{word} by {number(abs(self.gain))} in {self.metric} "
            f"({interval} over {self.num_rows:,} test rows): {sure}"
        )


def compared_by(metric: str, is_class: bool) -> str:
    """The metric that is compared: the one asked for where it is a mean over rows."""
    own = metric.rpartition("/")[2]
    if is_class:
        return own if own in ("loss", "accuracy") else "accuracy"
    return own if own in ("mae", "mse", "rmse") else "rmse"


def row_scores(metric: str, outputs: torch.Tensor, target: torch.Tensor) -> NDArray[np.float64]:
    """What each row adds to the metric, [N]: right or not, log loss, absolute or squared error.

    `outputs` are log-probabilities [N, C] or estimates [N].
    """
    if metric == "accuracy":
        scores = outputs.argmax(1).eq(target).double()
    elif metric == "loss":
        scores = torch.nn.functional.cross_entropy(outputs.double(), target, reduction="none")
    else:
        error = outputs.double() - target.double()
        scores = error.abs() if metric == "mae" else error.square()
    rows: NDArray[np.float64] = scores.numpy()
    return rows


def gain_of(metric: str, a: NDArray[np.float64], b: NDArray[np.float64], seed: int = 0) -> Gain:
    """How much better `a` is than `b`, both from `row_scores` for the same rows.

    Rows are drawn with replacement, both sets' at once, so that what makes a row hard for both
    cancels. Rows that belong together (a patient's) make the true interval wider.
    """
    sign = 1.0 if metric == "accuracy" else -1.0

    def better(rows_a: NDArray[np.float64], rows_b: NDArray[np.float64]) -> NDArray[np.float64]:
        means = rows_a.mean(-1), rows_b.mean(-1)
        first, second = map(np.sqrt, means) if metric == "rmse" else means
        found: NDArray[np.float64] = np.asarray(sign * (first - second))
        return found

    random, count, found = np.random.default_rng(seed), len(a), []
    size = max(1, _CHUNK_CELLS // count)
    for begin in range(0, _SAMPLES, size):
        rows = random.integers(count, size=(min(size, _SAMPLES - begin), count))
        found.append(better(a[rows], b[rows]))
    low, high = np.percentile(np.concatenate(found), [2.5, 97.5])
    return Gain(metric, float(better(a, b)), float(low), float(high), count)
