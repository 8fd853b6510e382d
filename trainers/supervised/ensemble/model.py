"""The ensemble as one model: all members' models and their combination, and how it is kept.

In the checkpoint lie `ensemble.json`, `combination.safetensors`, and for model J of member I its
job, `I-J.yaml`, and its weights, `I-J.safetensors`: all that scoring again needs, so that the
members' own runs may go.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from trivium.datasets.dataset import Dataset
from trivium.platform.job import open_job, read_job, write_job
from trivium.trainers.supervised.ensemble.combination import blank
from trivium.trainers.supervised.ensemble.job import Method
from trivium.trainers.supervised.ensemble.members import FittedModel, Member, as_values, mean_of
from trivium.trainers.supervised.job import SupervisedJob
from trivium.trainers.supervised.progress import load_weights, save_weights
from trivium.trainers.supervised.trainer import demand_same_data

RECORD = "ensemble.json"
COMBINATION = "combination.safetensors"


@dataclass(frozen=True)
class Fitted:
    """Members, and the combination that was fitted to them."""

    members: tuple[Member, ...]
    method: Method
    combination: nn.Module

    @property
    def datasets(self) -> list[Dataset]:
        """Each way in which the rows were prepared for a model, once."""
        found = [model.dataset for member in self.members for model in member.models]
        return list({dataset.fingerprint: dataset for dataset in found}.values())

    def save(self, folder: Path) -> None:
        """Write the files into an empty folder."""
        for i, member in enumerate(self.members):
            for j, model in enumerate(member.models):
                text = write_job(model.job)
                (folder / f"{i}-{j}.yaml").write_text(text, encoding="utf-8")
                shutil.copyfile(model.weights, folder / f"{i}-{j}.safetensors")
        save_weights(self.combination, folder / COMBINATION)
        record = {
            "method": self.method,
            "num_classes": len(self.datasets[0].class_names),
            "members": [
                {
                    "name": member.name,
                    "bases": [str(model.job.base) for model in member.models],
                    "fingerprints": [model.dataset.fingerprint for model in member.models],
                }
                for member in self.members
            ],
        }
        text = json.dumps(record, indent=2, ensure_ascii=False)
        (folder / RECORD).write_text(text, encoding="utf-8")


def load(folder: Path) -> Fitted:
    """What `save` wrote.

    Raises:
        UserError: the data of a model is not what it was trained on.
    """
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    members = tuple(
        Member(m["name"], tuple(_model(folder, i, j, base) for j, base in enumerate(m["bases"])))
        for i, m in enumerate(record["members"])
    )
    combination = blank(record["method"], len(members), record["num_classes"])
    load_weights(combination, folder / COMBINATION)
    for member, then in zip(members, record["members"], strict=True):
        for model, fingerprint in zip(member.models, then["fingerprints"], strict=True):
            demand_same_data(member.name, fingerprint, model.dataset)
    return Fitted(members, record["method"], combination)


class EnsembleModel(nn.Module):
    """All models and their combination in one.

    It takes the inputs of each data set, one data set's after the other's, and gives
    log-probabilities [N, C] or estimates [N].
    """

    def __init__(self, fitted: Fitted) -> None:
        super().__init__()
        datasets = fitted.datasets
        starts = _starts([len(d.inputs) for d in datasets])
        places = {d.fingerprint: range(*starts[i : i + 2]) for i, d in enumerate(datasets)}
        models = [m for member in fitted.members for m in member.models]
        self.models = nn.ModuleList(m.load() for m in models)
        self.combination = fitted.combination
        self.is_class = bool(datasets[0].class_names)
        self._inputs = [list(places[m.dataset.fingerprint]) for m in models]
        self._members = _starts([len(member.models) for member in fitted.members])

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Each member's mean over its models, then the combination of the members."""
        values = [
            as_values(model(*(inputs[i] for i in places)), self.is_class)
            for model, places in zip(self.models, self._inputs, strict=True)
        ]
        members = [mean_of(values[begin:end]) for begin, end in pairwise(self._members)]
        combined: torch.Tensor = self.combination(torch.stack(members))
        return combined


def _model(folder: Path, i: int, j: int, base: str) -> FittedModel:
    job = read_job(open_job(folder / f"{i}-{j}.yaml"))
    assert isinstance(job, SupervisedJob)
    job._base = Path(base)
    return FittedModel(job, folder / f"{i}-{j}.safetensors")


def _starts(counts: Sequence[int]) -> list[int]:
    """Where each of some lists begins when they follow each other, and where the last ends."""
    starts = [0]
    for count in counts:
        starts.append(starts[-1] + count)
    return starts
