"""The algorithm `ensemble`: trained runs combined, chosen on validation rows, told on test rows.

Nothing sees a test row before the end. Methods that are fitted (bagged, stacked) are fitted on the
validation rows, which no model was trained on, and their own validation score is of rows that the
fit left out. Left out: rows of one group or time are not kept together within that fit.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from trivium.platform.algorithm import EvaluateOptions, Outcome, Preflight
from trivium.platform.errors import RunFailed, UserError, nearest
from trivium.platform.exhibit import Evaluation, Metric
from trivium.platform.run import RunFolder
from trivium.platform.run_writer import RunWriter
from trivium.trainers.supervised.ensemble.combination import cross_fitted, fit
from trivium.trainers.supervised.ensemble.comparison import (
    Gain,
    compared_by,
    gain_of,
    row_scores,
)
from trivium.trainers.supervised.ensemble.exhibits import Way, exhibits
from trivium.trainers.supervised.ensemble.job import METHODS, EnsembleJob
from trivium.trainers.supervised.ensemble.members import (
    Member,
    Outputs,
    demand_same_rows,
    read_member,
)
from trivium.trainers.supervised.ensemble.model import EnsembleModel, Fitted, load
from trivium.trainers.supervised.score import SPLITS
from trivium.trainers.supervised.tasks.task import Task, metric_named

_FEWEST_ROWS = 10


class Ensemble:
    """The algorithm `ensemble`."""

    job_type = EnsembleJob
    run_kind = "ensemble"

    def __init__(self, job: EnsembleJob) -> None:
        self.job = job

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The runs that the job names."""
        settings = self.job.algorithm
        places = [self.job.base / Path(text).expanduser() for text in settings.members]
        found = [read_member(p, f"algorithm.members.{i}") for i, p in enumerate(places)]
        if len(found) == 1 and len(found[0].models) == 1:
            message = f"{found[0].name} is a single model; an ensemble needs two at least"
            raise UserError.at("algorithm.members", message)
        return tuple(found)

    @property
    def task(self) -> Task:
        """That of the first member: how all are scored."""
        return self.members[0].models[0].supervised.task

    @property
    def metrics(self) -> Sequence[Metric]:
        """The task's metrics, of the validation rows."""
        return [replace(m, name=f"validation/{m.name}") for m in self.task.metrics]

    @property
    def metric(self) -> Metric:
        """What the method is chosen by; its name is without the split."""
        asked = self.job.algorithm.metric
        found = metric_named(self.task, asked or self.task.watch)
        if found is None:
            known = [m.name for m in self.task.metrics]
            hint = nearest(str(asked), known)
            message = f"no metric {asked!r}{hint} (one of {', '.join(known)})"
            raise UserError.at("algorithm.metric", message)
        return found

    @property
    def compared(self) -> str:
        """The metric by which the ensemble is compared with the best single one."""
        return compared_by(self.metric.name, self.members[0].is_class)

    def preflight(self) -> Preflight:
        """The members, their rows, what is tried."""
        demand_same_rows(self.members)
        validation, test = (len(self.members[0].rows(s)) for s in ("validation", "test"))
        problems = []
        if test == 0:
            problems.append(
                "algorithm.members: have no test rows, so that nothing tells what is gained; "
                "give dataset.split.test some and train them anew"
            )
        if validation < _FEWEST_ROWS:
            problems.append(
                f"algorithm.members: have {validation} validation rows, too few to combine by; "
                f"at least {_FEWEST_ROWS}"
            )
        asked = self.job.algorithm.method
        tried = f"the best of {', '.join(METHODS)} by validation/{self.metric.name}"
        source = self.members[0].models[0].dataset.source
        facts = (
            ("data", f"{source}: validation {validation:,}, test {test:,} rows"),
            ("task", type(self.task).__name__.lower()),
            *(("" if i else "members", m.sentence) for i, m in enumerate(self.members)),
            ("method", tried if asked == "best" else asked),
        )
        return Preflight(facts, tuple(problems))

    def train(self, run: RunWriter) -> Outcome:
        """Fit each method, choose by the validation rows, score the chosen one on the test rows."""
        asked, seed = self.job.algorithm.method, self.job.seed
        methods = METHODS if asked == "best" else (asked,)
        validation, test = self._outputs("validation"), self._outputs("test")
        values, target = _stacked(validation), validation[0].target
        unseen = {m: cross_fitted(m, values, target, seed) for m in methods}
        scores = {m: self._score(unseen[m], validation[0], "validation") for m in methods}
        chosen = min(methods, key=lambda m: self._rank(scores[m]))
        fitted = {m: fit(m, values, target, seed) for m in methods}
        run.mark_first_step()
        if run.resume() is None:  # else it was killed later than here, and this is on the disk
            run.report(1, {k: v for k, v in scores[chosen].metrics.items() if math.isfinite(v)})
            run.save_checkpoint(1, Fitted(self.members, chosen, fitted[chosen]).save)
        run.keep_best()

        with torch.no_grad():
            answers = {m: fitted[m](_stacked(test)) for m in methods}
        alone = [self._score(o.values, o, "validation") for o in validation]
        best = min(range(len(alone)), key=lambda i: self._rank(alone[i]))
        ways = [
            Way(m, scores[m], self._score(answers[m], test[0], "test"), gain)
            for m in methods
            for gain in [self._gain(answers[m], test, best)]
        ]
        used = next(w for w in ways if w.method == chosen)
        sentence = f"{chosen}, against {self._rival(best)}: {used.gain.sentence}"
        run.say(sentence)
        tested = [self._score(o.values, o, "test") for o in test]
        members = list(zip((m.name for m in self.members), alone, tested, strict=True))
        telling = "accuracy" if self.members[0].is_class else "rmse"
        names = list(dict.fromkeys([self.metric.name, self.compared, telling]))
        shown = exhibits(sentence, ways, used, members, names)
        return Outcome(Evaluation(used.test.metrics, (*shown, *used.test.exhibits)), 1)

    def evaluate(self, run: RunFolder, options: EvaluateOptions) -> Evaluation:
        """Score the saved ensemble again, from the files of its own run alone."""
        if options.split not in SPLITS:
            raise UserError(f"--split {options.split}: must be one of {', '.join(SPLITS)}")
        fitted = self._restore(run)
        found = self._outputs(options.split)
        values = _stacked(found)
        if options.split == "validation":  # not by what was fitted on these very rows
            outputs = cross_fitted(fitted.method, values, found[0].target, self.job.seed)
        else:
            with torch.no_grad():
                outputs = fitted.combination(values)
        return self._score(outputs, found[0], options.split)

    def verify(self, recorded: Mapping[str, float], again: Mapping[str, float]) -> str | None:
        """The same models and combination on the same rows score the same, but for rounding."""
        return self.members[0].models[0].supervised.verify(recorded, again)

    def export(self, run: RunFolder, folder: Path) -> Sequence[tuple[str, Path]]:
        """All members and their combination as one ONNX model, compared on real rows."""
        from trivium.trainers.supervised.export import export

        fitted = self._restore(run)
        return export(fitted.datasets, EnsembleModel(fitted).eval(), run, folder)

    def _restore(self, run: RunFolder) -> Fitted:
        """The saved ensemble; from here on its members are those of the run's own files."""
        checkpoint = run.checkpoint("best")
        if checkpoint is None:
            raise RunFailed(
                f"{run.id} has no whole checkpoint; `trivium resume {run.id}` makes one"
            )
        fitted = load(checkpoint.path)
        self.members = fitted.members
        return fitted

    def _outputs(self, split: str) -> list[Outputs]:
        return [member.outputs(split) for member in self.members]

    def _score(self, values: torch.Tensor, of: Outputs, split: str) -> Evaluation:
        """The task's scores of values for the rows of a split."""
        evaluation = self.task.evaluate(
            values, of.target, of.rows, lambda row: self.members[0].example(row, split)
        )
        metrics = {f"{split}/{name}": value for name, value in evaluation.metrics.items()}
        return Evaluation(metrics, evaluation.exhibits)

    def _rank(self, scored: Evaluation) -> float:
        """Smallest for the best on the validation rows."""
        value = scored.metrics[f"validation/{self.metric.name}"]
        return -value if self.metric.larger_is_better else value

    def _gain(self, values: torch.Tensor, test: Sequence[Outputs], best: int) -> Gain:
        """How much better than the best single member, or than one of a lone member's models."""
        singles = [test[best].values]
        if len(self.members) == 1:
            singles = [m.outputs("test").values for m in self.members[0].models]
        target = test[0].target
        rows = [row_scores(self.compared, self._told(s), target) for s in singles]
        ours = row_scores(self.compared, self._told(values), target)
        return gain_of(self.compared, ours, np.mean(rows, axis=0), self.job.seed)

    def _told(self, values: torch.Tensor) -> torch.Tensor:
        """Estimates as the task gives them out (a rating within its range); of classes as is."""
        return values if values.ndim == 2 else self.task.predict(values)

    def _rival(self, best: int) -> str:
        if len(self.members) == 1:
            return f"one of its {len(self.members[0].models)} models on average"
        return f"{self.members[best].name}, the best single one"


def _stacked(found: Sequence[Outputs]) -> torch.Tensor:
    """The members' values [M, N, C] or [M, N]."""
    return torch.stack([outputs.values for outputs in found])
