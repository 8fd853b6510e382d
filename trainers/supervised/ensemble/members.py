"""The trained runs that an ensemble is made of, and their outputs for the same rows.

A member is a run: of a single training one model, of a run over seeds or folds the mean of its
children's models. For a run over folds, a row that is validated on is asked of the one model that
did not train on it; for the test rows, all models are asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from trivium.datasets.dataset import Dataset
from trivium.platform.errors import UserError
from trivium.platform.run import RunFolder
from trivium.trainers.supervised.job import SupervisedJob
from trivium.trainers.supervised.score import collect_outputs
from trivium.trainers.supervised.tasks.regression import squeeze_outputs
from trivium.trainers.supervised.tasks.task import Example
from trivium.trainers.supervised.trainer import Supervised, demand_same_data, device_of

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class Outputs:
    """What a member says of the rows of a split, in the order of their numbers."""

    values: torch.Tensor
    """Log-probabilities [N, C], or estimates [N]."""
    target: torch.Tensor
    """[N]"""
    rows: torch.Tensor
    """Numbers of the rows in the source, [N]."""


@dataclass(frozen=True)
class FittedModel:
    """A trained model: its job, its weights, its data."""

    job: SupervisedJob
    weights: Path

    @cached_property
    def supervised(self) -> Supervised:
        """Its data and task."""
        return Supervised(self.job)

    @property
    def dataset(self) -> Dataset:
        """Prepared as for its training."""
        return self.supervised.dataset

    def load(self) -> nn.Module:
        """The model with its weights."""
        return self.supervised.load(self.weights)

    def outputs(self, split: str) -> Outputs:
        """Its outputs for the rows of a split."""
        size = self.job.algorithm.evaluation_batch_size
        device = device_of(self.job)
        raw, target, rows = collect_outputs(
            self.load().to(device), self.dataset, split, size, device
        )
        return Outputs(as_values(raw, bool(self.dataset.class_names)), target, rows)


@dataclass(frozen=True)
class Member:
    """One run of the ensemble."""

    name: str
    """Its run's id."""
    models: tuple[FittedModel, ...]

    @property
    def is_class(self) -> bool:
        """The target is a class."""
        return bool(self.models[0].dataset.class_names)

    @property
    def sentence(self) -> str:
        """Which run, and what it is made of."""
        model, count = self.models[0].job.model.name, len(self.models)
        kind = "folds" if self.is_over_folds else "seeds"
        return f"{self.name}: {model}" + (f", the mean of {count} {kind}" if count > 1 else "")

    @property
    def is_over_folds(self) -> bool:
        """Each of its models has validation rows of its own."""
        return self.models[0].job.fold is not None and len(self.models) > 1

    def outputs(self, split: str) -> Outputs:
        """What the member says of the rows of a split.

        Raises:
            UserError: training rows are asked for, and its models have different ones.
        """
        if self.is_over_folds and split == "train":
            raise UserError(
                f"--split train: {self.name} has other training rows in each fold; "
                "validation scores each row by the model that did not see it"
            )
        found = [m.outputs(split) for m in self.models]
        if self.is_over_folds and split == "validation":
            return _joined(found)
        return Outputs(mean_of([f.values for f in found]), found[0].target, found[0].rows)

    def rows(self, split: str) -> dict[int, float]:
        """Number of each row that is scored in the split, and its target; no model is asked."""
        models = self.models if self.is_over_folds and split == "validation" else self.models[:1]
        found: dict[int, float] = {}
        for model in models:
            record, columns = model.dataset.split(split), model.dataset.columns
            part = slice(record.start, record.start + record.num_rows)
            rows, target = (columns[n].cells[part, 0].tolist() for n in ("row", "target"))
            found.update(zip(rows, target, strict=True))
        return found

    def example(self, row: int, split: str) -> Example:
        """What the models saw in the row with this number in the source."""
        for model in self.models:
            record = model.dataset.split(split)
            rows = model.dataset.columns["row"].cells[:, 0]
            own = rows[record.start : record.start + record.num_rows]
            position = int(np.searchsorted(own, row))
            if position < len(own) and own[position] == row:
                return model.dataset.example(position, split)
        raise AssertionError(f"row {row} is in no {split} split of {self.name}")


def read_member(path: Path, place: str) -> Member:
    """The run in the folder `path` as a member.

    Raises:
        UserError: at the setting `place`: it is no finished supervised run, or the data changed.
    """
    if not (path / "run.json").is_file():
        raise UserError.at(place, f"no run in {path}")
    run = RunFolder(path)
    job = run.job()
    if not isinstance(job, SupervisedJob):
        kind = job.algorithm.name  # type: ignore[attr-defined]
        raise UserError.at(place, f"{run.id} is of {kind}: ensembles are made of supervised runs")
    parts = run.children() if job.repeats is not None else [run]
    models = [_read_model(part, place) for part in parts]
    if not models:
        raise UserError.at(place, f"{run.id} has trained nothing yet")
    return Member(run.id, tuple(models))


def demand_same_rows(members: Sequence[Member]) -> None:
    """Raise UserError unless the members are validated and tested on the same rows and targets."""
    for split in ("validation", "test"):
        first = members[0].rows(split)
        for index, member in enumerate(members):
            if member.rows(split) != first:
                raise UserError.at(
                    f"algorithm.members.{index}",
                    f"the {split} rows of {member.name} are not those of {members[0].name}: "
                    "members need the same dataset.source, target, split and folds",
                )


def as_values(outputs: torch.Tensor, is_class: bool) -> torch.Tensor:
    """A model's outputs as log-probabilities [N, C] or estimates [N]."""
    if is_class:
        return outputs.float().log_softmax(1)
    return squeeze_outputs(outputs)


def mean_of(values: Sequence[torch.Tensor]) -> torch.Tensor:
    """The mean probability as its logarithm [N, C], or the mean estimate [N]."""
    if len(values) == 1:
        return values[0]
    stacked = torch.stack(list(values))
    if stacked.ndim == 2:
        return stacked.mean(0)
    return stacked.logsumexp(0) - float(np.log(len(values)))


def _joined(parts: Sequence[Outputs]) -> Outputs:
    """Outputs for different rows, in the order of the rows."""
    rows = torch.cat([p.rows for p in parts])
    order = rows.argsort()
    values, target = (torch.cat([getattr(p, n) for p in parts]) for n in ("values", "target"))
    return Outputs(values[order], target[order], rows[order])


def _read_model(run: RunFolder, place: str) -> FittedModel:
    job, checkpoint = run.job(), run.checkpoint("best")
    assert isinstance(job, SupervisedJob)
    if checkpoint is None or run.status != "finished":
        raise UserError.at(place, f"{run.id} is {run.status}: only finished runs are combined")
    model = FittedModel(job, checkpoint.path / WEIGHTS)
    demand_same_data(run.id, run.info.get("dataset_fingerprint"), model.dataset)
    return model
