"""A sweep of 1,000 trials that do nothing: the measurement of the tuning benchmark."""

from goals import Found
from overhead import growth


def sweep(repetitions: int = 1) -> Found:
    """Once, as a thousand trials say enough; see `overhead.growth` in benchmarks/tuning."""
    return growth()
