"""Two surfaces that searches are compared on, as algorithms that a job can name.

Branin's has three equal minima of 0.397887, Hartmann's in six dimensions one of -3.32237:
https://www.sfu.ca/~ssurjano/branin.html and https://www.sfu.ca/~ssurjano/hart6.html
"""

import math
from collections.abc import Mapping

from pydantic import Field

from trivium.platform.algorithm import Outcome, Preflight
from trivium.platform.exhibit import Evaluation, Metric
from trivium.platform.job import Job
from trivium.platform.run_writer import RunWriter
from trivium.platform.settings import ComponentSettings

_A = (
    (10, 3, 17, 3.5, 1.7, 8),
    (0.05, 10, 17, 0.1, 8, 14),
    (3, 3.5, 1.7, 10, 17, 8),
    (17, 8, 0.05, 10, 0.1, 14),
)
_P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)
_ALPHA = (1.0, 1.2, 3.0, 3.2)


def branin(x: float, y: float) -> float:
    """Branin's function on [-5, 10] x [0, 15]."""
    b, c, t = 5.1 / (4 * math.pi**2), 5 / math.pi, 1 / (8 * math.pi)
    return (y - b * x**2 + c * x - 6) ** 2 + 10 * (1 - t) * math.cos(x) + 10


def hartmann6(x: Mapping[str, float]) -> float:
    """Hartmann's function of x1 to x6 in [0, 1]."""
    point = [x[f"x{i}"] for i in range(1, 7)]
    total = 0.0
    for alpha, a, p in zip(_ALPHA, _A, _P, strict=True):
        total += alpha * math.exp(
            -sum(ai * (xi - pi) ** 2 for ai, xi, pi in zip(a, point, p, strict=True))
        )
    return -total


class BraninSettings(ComponentSettings):
    x: float = Field(0, ge=-5, le=10)
    y: float = Field(0, ge=0, le=15)


class HartmannSettings(ComponentSettings):
    x1: float = Field(0.5, ge=0, le=1)
    x2: float = Field(0.5, ge=0, le=1)
    x3: float = Field(0.5, ge=0, le=1)
    x4: float = Field(0.5, ge=0, le=1)
    x5: float = Field(0.5, ge=0, le=1)
    x6: float = Field(0.5, ge=0, le=1)


class BraninJob(Job):
    algorithm: BraninSettings


class HartmannJob(Job):
    algorithm: HartmannSettings


class _Surface:
    metrics = (Metric("validation/loss", "height of the surface", False),)

    def __init__(self, job: Job) -> None:
        self.job = job

    def preflight(self) -> Preflight:
        return Preflight(facts=())

    def height(self) -> float:
        raise NotImplementedError

    def train(self, run: RunWriter) -> Outcome:
        run.report(1, {"validation/loss": self.height()})
        return Outcome(Evaluation({"test/loss": self.height()}), 1)


class Branin(_Surface):
    job_type = BraninJob

    def height(self) -> float:
        return branin(self.job.algorithm.x, self.job.algorithm.y)


class Hartmann6(_Surface):
    job_type = HartmannJob

    def height(self) -> float:
        return hartmann6(self.job.algorithm.model_dump())
