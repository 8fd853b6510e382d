"""The mean of a few values and how sure it is."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

# Two-sided 95% points of Student's t for 1..30 degrees of freedom; beyond, the normal's 1.96.
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


def mean_and_interval(values: Sequence[float], overlap: float = 0.0) -> tuple[float, float]:
    """Mean and half the width of its 95% confidence interval (0 for a single value).

    `overlap` is 0 for values that are independent of each other. Scores of folds are not, as their
    models share training rows: there it is rows validated on per row trained on, by which the
    variance of the mean is larger (Nadeau and Bengio 2003, https://doi.org/10.1023/A:1024068626366).
    """
    if len(values) < 2:
        return fmean(values), 0.0
    t = _T95[len(values) - 2] if len(values) <= len(_T95) + 1 else 1.96
    return fmean(values), t * stdev(values) * math.sqrt(1 / len(values) + overlap)
