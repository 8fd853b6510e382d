"""A trivial algorithm, so that sweeps of many trials take seconds, and jobs that use it."""

from pathlib import Path

import pytest

QUADRATIC = '''
"""An algorithm whose validation/score is known: -(x - 0.3)^2 - 0.01 * y, approached by reports."""
import time
from typing import Annotated, Literal
from pydantic import Field
from trivium.platform.algorithm import Outcome, Preflight
from trivium.platform.errors import RunFailed
from trivium.platform.exhibit import Evaluation, Metric
from trivium.platform.interrupt import Interrupted
from trivium.platform.job import Job
from trivium.platform.settings import ComponentSettings


class QuadraticSettings(ComponentSettings):
    x: float = Field(0.9, ge=0, le=1)
    y: int = 0
    kind: Literal["plain", "fails", "dies", "blank", "nan"] = "plain"
    reports: int = Field(3, ge=1)
    report_s: float = 0.0


class QuadraticJob(Job):
    algorithm: QuadraticSettings


class Quadratic:
    job_type = QuadraticJob

    def __init__(self, job):
        self.job = job

    changeable = ("algorithm.x", "algorithm.y")
    costs = (Metric("size", "what y stands for", False),)

    def measure(self, run):
        return {"size": 10.0 - self.job.algorithm.y}

    metrics = (Metric("validation/score", "how near", True), Metric("train/step", "n", True))

    def preflight(self):
        return Preflight(facts=(("task", "a parabola"),))

    def train(self, run):
        a = self.job.algorithm
        if a.kind == "fails":
            raise RunFailed("x is out of luck")
        if a.kind == "dies":
            import os
            os._exit(1)
        checkpoint = run.resume()
        begun = checkpoint.step if checkpoint else 0
        noise = (self.job.seed * 7919 % 101 - 50) * 1e-6
        score = -((a.x - 0.3) ** 2) - 0.01 * a.y + noise
        if a.kind == "nan":
            score = float("nan")
        run.mark_first_step()
        for step in range(begun, a.reports):
            time.sleep(a.report_s)
            name = "train/step" if a.kind == "blank" else "validation/score"
            run.report(step + 1, {name: score - 0.1 * (a.reports - 1 - step)})
            run.save_checkpoint(step + 1, lambda p: (p / "weights.txt").write_text(str(a.x)))
            run.keep_best()
            if run.stop and step + 1 < a.reports:
                raise Interrupted(f"stopped at report {step + 1}")
        return Outcome(Evaluation({"test/score": score}), a.reports)
'''
HEAD = """\
algorithm: {name: "ALGORITHM:Quadratic"}
checkpoint: {interval_s: 0}
tune:
"""


@pytest.fixture
def quadratic(tmp_path: Path) -> Path:
    """The file of the trivial algorithm."""
    file = tmp_path / "quadratic.py"
    file.write_text(QUADRATIC)
    return file


@pytest.fixture
def sweep_job(tmp_path: Path, quadratic: Path) -> Path:
    """A job that searches x with the settings that `write_sweep` gives it."""
    return tmp_path / "parabola.yaml"


def write_sweep(file: Path, tune: str, algorithm: str = "") -> Path:
    """Write the job of `sweep_job`: `tune` is the section's content."""
    head = HEAD.replace("ALGORITHM", str(file.with_name("quadratic.py")))
    head = head.replace(':Quadratic"', f':Quadratic"{algorithm}')
    file.write_text(head + "".join(f"  {line}\n" for line in tune.splitlines()))
    return file
