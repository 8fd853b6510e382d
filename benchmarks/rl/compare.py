"""Trivium and its peers side by side: prints tables, exits 1 when a goal is missed.

    bash benchmarks/rl/run                                      all in one go, into results.json
    bash benchmarks/rl/run --only cartpole ppo --seeds 0 1      some of it, printed
    bash benchmarks/rl/run --only cartpole ppo --keep           the same, put into results.json

Seeds go round: every subject runs once with the first seed, then once with the second, every
second round in reverse order, one process at a time and nothing beside it, so that a machine that
slows down is no one's disadvantage. results.json says of every measurement in which part it was
made: when, by which command, under which load.
"""

import argparse
import os
import shlex
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from goals import GOALS
from machine import Usage, load_average, machine
from record import Part, Record
from speeds import ENV_SPEED, RUNNERS, measure_env_speed, measure_runners
from subjects import PEERS, SUBJECTS, Measurement, measure, measure_command
from table import figures, goals

COMMAND = "cartpole, command trivium train"


def main() -> int:
    """Measure, print, write; the exit code."""
    args = _arguments()
    began, load, usage = time.time(), load_average(), Usage()
    if load > 0.5:
        print(f"warning: other work runs here (load {load:.2f}): noisy figures")
    record = Record.read(machine(PEERS)) if args.keep else Record(machine(PEERS))
    found: list[Measurement] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    is_stopped = False
    try:
        _measure_all(args, found)
    except KeyboardInterrupt:
        is_stopped = True
        print(f"stopped after {len(found)} measurements")
    if not found and not is_stopped:
        sys.exit(f"nothing here has all of the words {' '.join(args.only)}")
    part = Part(
        command=_command(),
        began=time.strftime(
            "%Y-%m-%d %H:%M", time.gmtime(time.time() - time.perf_counter() + began)
        ),
        load_average_before=round(load, 2),
        others_busy_cores=usage.so_far().others_busy_cores,
        whole_s=round(time.time() - began),
    )
    record.add(part, found)
    measurements = record.measurements
    verdicts = [v for goal in GOALS if (v := goal.judge(measurements)) is not None]
    print("", *figures(measurements), "", *goals(verdicts), sep="\n")
    is_whole = len(verdicts) == len(GOALS)
    if found and (args.keep or not (args.only or args.seeds or is_stopped)):
        record.write(verdicts, is_whole)
    return 0 if not is_stopped and all(v.is_reached for v in verdicts) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="*", default=[], help="subjects with all of these words")
    parser.add_argument("--seeds", nargs="*", type=int, help="these seeds instead of its own")
    parser.add_argument("--keep", action="store_true", help="put it into results.json")
    return parser.parse_args()


def _command() -> str:
    words = ["bash", "benchmarks/rl/run", *sys.argv[1:]]
    limit = os.environ.get("RACE_LIMIT_S")
    return shlex.join(words if limit is None else [f"RACE_LIMIT_S={limit}", *words])


def _is_asked(args: argparse.Namespace, text: str) -> bool:
    return all(word in text for word in args.only)


def _measure_all(args: argparse.Namespace, found: list[Measurement]) -> None:
    """Put what is asked for into `found`, one after the other."""
    subjects = [s for s in SUBJECTS if _is_asked(args, f"{s.task} {s.name}")]
    most = max((s.num_seeds for s in SUBJECTS), default=0)
    for number, seed in enumerate(args.seeds or range(most)):
        due = [s for s in subjects if args.seeds or seed < s.num_seeds]
        for subject in due if number % 2 == 0 else due[::-1]:
            found.append(_show(measure(subject, seed)))
        if _is_asked(args, COMMAND):
            found.append(_show(measure_command(seed)))
    if _is_asked(args, RUNNERS):
        found += [_show(m) for m in measure_runners()]
    if _is_asked(args, ENV_SPEED):
        found += [_show(m) for m in measure_env_speed()]


def _show(m: Measurement) -> Measurement:
    how = "" if m.reached else "  NOT REACHED"
    print(
        f"  {m.task:<18}{m.subject:<34} seed {m.seed}  {m.learning_s:9.3f} s"
        f"{m.env_steps:12,} steps{m.env_steps_per_s:12,.0f}/s{how}",
        flush=True,
    )
    return m


if __name__ == "__main__":
    sys.exit(main())
