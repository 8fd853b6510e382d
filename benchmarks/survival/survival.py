"""What a training survives: every case at random moments, runs lost and steps repeated counted.

`make survival` runs all cases ten times; `--only TEXT` those whose name has it. Exit code 1 when a
run was lost, or more than one checkpoint interval was repeated. The table goes to README.md's side,
`results.md`, with the machine and the command; all single strikes are in `results.json`.
"""

import argparse
import json
import shlex
import shutil
import signal
import sys
import tempfile
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
from runs import Told  # noqa: E402

RESULTS, TABLE = HERE / "results.json", HERE / "results.md"
ORDER = [*cluster_cases.CASES, *local_cases.CASES, autoscaling.CASE]


def main() -> None:
    """Run the cases that were asked for and write what they told."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    asked = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="trivium-survival-runs-", dir="/tmp"))
    wanted = [name for name in ORDER if any(part in name for part in asked.only.split(","))]
    told = []
    try:
        on_nodes = [n for n in wanted if n in cluster_cases.CASES]
        if on_nodes:
            with Nodes() as nodes:
                nodes.start_head()
                for _ in range(3):
                    nodes.add()
                for name in on_nodes:
                    told.append(
                        cluster_cases.run_case(name, nodes, folder, asked.repetitions, asked.seed)
                    )
                    _say(told[-1])
        for name in wanted:
            if name in local_cases.CASES:
                told.append(local_cases.run_case(name, folder, asked.repetitions, asked.seed))
                _say(told[-1])
        if autoscaling.CASE in wanted:
            told.append(autoscaling.run_case(folder, min(3, asked.repetitions), asked.seed))
            _say(told[-1])
    finally:
        if not asked.keep:
            shutil.rmtree(folder, ignore_errors=True)
    rows = [t.row() for t in told]
    if not asked.no_record:
        _record(rows, shlex.join(["survival.py", *sys.argv[1:]]))
    sys.exit(any(r["lost"] or r["over_interval"] for r in rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name has one of these, by commas")
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
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


def _record(rows: list[dict[str, Any]], command: str) -> None:
    """Replace the rows of these cases; the others keep theirs."""
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"cases": []}
    when = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "command": command}
    new = {r["case"]: r | when | {"machine": machine()} for r in rows}
    cases = {c["case"]: c for c in known["cases"]} | new
    ordered = [cases[name] for name in ORDER if name in cases]
    RESULTS.write_text(json.dumps({"cases": ordered}, indent=1) + "\n", encoding="utf-8")
    TABLE.write_text(table(ordered), encoding="utf-8")


def table(cases: list[dict[str, Any]]) -> str:
    """The page of results."""
    lines = [
        "# What a training survives",
        "",
        f"Measured by `make survival` on {describe_machine()}.",
        "A step is repeated when it came after the checkpoint that training went",
        "on from. With several workers an interval counts the second in which they agree to save.",
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
