"""What a person sees of a sweep: what it searches, one bar, a line for each new best trial."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from trivium.platform.algorithm import Preflight
from trivium.platform.console import Console
from trivium.platform.phrasing import number
from trivium.platform.run import RunFolder, read_records
from trivium.tuning.objective import dominates, values_of
from trivium.tuning.plan import Plan
from trivium.tuning.rounds import Round, Standing
from trivium.tuning.settings import Distribution


class SweepProgress:
    """Writes the sweep's metrics.jsonl, and the lines and the bar of the console."""

    def __init__(self, run: RunFolder, plan: Plan, console: Console) -> None:
        self._run, self._plan, self._console = run, plan, console
        self._file = run.path / "metrics.jsonl"
        before = list(read_records(self._file))
        self._num_ended = len(before)
        self.told = {int(r["trial"]) for r in before}
        """Trials whose end stands in metrics.jsonl."""
        names = [a.metric for a in plan.objectives]
        self._front: list[Sequence[float]] = [
            [r[n] for n in names] for r in before if all(r.get(n) is not None for n in names)
        ]
        self._best, _ = plan.objective.best_of(before)
        self._time_before_s = float(before[-1]["time_s"]) if before else 0.0
        self._began = time.monotonic()

    def head(self, preflight: Preflight | None) -> None:
        """What is searched, and how."""
        plan, settings = self._plan, self._plan.settings
        self._console.heading(f"{self._run.id}  (sweep, seed {plan.job.seed})")
        rows = list(preflight.facts) if preflight else []
        rows += [
            ("search", f"{settings.search.name}, {plan.num_trials} trials, {_scheduling(plan)}"),
            *(
                (
                    "aim" if i == 0 else "",
                    f"{a.metric}, {'more' if a.larger_is_better else 'less'} is better",
                )
                for i, a in enumerate(plan.objectives)
            ),
            *(
                ("space" if i == 0 else "", f"{d.path}: {in_words(d.distribution)}")
                for i, d in enumerate(plan.space.dimensions)
            ),
            ("at once", f"{plan.num_concurrent}, {plan.cpus_of_all_workers:g} CPUs each"),
            ("run", self._run.place),
        ]
        self._console.facts(rows)
        for warning in preflight.warnings if preflight else ():
            self._console.say(f"warning: {warning}")
        if self._num_ended:
            self._console.say(f"\nresumed after {self.standing()}")
        self._console.say("")
        self._console.progress(self._num_ended, plan.num_trials, "trials")

    def trial_ended(self, number_: int, ended: str, value: float | None, reason: str) -> None:
        """One trial more; say so when it failed or is the best so far."""
        objective = self._plan.objective
        self._num_ended += 1
        self.told.add(number_)
        record: dict[str, Any] = {
            "step": self._num_ended,
            "time_s": round(self._time_before_s + time.monotonic() - self._began, 4),
            "trial": number_,
            objective.metric: value,
        }
        aims = self._plan.objectives
        values = None
        if len(aims) > 1 and ended == "finished":
            values = values_of(RunFolder(self._run.path / "children" / str(number_)), aims)
            if values is not None:
                record |= zip((a.metric for a in aims), values, strict=True)
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")
        if ended == "failed":
            self.say_failed(number_, reason)
        elif values is not None:
            self._say_on_front(number_, values)
        elif value is not None and objective.better(self._best, value) != self._best:
            self._best = value
            self._console.say(
                f"trial {number_:>3}   {objective.metric} {number(value)}   best so far   "
                f"{in_short(settings_of(self._run, number_))}"
            )
        self._console.progress(self._num_ended, self._plan.num_trials, "trials")

    def _say_on_front(self, trial: int, values: Sequence[float]) -> None:
        """Say what a trial reached, when none before it is better in every aim."""
        aims = self._plan.objectives
        if any(dominates(v, values, aims) for v in self._front):
            return
        self._front.append(values)
        reached = ", ".join(f"{a.metric} {number(v)}" for a, v in zip(aims, values, strict=True))
        settings = in_short(settings_of(self._run, trial))
        self._console.say(f"trial {trial:>3}   {reached}   on the front   {settings}")

    def say_failed(self, trial: int, reason: str) -> None:
        """A trial failed."""
        self._console.say(f"trial {trial} failed: {reason}")

    def round_begins(self, number_: int, decided: Round, standing: Standing) -> None:
        """How far the trials are, who stops, and who goes on from whom with which settings."""
        metric = self._plan.objective.metric
        best = next(iter(standing.ranked(list(standing.members))), None)
        for member in standing.members.values():  # what was best is said here, not when it ends
            self._best = self._plan.objective.better(self._best, member.best)
        if best is not None and best.value is not None and standing.rounds:
            until = standing.rounds[-1].until
            there = "trained to the end" if until is None else f"at report {until}"
            self._console.say(
                f"round {number_ - 1} {there}: best {metric} {number(best.value)} in trial "
                f"{best.number}" + (f", {len(decided.ended)} stopped" if decided.ended else "")
            )
        for take in decided.takes:
            self._console.say(
                f"  trial {take.trial} goes on from trial {take.donor} with "
                f"{in_short(take.settings)}"
            )

    def say_final(self, num_runs: int) -> None:
        """The search is over, the comparison begins."""
        self._console.say(f"\nfinal: {num_runs} runs on fresh seeds, the best and the job's own")

    def standing(self) -> str:
        """`12 of 30 trials, best validation/accuracy 0.9712`."""
        best = "" if self._best is None else f", best {self._plan.objective.metric} "
        value = "" if self._best is None else number(self._best)
        return f"{self._num_ended} of {self._plan.num_trials} trials{best}{value}"

    def close(self) -> None:
        """Take the bar away."""
        self._console.close()


def settings_of(run: RunFolder, trial: int | str) -> Mapping[str, Any]:
    """The searched settings of a trial of the sweep `run`."""
    info = RunFolder(run.path / "children" / str(trial)).info
    settings: Mapping[str, Any] = info.get("tune", {}).get("settings", {})
    return settings


def in_short(settings: Mapping[str, Any]) -> str:
    """`lr 0.0031, hidden [32]`: the last part of each name is enough for a line."""
    return ", ".join(f"{short_name(k, settings)} {number(v)}" for k, v in settings.items())


def short_name(path: str, among: Mapping[str, Any]) -> str:
    """The end of a dotted name that no other of them shares."""
    parts = path.split(".")
    for count in range(1, len(parts)):
        short = ".".join(parts[-count:])
        if sum(f".{other}".endswith(f".{short}") for other in among) == 1:
            return short
    return path


def in_words(distribution: Distribution) -> str:
    """`0.0001 to 0.1, by its logarithm`."""
    kind = distribution.kind
    values = getattr(distribution, kind)
    if kind == "choice":
        words = "one of " + ", ".join(map(str, values))
    else:
        words = f"{values[0]:g} to {values[1]:g}"
        words += " in whole numbers" if kind.endswith("int") else ""
        words += f" in steps of {values[2]:g}" if kind == "quantized" else ""
        words += ", by its logarithm" if kind.startswith("log") else ""
    when = distribution.when or {}
    return words + "".join(f", when {p} is {v}" for p, v in when.items())


def _scheduling(plan: Plan) -> str:
    name = plan.settings.scheduler.name
    seeds = f", {plan.settings.seeds} seeds each" if plan.settings.seeds > 1 else ""
    if name == "pbt":
        return "a population that exchanges checkpoints"
    return ("every trial to its end" if name == "none" else f"stopped early by {name}") + seeds
