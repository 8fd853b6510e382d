"""Runs of the command line that a case disturbs, and what became of them."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from nodes import descendants
from steps import Attempt, Steps, info, repeated, resumed_steps

TRIVIUM = [sys.executable, "-m", "trivium.platform.cli"]
HERE = Path(__file__).parent
AGREE_S = 0.25
"""Several workers agree on a step to save at four times a second: added to an interval."""
SUPERVISED = """\
name: digits
dataset: {{source: digits, split: {{train: 0.7, validation: 0.15, test: 0.15, stratify: true}}}}
model: {{name: '{here}/counting.py:Counting', folder: '{steps}', pause_s: {pause_s}}}
algorithm:
  {{name: supervised, epochs: {epochs}, batch_size: 32, optimizer: {{name: adam, lr: 0.001}}}}
resources: {{num_workers: {workers}}}
checkpoint: {{interval_s: {interval_s}}}
"""


OVER = "its time was over"
"""How a note ends of a case that was stopped."""


@dataclass
class Repetition:
    """One disturbance at a random moment."""

    what: str
    moment_s: float
    """Seconds of training before it."""
    attempt: int = 0
    """Which beginning of the run it hit."""
    repeated: int = 0
    """Steps that were done twice because of it."""
    interval: int = 0
    """The most steps that fitted into one checkpoint interval of this attempt."""
    gone_on_s: float = 0.0
    """Seconds from the last step before it to the first one after."""

    @property
    def is_within(self) -> bool:
        """At most one interval; a step of slack at each end, as moments fall between steps."""
        return self.repeated <= self.interval + 2


@dataclass
class Told:
    """What a case found; `lost` counts runs that did not end well."""

    case: str
    runs: int = 0
    lost: int = 0
    repetitions: list[Repetition] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    curves_apart: float = 0.0
    """Largest relative difference of a loss to that of one undisturbed worker."""

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """What `row` gave."""
        named = {n: row[n] for n in ("case", "runs", "lost", "notes", "seconds", "curves_apart")}
        return cls(**named, repetitions=[Repetition(**each) for each in row["each"]])

    def and_then(self, later: Self) -> Self:
        """This and what was found later of the same case."""
        return replace(
            self,
            runs=self.runs + later.runs,
            lost=self.lost + later.lost,
            repetitions=self.repetitions + later.repetitions,
            notes=[n for n in self.notes if not n.endswith(OVER)] + later.notes,
            seconds=self.seconds + later.seconds,
            curves_apart=max(self.curves_apart, later.curves_apart),
        )

    def row(self) -> dict[str, Any]:
        """For the table and results.json."""
        done = [r.repeated for r in self.repetitions]
        return {
            "case": self.case,
            "repetitions": len(self.repetitions),
            "runs": self.runs,
            "lost": self.lost,
            "most_repeated": max(done, default=0),
            "interval": round(
                sum(r.interval for r in self.repetitions) / max(1, len(self.repetitions))
            ),
            "over_interval": sum(not r.is_within for r in self.repetitions),
            "gone_on_s": round(
                sum(r.gone_on_s for r in self.repetitions) / max(1, len(self.repetitions)), 1
            ),
            "seconds": round(self.seconds),
            "curves_apart": float(f"{self.curves_apart:.1g}"),
            "notes": self.notes,
            "each": [asdict(r) for r in self.repetitions],
        }


_started: list["subprocess.Popen[bytes]"] = []


def end_what_runs() -> None:
    """End commands that a case left when it was stopped, with their processes."""
    for process in _started:
        if process.poll() is None:
            pids = [process.pid, *descendants(process.pid)]
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


@dataclass
class Job:
    """A job file, the folder its steps are counted in, and the store of its runs."""

    folder: Path
    text: str
    interval_s: float = 1.0

    @property
    def file(self) -> Path:
        """The job file."""
        return self.folder / "job.yaml"

    @property
    def steps(self) -> Steps:
        """What was counted."""
        return Steps(self.folder / "steps")

    @property
    def run(self) -> Path:
        """The only run of the store."""
        return next(iter(sorted((self.folder / "runs").glob("*-1"))))

    def start(self, *words: object, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """`trivium WORDS`, in the background."""
        cache = {"TRIVIUM_CACHE": str(self.folder.parent / "cache")}
        with (self.folder / "out.txt").open("ab") as out:
            process = subprocess.Popen(
                [*TRIVIUM, *map(str, words), "--store", str(self.folder / "runs")],
                env={**environment, **cache},
                stdout=out,
                stderr=out,
                cwd=self.folder,
                start_new_session=True,
            )
        _started.append(process)
        return process

    def is_well(self) -> str:
        """Empty when the run finished with every report once; else what is wrong."""
        try:
            return is_well(self.run)
        except StopIteration:
            return "there is no run"


def is_well(run: Path) -> str:
    """Empty when a run finished with every report once; else what is wrong."""
    try:
        status, error = info(run)["status"], info(run).get("error")
        reports = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    except (OSError, ValueError) as problem:
        return f"no whole run: {problem!r}"
    if status != "finished":
        return f"{status}: {str(error)[:300]}"
    steps = [r["step"] for r in reports]
    epochs = [r["epoch"] for r in reports if "epoch" in r]
    if steps != sorted(set(steps)) or epochs != list(range(1, len(epochs) + 1)):
        return f"reports are missing or doubled: steps {steps}, epochs {epochs}"
    return ""


def supervised(
    folder: Path, workers: str, epochs: int, pause_s: float = 0.01, interval_s: float = 1.0
) -> Job:
    """A job of 40 steps an epoch."""
    (folder / "steps").mkdir(parents=True)
    text = SUPERVISED.format(
        here=HERE,
        steps=folder / "steps",
        workers=workers,
        epochs=epochs,
        pause_s=pause_s,
        interval_s=interval_s,
    )
    (folder / "job.yaml").write_text(text)
    return Job(folder, text, interval_s)


def disturb(
    job: Job,
    process: "subprocess.Popen[bytes]",
    random_: random.Random,
    most: int,
    strike: Callable[[Attempt], str],
    longest_s: float = 4.0,
) -> list[Repetition]:
    """Strike up to `most` times while `process` trains, each time after it has gone on.

    Returns:
        a repetition for each strike, its steps still to be counted by `settle`.
    """
    struck: list[Repetition] = []
    known = len(job.steps.attempts())
    while len(struck) < most:
        attempt = _next_attempt(job, process, known)
        if attempt is None:
            break
        wait_s = random_.uniform(0.2, longest_s)
        until = time.monotonic() + wait_s
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        if process.poll() is not None:
            break
        known = len(job.steps.attempts())
        what = strike(job.steps.attempts()[-1])
        if not what:  # there was nothing to strike: it began anew by itself meanwhile
            known -= 1
            continue
        struck.append(Repetition(what, round(wait_s, 2), known - 1))
    _next_attempt(job, process, known)
    return struck


def settle(job: Job, struck: list[Repetition]) -> None:
    """Fill in, now that the run is over, what each strike had repeated and how long it took."""
    attempts = job.steps.attempts()
    counts = repeated(attempts, resumed_steps(job.run))
    for repetition in struck:
        hit, after = attempts[repetition.attempt], attempts[repetition.attempt + 1 :]
        if after:
            repetition.gone_on_s = round(after[0].times[0] - hit.times[-1], 1)
        repetition.interval = hit.most_within(job.interval_s + AGREE_S)
        if repetition.attempt < len(counts):
            repetition.repeated = counts[repetition.attempt]


def _next_attempt(job: Job, process: "subprocess.Popen[bytes]", known: int) -> Attempt | None:
    """The attempt after the first `known`; None when the command ended first."""
    while True:
        attempts = job.steps.attempts()
        if len(attempts) > known:
            return attempts[known]
        if process.poll() is not None:
            return None
        time.sleep(0.05)


def base_environment() -> dict[str, str]:
    """This one without what points to some Ray."""
    return {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
