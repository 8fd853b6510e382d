"""Trivium and its peers side by side in one go: prints tables, exits 1 when a goal is missed.

    bash benchmarks/rl/run [--only WORD ...] [--seeds N]

Seeds go round: every subject runs once with the first seed, then once with the second, every
second round in reverse order, one process at a time and nothing beside it, so that a machine that
slows down is no one's disadvantage. A whole run is written to results.json.
"""

import argparse
import json
import shlex
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))
from goals import GOALS, Verdict
from machine import load_average, machine
from runners import measure_runners
from subjects import HERE, PEERS, ROOT, SUBJECTS, Measurement, Subject, measure, measure_command

RESULTS = HERE / "results.json"


def main() -> int:
    """Measure, print, write; the exit code."""
    args = _arguments()
    began = time.perf_counter()
    facts = machine(PEERS) | {"load_average_before": round(load_average(), 2)}
    if facts["load_average_before"] > 0.5:
        print(f"warning: other work runs here (load {facts['load_average_before']}): noisy figures")
    chosen = [s for s in SUBJECTS if _is_asked(args, f"{s.task} {s.name}")]
    found = _measure_all(chosen, args)
    verdicts = [v for goal in GOALS if (v := goal.judge(found)) is not None]
    _print_figures(found)
    _print_verdicts(verdicts)
    is_reached = all(v.is_reached for v in verdicts)
    if not args.only:
        record = {
            "command": shlex.join(["bash", "benchmarks/rl/run", *sys.argv[1:]]),
            "date": time.strftime("%Y-%m-%d"),
            "machine": facts,
            "whole_s": round(time.perf_counter() - began),
            "all_reached": is_reached,
            "goals": [v.as_dict() for v in verdicts],
            "measurements": [m.as_dict() for m in found],
        }
        RESULTS.write_text(json.dumps(record, indent=1) + "\n")
        print(f"written to {RESULTS.relative_to(ROOT)} after {record['whole_s']} s")
    return 0 if is_reached else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="*", default=[], help="subjects with all of these words")
    parser.add_argument("--seeds", type=int, default=None, help="seeds of each, instead of its own")
    return parser.parse_args()


def _is_asked(args: argparse.Namespace, text: str) -> bool:
    return all(word in text for word in args.only)


def _measure_all(subjects: list[Subject], args: argparse.Namespace) -> list[Measurement]:
    found: list[Measurement] = []
    counts = [args.seeds or s.num_seeds for s in subjects]
    for seed in range(max(counts, default=0)):
        due = [s for s, count in zip(subjects, counts, strict=True) if seed < count]
        for subject in due if seed % 2 == 0 else due[::-1]:
            found.append(_show(measure(subject, seed)))
        if _is_asked(args, "cartpole, command trivium train") and seed < 5:
            found.append(_show(measure_command(seed)))
    if _is_asked(args, "slow env runners"):
        found += [_show(m) for m in measure_runners()]
    return found


def _show(m: Measurement) -> Measurement:
    how = "" if m.reached else "  NOT REACHED"
    print(
        f"  {m.task:<18}{m.subject:<20} seed {m.seed}  {m.learning_s:9.3f} s"
        f"{m.env_steps:12,} steps{m.env_steps_per_s:12,.0f}/s{how}",
        flush=True,
    )
    return m


def _print_figures(found: list[Measurement]) -> None:
    print(f"\n{'task':<18}{'subject':<20}{'seeds':>6}{'median s':>11}{'range':>20}{'steps/s':>12}")
    for task, subject in dict.fromkeys((m.task, m.subject) for m in found):
        own = [m for m in found if (m.task, m.subject) == (task, subject)]
        times = [m.learning_s for m in own]
        span = f"{min(times):.2f} to {max(times):.2f}"
        rate = median(m.env_steps_per_s for m in own)
        missed = sum(not m.reached for m in own)
        print(
            f"{task:<18}{subject:<20}{len(own):>6}{median(times):>11.2f}{span:>20}{rate:>12,.0f}"
            + (f"   {missed} did not get there" if missed else "")
        )


def _print_verdicts(verdicts: list[Verdict]) -> None:
    print()
    for v in verdicts:
        goal = v.goal
        bound = f"at least {goal.at_least:g}" if goal.at_least else f"at most {goal.at_most:g}"
        mark = "reached" if v.is_reached else "MISSED"
        print(f"  {mark:<8} {goal.what}: {v.value:,.1f} ({bound})")


if __name__ == "__main__":
    sys.exit(main())
