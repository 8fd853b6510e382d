"""The trivial algorithm of the benchmark: one report, then its end."""

from pydantic import Field

from trivium.platform.algorithm import Outcome, Preflight
from trivium.platform.exhibit import Evaluation, Metric
from trivium.platform.job import Job
from trivium.platform.run_writer import RunWriter
from trivium.platform.settings import ComponentSettings


class ParabolaSettings(ComponentSettings):
    x: float = Field(0.9, ge=-5, le=5)


class ParabolaJob(Job):
    algorithm: ParabolaSettings


class Parabola:
    job_type = ParabolaJob
    metrics = (Metric("validation/loss", "distance from the best x, squared", False),)

    def __init__(self, job: ParabolaJob) -> None:
        self.job = job

    def preflight(self) -> Preflight:
        return Preflight(facts=())

    def train(self, run: RunWriter) -> Outcome:
        loss = (self.job.algorithm.x - 0.3) ** 2
        run.report(1, {"validation/loss": loss})
        return Outcome(Evaluation({"test/loss": loss}), 1)
