"""A trial takes over another one's training, and what settings were used when.

With the checkpoint comes its history: `metrics.jsonl` up to there, so that a child run always
describes the weights that it has, and the stages in `run.json` under `tune`: from which report on
which settings were used, and by which trial first.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trivium.platform.checkpoint import copy_checkpoint
from trivium.platform.job import Job, write_job
from trivium.platform.run import RunFolder, write_json
from trivium.tuning.dimension import Point
from trivium.tuning.objective import Objective

STAGES = "stages.json"


@dataclass(frozen=True)
class Stage:
    """A time of a training in which its settings stayed."""

    reports: int
    """Reports that were made before it."""
    step: int
    """Optimizer steps or updates that were made before it."""
    settings: Point
    trial: int
    """The trial that trained it."""


def stages_of(child: RunFolder) -> list[Stage]:
    """The stages of a trial, the first begins at report 0."""
    tune: Mapping[str, Any] = child.info.get("tune", {})
    found = [Stage(**s) for s in tune.get("stages", ())]
    return found or [Stage(0, 0, tune.get("settings", {}), int(tune.get("trial", 0)))]


def take_over(
    child: RunFolder,
    donor: RunFolder,
    job: Job,
    settings: Point,
    round_number: int,
    objective: Objective,
) -> None:
    """Give `child` the training of `donor` and the `job` to go on with.

    Once for each round, and again from the start when it was killed on the way.
    """
    tune: dict[str, Any] = child.info["tune"]
    if tune.get("round") == round_number:
        return
    checkpoint = donor.checkpoint("last")
    assert checkpoint is not None, "a round ends with a checkpoint of each of its trials"
    for name in ("best", "last"):
        copy_checkpoint(donor.checkpoints, name, name, into=child.checkpoints)
    records = donor.metrics()[: checkpoint.num_reports]
    _replace(child, "metrics.jsonl", "".join(json.dumps(r) + "\n" for r in records))
    _replace(child, "job.yaml", write_job(job))
    count = objective.best_of(records)[1]
    stage = Stage(count, checkpoint.step, settings, int(tune["trial"]))
    stages = [*stages_of(donor), stage]
    if len(stages) > 1 and stages[-2].reports == count:
        del stages[-2]  # it took over itself, and made no report since
    told = {"settings": dict(settings), "stages": [asdict(s) for s in stages]}
    info = child.info | {"status": "pending", "error": None, "ended": None}
    # Last: with it the exchange is whole.
    write_json(child.path / "run.json", info | {"tune": tune | told | {"round": round_number}})


def write_stages(child: RunFolder, stages: Sequence[tuple[int | None, Job]]) -> None:
    """Let a run change its job on its way: until how many reports it has which."""
    content = [{"until": until, "job": write_job(job)} for until, job in stages]
    write_json(child.path / STAGES, content)


def begin_stage(child: RunFolder, num_reports: int) -> int | None:
    """Give `child` the job of the stage that it is in, and say until how many reports it holds."""
    file = child.path / STAGES
    if not file.is_file():
        return None
    for stage in json.loads(file.read_text(encoding="utf-8")):
        if stage["until"] is None or stage["until"] > num_reports:
            _replace(child, "job.yaml", stage["job"])
            return None if stage["until"] is None else int(stage["until"])
    return None


def _replace(child: RunFolder, name: str, text: str) -> None:
    temporary = child.path / f".{name}.new"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(child.path / name)
