"""Supervised learning behind the platform's seam: one worker in this process, many on Ray Train.

From the job come the data set, the task, the model and the loop; the rest of this file says what
`check`, `train`, `evaluate` and `export` make of them.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from trivium.datasets.dataset import Dataset
from trivium.datasets.prepare import prepare
from trivium.models.summary import summarize
from trivium.platform.algorithm import EvaluateOptions, Outcome, Preflight
from trivium.platform.errors import Mistake, RunFailed, UserError
from trivium.platform.exhibit import Evaluation, Metric
from trivium.platform.job import Resources
from trivium.platform.logs import Echo, printing_to
from trivium.platform.registry import find
from trivium.platform.remote.kept import returned
from trivium.platform.remote.travel import saved_step, ticket_of, visiting
from trivium.platform.run import RunFolder, write_json
from trivium.platform.run_writer import RunWriter
from trivium.platform.settings import build, read_component
from trivium.platform.state_file import read_state
from trivium.trainers.local_ray import joins_a_cluster
from trivium.trainers.supervised.cost import COSTS, measure
from trivium.trainers.supervised.heap import keep_freed_memory
from trivium.trainers.supervised.job import MODELS, TASKS, SupervisedJob
from trivium.trainers.supervised.loop import Loop
from trivium.trainers.supervised.notice import has_notice
from trivium.trainers.supervised.preflight import describe
from trivium.trainers.supervised.progress import (
    Progress,
    load_weights,
    seed_everything,
)
from trivium.trainers.supervised.tasks.task import Task, default_task
from trivium.trainers.supervised.witness import Witness
from trivium.trainers.supervised.work import num_cores, set_threads
from trivium.trainers.supervised.workers import Workers

if TYPE_CHECKING:
    from trivium.trainers.supervised.distributed import WorkerContext


class Supervised:
    """The algorithm `supervised`."""

    job_type = SupervisedJob

    def __init__(self, job: SupervisedJob) -> None:
        self.job = job

    @cached_property
    def dataset(self) -> Dataset:
        """The prepared data, opened from the cache when it was prepared before."""
        task = self.job.algorithm.task
        kind = find(task.name, TASKS).target_kind if task else None
        return prepare(self.job.dataset, target_kind=kind, base=self.job.base, fold=self.job.fold)

    @cached_property
    def task(self) -> Task:
        """What a good output is: as the job says, else told from the data."""
        settings = self.job.algorithm.task
        if settings is None:
            kinds = [i.kind for i in self.dataset.inputs]
            settings = read_component(default_task(self.dataset.target_kind, kinds), TASKS)
        try:
            task: Task = build(settings, TASKS, self._task_facts)
        except UserError as error:
            raise error.under("algorithm.task") from None
        return task

    @property
    def _task_facts(self) -> dict[str, object]:
        counts = self.dataset.class_counts("train")
        facts = {"class_names": self.dataset.class_names, "class_counts": counts}
        return facts | self.dataset.facts

    def new_model(self) -> nn.Module:
        """The model with its first weights, the same for the same seed."""
        seed_everything(self.job.seed)
        try:
            model = build(self.job.model, MODELS, self.dataset.facts)
        except UserError as error:
            raise error.under("model") from None
        if not isinstance(model, nn.Module):
            raise UserError.at("model.name", f"{self.job.model.name} makes no torch.nn.Module")
        set_threads(self.job.changed(resources=self.resources), self.dataset, model)
        return model

    @cached_property
    def model(self) -> nn.Module:
        """The model that `preflight` looked at, and that `train` trains when it is in-process."""
        return self.new_model()

    @property
    def metrics(self) -> Sequence[Metric]:
        """The task's metrics, of training and validation."""
        from dataclasses import replace

        running = self.task.running_metrics(self.task.new_tally())
        shown = [m for m in self.task.metrics if m.name in running]
        return [
            replace(m, name=f"{split}/{m.name}") for split in ("train", "validation") for m in shown
        ]

    costs: Sequence[Metric] = COSTS

    def measure(self, run: RunFolder) -> Mapping[str, float]:
        """Parameters, and time for a row of held-out data."""
        return measure(self.restore(run), self.dataset, device_of(self.job))

    @property
    def changeable(self) -> Sequence[str]:
        """What leaves weights, optimizer state and the place in the data as they are."""
        always = ("algorithm.optimizer.*", "algorithm.gradients.*", "model.dropout")
        if self.job.algorithm.schedule.name != "constant":
            return always  # else another batch size would move the place in the schedule
        return (*always, "algorithm.batch_size", "algorithm.accumulate_batches")

    def preflight(self) -> Preflight:
        """Data, model, steps, memory, resources."""
        self.model  # noqa: B018  # built before anything is described: it may not fit the data
        self._look_at_folds()
        summary = summarize(self.model)
        return describe(self.job, self.dataset, self.task, self.model, summary, self.resources)

    def _look_at_folds(self) -> None:
        """Prepare the rows of every fold: what one of them lacks is told before the first starts.

        Raises:
            UserError: a fold has no row of a class that counts as much as the others, for instance.
        """
        if self.job.validation is not None and self.job.repeats is not None:
            for name, job in self.job.repeats.jobs.items():
                assert isinstance(job, SupervisedJob)
                try:
                    Supervised(job).task  # noqa: B018
                except UserError as error:
                    raise UserError(
                        *(Mistake(m.path, f"in {name}: {m.message}") for m in error.mistakes)
                    ) from None

    def train(self, run: RunWriter) -> Outcome:
        """Fit, here or on Ray Train's workers, and score the best epoch on the test split."""
        write_json(run.folder.path / "dataset.json", self.dataset.state())
        # Read anew: what was read before the run began has another process, or the end of one.
        recorded = RunFolder(run.folder.path).info
        info = recorded | {"dataset_fingerprint": self.dataset.fingerprint}
        write_json(run.folder.path / "run.json", info)
        if self.resources.num_workers == 1:
            self.fit(run.folder, run, Workers(device=device_of(self.job)))
        else:
            self._fit_on_workers(run)
        progress = _saved_progress(run.folder)
        run.mark_first_step(progress.first_step_at)
        evaluation = self.evaluate(run.folder, EvaluateOptions())
        rates = {"samples_per_s": round(progress.samples_per_s, 1)}
        return Outcome(evaluation, progress.best_step, rates)

    def fit(self, folder: RunFolder, writer: RunWriter | None, workers: Workers) -> None:
        """Train as one of `workers`, from the last checkpoint; rank 0 has the writer."""
        keep_freed_memory()
        loop = Loop(self.job, self.dataset, self.model, self.task, workers, writer)
        checkpoint = writer.resume() if writer is not None else folder.checkpoint("last")
        if checkpoint is not None:
            loop.resume(checkpoint.path)
        if writer is not None:
            on = f" on {workers.world_size} workers" if workers.world_size > 1 else ""
            if checkpoint is not None:
                writer.say(f"resumed from step {checkpoint.step:,}{on}")
            elif on:
                writer.say(f"begins{on}")
        loop.fit()

    def _fit_on_workers(self, run: RunWriter) -> None:
        from trivium.trainers.supervised.distributed import run_workers

        run.resume()  # takes back the lines after the checkpoint before any worker reads it
        path = run.folder.path
        notes = path / "workers" / "notes.txt"
        echoes = [Echo(notes, run.say), Echo(path / "workers" / "0.txt", run.say)]
        ticket = ticket_of(path)

        def say_news() -> None:
            for echo in echoes:
                echo.new_lines()

        run_workers(
            train_worker,
            ticket,
            self.resources,
            name=run.folder.id,
            on_wait=say_news,
            witness=Witness(partial(saved_step, ticket), notes),
        )
        returned(path)  # from rank 0, where that is on another machine
        say_news()

    @property
    def resources(self) -> Resources:
        """The job's; where there is one machine, with a plain number of workers for it."""
        asked = self.job.resources
        if isinstance(asked.num_workers, int) or joins_a_cluster():
            return asked
        places = torch.cuda.device_count() or num_cores()
        count = max(asked.num_workers.min, min(asked.num_workers.max, places))
        return asked.model_copy(update={"num_workers": count})

    def evaluate(self, run: RunFolder, options: EvaluateOptions) -> Evaluation:
        """Score the best checkpoint of `run` on a split."""
        from trivium.trainers.supervised.score import score

        demand_same_data(run.id, run.info.get("dataset_fingerprint"), self.dataset)
        model = self.restore(run)
        return score(self.job, self.dataset, self.task, model, options.split, device_of(self.job))

    def restore(self, run: RunFolder) -> nn.Module:
        """The model with the weights of the run's best checkpoint."""
        checkpoint = run.checkpoint("best")
        if checkpoint is None:
            raise RunFailed(
                f"{run.id} has no whole checkpoint; `trivium resume {run.id}` makes one"
            )
        return self.load(checkpoint.path / "weights.safetensors")

    def load(self, weights: Path) -> nn.Module:
        """The model with the weights of a file of a checkpoint."""
        model = self.new_model()
        load_weights(model, weights)
        return model.eval()

    def verify(self, recorded: Mapping[str, float], again: Mapping[str, float]) -> str | None:
        """Scores of the same weights on the same rows must be equal, but for rounding."""
        for name, value in recorded.items():
            now = again.get(name)
            if now is not None and not math.isclose(now, value, rel_tol=1e-4, abs_tol=1e-4):
                return (
                    f"{name} is {now:.6g}, but training recorded {value:.6g}: the saved model is "
                    "not the one that was scored"
                )
        return None

    def export(self, run: RunFolder, folder: Path) -> Sequence[tuple[str, Path]]:
        """Weights as safetensors and the model as ONNX, compared on rows of the test split."""
        from trivium.trainers.supervised.export import export

        return export([self.dataset], self.restore(run), run, folder)


def demand_same_data(run: str, recorded: str | None, dataset: Dataset) -> None:
    """Raise UserError unless `dataset` is what a run recorded; None is nothing recorded."""
    if recorded and recorded != dataset.fingerprint:
        raise UserError.at(
            "dataset.source",
            f"the data is not what {run} was trained on: fingerprint "
            f"{dataset.fingerprint[:12]}, then {recorded[:12]}; "
            "bring the files back, or train anew",
        )


def train_worker(ticket: dict[str, str], context: "WorkerContext") -> None:
    """What each Ray Train worker runs: the same loop, its share of each batch."""
    from trivium.platform.console import Console
    from trivium.platform.tracking import trackers

    text = f"workers/{context.rank}.txt"
    with visiting(ticket, context.rank == 0) as path, printing_to(path / text):
        folder = RunFolder(path)
        job = folder.job()
        assert isinstance(job, SupervisedJob)
        here = job.resources.model_copy(update={"num_workers": context.world_size})
        supervised = Supervised(job.changed(resources=here))
        is_one_machine = context.local_world_size == context.world_size
        workers = Workers(
            context.rank, context.world_size, context.device, is_one_machine, has_notice
        )
        if not workers.is_first:
            supervised.fit(folder, None, workers)
            return
        listeners = [Console(supervised.metrics), *trackers(folder, job)]
        writer = RunWriter(folder, listeners, job.checkpoint.interval_s)
        try:
            supervised.fit(folder, writer, workers)
        finally:
            writer.close()


def _saved_progress(run: RunFolder) -> Progress:
    checkpoint = run.checkpoint("last")
    assert checkpoint is not None, "the loop saves when it ends"
    return Progress.read(read_state(checkpoint.path / "state.pt")["progress"])


def device_of(job: SupervisedJob) -> str:
    """The name of cuda or cpu, as the job asks and the machine has."""
    gpus = job.resources.gpus_per_worker
    return "cuda" if torch.cuda.is_available() and (gpus == "auto" or gpus > 0) else "cpu"
