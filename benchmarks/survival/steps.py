"""What a run did, read from the step files of counting.py and from the run's folder."""

import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Attempt:
    """The training steps of one process of rank 0, from its start to its end."""

    pid: int
    times: tuple[float, ...]
    """Unix time of each step."""

    def most_within(self, seconds: float) -> int:
        """The most steps in a span of so many seconds; speed changes on a busy machine."""
        first, most = 0, 0
        for last, at in enumerate(self.times):
            while at - self.times[first] > seconds:
                first += 1
            most = max(most, last - first + 1)
        return most


@dataclass(frozen=True)
class Steps:
    """The folder that a run's processes note their steps in."""

    folder: Path

    def processes(self) -> dict[int, int]:
        """Rank by process id, of all that ever trained."""
        found = {}
        for file in self.folder.glob("*-*"):
            rank, _, pid = file.name.partition("-")
            found[int(pid)] = int(rank)
        return found

    def attempts(self) -> list[Attempt]:
        """Those of rank 0, in the order of time."""
        found = [
            Attempt(int(file.name[2:]), _times(file.read_bytes()))
            for file in self.folder.glob("0-*")
        ]
        return sorted((a for a in found if a.times), key=lambda a: a.times[0])


def resumed_steps(run: Path) -> list[int]:
    """The steps that the run says it went on from, in order."""
    texts = [run / "workers" / "0.txt", run / "log.txt"]
    text = next((t.read_text() for t in texts if t.is_file()), "")
    return [int(s.replace(",", "")) for s in re.findall(r"resumed from step ([\d,]+)", text)]


def repeated(attempts: list[Attempt], resumed: list[int]) -> list[int]:
    """Steps done twice at each new beginning: those after the checkpoint that it went on from.

    An attempt that died before its first checkpoint goes on from the same step as before.
    """
    starts = [0, *resumed][-len(attempts) :] if len(resumed) + 1 >= len(attempts) else None
    if starts is None:  # began from nothing more than once: there was no checkpoint yet
        starts = [*([0] * (len(attempts) - len(resumed))), *resumed]
    return [
        max(0, start + len(attempt.times) - after)
        for start, attempt, after in zip(starts, attempts, starts[1:], strict=False)
    ]


def curve(run: Path, metric: str = "train/loss") -> list[tuple[int, float]]:
    """(step, value) of each report."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(int(r["step"]), float(r[metric])) for r in lines if metric in r]


def info(run: Path) -> dict[str, Any]:
    """run.json."""
    found: dict[str, Any] = json.loads((run / "run.json").read_text())
    return found


def _times(content: bytes) -> tuple[float, ...]:
    whole = len(content) // 8 * 8
    return struct.unpack(f"{whole // 8}d", content[:whole])
