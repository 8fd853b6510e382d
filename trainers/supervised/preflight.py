"""What is known about a supervised job before it starts."""

import math
import os

import torch
from torch import nn

from trivium.datasets.dataset import Dataset, Input
from trivium.datasets.folds import fold_kind
from trivium.models.summary import Summary
from trivium.platform.algorithm import Preflight
from trivium.platform.job import Resources
from trivium.trainers.supervised.job import SupervisedJob
from trivium.trainers.supervised.loop import batch_size
from trivium.trainers.supervised.tasks.task import Task, metric_named
from trivium.trainers.supervised.work import work_per_row

# Copies of the weights: themselves, gradients, the best epoch's, and what the optimizer keeps.
_OPTIMIZER_COPIES = {"sgd": 1, "rmsprop": 1, "adam": 2, "adamw": 2}


def describe(
    job: SupervisedJob,
    dataset: Dataset,
    task: Task,
    model: nn.Module,
    summary: Summary,
    resources: Resources,
) -> Preflight:
    """Facts in the order of the pillars, then steps, memory and resources; and what is wrong.

    `resources` are the job's as this machine or cluster has them.
    """
    facts = (
        ("data", _data(dataset)),
        ("task", _task(task, dataset)),
        *_validation(job, dataset),
        ("model", _model(job, summary)),
        ("algorithm", _algorithm(job)),
        ("steps", _steps(job, dataset)),
        ("memory", _memory(job, dataset, model, summary)),
        ("resources", _resources(resources)),
    )
    return Preflight(
        facts, tuple(_problems(job, dataset, task, model)), tuple(_warnings(job, dataset))
    )


def _data(dataset: Dataset) -> str:
    rows = ", ".join(
        f"{split} {dataset.num_rows(split):,}" for split in ("train", "validation", "test")
    )
    inputs = ", ".join(_input(i) for i in dataset.inputs)
    return f"{dataset.source}: {rows} rows; {inputs}"


def _input(described: Input) -> str:
    if described.kind == "id":
        return f"{described.columns[0]} id"
    if described.kind == "tokens":
        return f"{described.columns[0]} of up to {described.shape[0]} tokens"
    shape = " x ".join(map(str, described.shape))
    return f"images {shape}" if len(described.shape) == 3 else f"{shape} numbers"


def _task(task: Task, dataset: Dataset) -> str:
    name = type(task).__name__.lower()
    if dataset.target_kind == "real":
        return name
    names = dataset.class_names
    shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return f"{name}, {len(names)} classes: {shown}"


def _validation(job: SupervisedJob, dataset: Dataset) -> list[tuple[str, str]]:
    fold = job.fold
    if fold is None:
        return []
    made = fold_kind(job.dataset.split, dataset.target_kind == "class")
    if job.repeats is None:
        return [("validation", f"fold {fold.index} of {fold.count}, {made}")]
    shown = f"{fold.count} folds, {made}; rows and steps are those of fold 0"
    return [("validation", shown)]


def _model(job: SupervisedJob, summary: Summary) -> str:
    parts = ", ".join(f"{p.name} {p.num_parameters:,}" for p in summary.parts if p.num_parameters)
    return f"{job.model.name}: {summary.num_parameters:,} parameters ({parts})"


def _algorithm(job: SupervisedJob) -> str:
    settings = job.algorithm
    return (
        f"{settings.optimizer.name}, lr {getattr(settings.optimizer, 'lr', '?')}, "
        f"{settings.schedule.name} schedule, {settings.precision}"
    )


def _steps(job: SupervisedJob, dataset: Dataset) -> str:
    size = batch_size(job, dataset)
    batches = math.ceil(dataset.num_rows("train") / size)
    per_epoch = math.ceil(batches / job.algorithm.accumulate_batches)
    total = per_epoch * job.algorithm.epochs
    stopping = job.algorithm.early_stopping
    early = f", early stopping after {stopping.patience} epochs without gain" if stopping else ""
    return (
        f"{total:,} steps: {job.algorithm.epochs} epochs of {per_epoch:,}, "
        f"{size:,} rows a batch{early}"
    )


def _memory(job: SupervisedJob, dataset: Dataset, model: nn.Module, summary: Summary) -> str:
    copies = 3 + _OPTIMIZER_COPIES.get(job.algorithm.optimizer.name, 2)
    weights = summary.num_bytes * copies
    activations = work_per_row(model, dataset).activation_bytes * batch_size(job, dataset)
    return (
        f"about {_bytes(weights + activations)} a worker ({_bytes(weights)} weights and optimizer, "
        f"{_bytes(activations)} activations), plus torch's own 0.3 GB"
    )


def _resources(workers: Resources) -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpus = torch.cuda.device_count()
    threads = torch.get_num_threads()
    share = f"{threads} thread{'s' if threads > 1 else ''}"
    asked = f"{workers.worker_count} Ray Train workers"
    if workers.most_workers == 1:
        asked = f"this process, {share}"
    elif workers.fewest_workers < workers.most_workers:
        asked += ", as many as the cluster has room for"
    return f"{asked}; this machine has {cores} cores and {gpus} GPUs"


def _normalizes_batches(model: nn.Module) -> bool:
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules())


def _problems(job: SupervisedJob, dataset: Dataset, task: Task, model: nn.Module) -> list[str]:
    problems = []
    workers, size = job.resources.most_workers, batch_size(job, dataset)
    if size < workers:
        problems.append(
            f"algorithm.batch_size: {size} rows a batch cannot be shared by {workers} workers; "
            f"at least {workers}"
        )
    if size < 2 * workers and _normalizes_batches(model):
        problems.append(
            f"algorithm.batch_size: batch normalisation needs 2 rows on each worker, and there are "
            f"{size} for {workers}; take more, or model.normalization: layer"
        )
    gpus = job.resources.gpus_per_worker
    if gpus != "auto" and gpus > 0 and not torch.cuda.is_available() and workers == 1:
        problems.append(f"resources.gpus_per_worker: {gpus:g} asked, this machine has no GPU")
    stopping = job.algorithm.early_stopping
    if stopping and stopping.metric and metric_named(task, stopping.metric) is None:
        known = ", ".join(f"validation/{m.name}" for m in task.metrics[:2])
        problems.append(
            f"algorithm.early_stopping.metric: no metric {stopping.metric!r} (such as {known})"
        )
    if stopping and dataset.num_rows("validation") == 0:
        problems.append(
            "algorithm.early_stopping: has no validation rows to look at; give dataset.split some"
        )
    return problems


def _warnings(job: SupervisedJob, dataset: Dataset) -> list[str]:
    warnings = list(dataset.warnings)
    if dataset.num_rows("validation") == 0:
        warnings.append("no validation rows: the best epoch is chosen by the training loss")
    if dataset.num_rows("test") == 0:
        warnings.append("no test rows: the final score is of the validation rows")
    return warnings


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
