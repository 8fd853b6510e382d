"""What a training survives: every case at random moments, runs lost and steps repeated counted.

`make survival` runs all cases ten times; `--only TEXT` those whose name has it. Exit code 1 when a
run was lost, or more than one checkpoint interval was repeated. The table goes to README.md's side,
`results.md`, with the machine and the command; all single strikes are in `results.json`.
"""

import argparse
import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import autoscaling  # noqa: E402
import cluster_cases  # noqa: E402
import local_cases  # noqa: E402
from machine import describe_machine, machine  # noqa: E402
from nodes import Nodes  # noqa: E402
from runs import OVER, Told, end_what_runs  # noqa: E402

RESULTS, TABLE = HERE / "results.json", HERE / "results.md"
ORDER = [*cluster_cases.CASES, *local_cases.CASES, autoscaling.CASE]


def main() -> None:
    """Run the cases that were asked for and write what they told."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    asked = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="trivium-survival-runs-", dir="/tmp"))
    wanted = [name for name in ORDER if any(part in name for part in asked.only.split(","))]
    told: list[Told] = []

    def tell(run_case: Callable[..., None], name: str, *first: object) -> None:
        told.append(Told(name))
        began = time.monotonic()
        try:
            run_case(told[-1], *first, folder, asked.repetitions, asked.seed)
        except SystemExit:
            told[-1].runs -= 1  # the one that was stopped
            told[-1].notes.append(f"not {asked.repetitions} times: {OVER}")
            raise
        finally:  # what was found until the case was stopped is told as well
            told[-1].seconds = time.monotonic() - began
            _say(told[-1])
            if told[-1].repetitions and not asked.no_record:
                _record(told[-1], shlex.join(["survival.py", *sys.argv[1:]]), asked.more)

    try:
        on_nodes = [n for n in wanted if n in cluster_cases.CASES]
        if on_nodes:
            with Nodes() as nodes:
                nodes.start_head()
                for name in on_nodes:
                    tell(cluster_cases.run_case, name, nodes)
        for name in wanted:
            if name in local_cases.CASES:
                tell(local_cases.run_case, name)
        if autoscaling.CASE in wanted:
            tell(autoscaling.run_case, autoscaling.CASE)
    finally:
        end_what_runs()
        if not asked.keep:
            shutil.rmtree(folder, ignore_errors=True)
    rows = [t.row() for t in told]
    sys.exit(any(r["lost"] or r["over_interval"] for r in rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name has one of these, by commas")
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--more", action="store_true", help="add to what is recorded")
    parser.add_argument("--keep", action="store_true", help="keep the runs, below /tmp")
    parser.add_argument("--no-record", action="store_true", help="leave the results as they are")
    return parser.parse_args()


def _say(told: Told) -> None:
    row = told.row()
    print(
        f"{told.case}: {row['repetitions']} times in {row['runs']} runs, {row['lost']} lost, "
        f"at most {row['most_repeated']} steps repeated (an interval is {row['interval']}), "
        f"{row['over_interval']} over it, {row['seconds']} s",
        flush=True,
    )
    for note in told.notes:
        print(f"  {note}", flush=True)


def _record(told: Told, command: str, is_more: bool) -> None:
    """Replace the row of this case, or add to it; the others keep theirs."""
    when = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "command": command}
    with _alone():
        known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"cases": []}
        cases = {c["case"]: c for c in known["cases"]}
        before = [cases[told.case]] if is_more and told.case in cases else []
        row = (Told.read(before[0]).and_then(told) if before else told).row()
        when["command"] = "; ".join([*(b["command"] for b in before), command])
        cases[told.case] = row | when | {"machine": machine()}
        ordered = [cases[name] for name in ORDER if name in cases]
        RESULTS.write_text(json.dumps({"cases": ordered}, indent=1) + "\n", encoding="utf-8")
        TABLE.write_text(table(ordered), encoding="utf-8")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Two commands, of two cases, may end at once."""
    folder = os.open(HERE, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def table(cases: list[dict[str, Any]]) -> str:
    """The page of results."""
    lines = [
        "# What a training survives",
        "",
        f"Measured by `make survival` on {describe_machine()}.",
        "A step is repeated when it came after the checkpoint that training went",
        "on from. An interval has the most steps that fitted into its time in that run, for",
        "several workers with the time in which they agree to save; `goes on after` is from the",
        "last step before to the first one after.",
        "",
        "| case | times | runs | runs lost | most steps repeated | steps of an interval (mean) "
        "| over it | goes on after |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for c in cases:
        lines.append(
            f"| {c['case']} | {c['repetitions']} | {c['runs']} | {c['lost']} | "
            f"{c['most_repeated']} | {c['interval']} | {c['over_interval']} | "
            f"{c['gone_on_s'] or '-'} s |"
        )
    apart = max((c["curves_apart"] for c in cases), default=0.0)
    if apart:
        lines += [
            "",
            "Losses of the elastic runs differ from those of one undisturbed worker by at most "
            f"{apart:g} of their value, at every epoch of every run.",
        ]
    notes = [f"- {c['case']}: {note}" for c in cases for note in c["notes"]]
    return "\n".join([*lines, *(["", "Notes:", "", *notes] if notes else [])]) + "\n"


if __name__ == "__main__":
    main()
