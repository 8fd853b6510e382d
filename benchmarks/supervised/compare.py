"""Trivium and its peers side by side in one go: prints tables, exits 1 when a goal is missed.

    bash benchmarks/supervised/run [--quick] [--only WORD ...] [--repetitions N]

Every repetition runs each subject once, one after the other and nothing beside it; every second
one in reverse order, so that a machine that slows down is no one's disadvantage. Ratios are taken
within a repetition, and their median counts. A whole run is written to results.json.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from goals import GOALS, Verdict
from machine import load_average, machine
from memory import measure_memory
from rows import write_digits
from subjects import HERE, PEERS, ROOT, Measurement, Subject, measure

RESULTS = HERE / "results.json"
ROWS = {"cnn": 12_800, "mlp": 51_200}  # whole batches of 128: no subject has a smaller last one
EPOCHS = {"cnn": 3, "mlp": 5}
PEER_NAMES = ("limit", "trivium", "plain", "plain, 2 loaders", "lightning")
ONE_WORKER = tuple(Subject(name, n, EPOCHS[n]) for n in ROWS for name in PEER_NAMES)
TWO_WORKERS = (
    Subject("trivium, 1 worker of 1 thread", "cnn", epochs=3, threads=1),
    Subject("trivium, 2 workers of 1 thread", "cnn", epochs=3, num_workers=2, threads=1),
    Subject("ray train", "cnn", epochs=2, num_workers=2),
)


def main() -> int:
    """Measure, print, write; the exit code."""
    args = _arguments()
    began = time.perf_counter()
    facts = machine(PEERS) | {"load_average_before": round(load_average(), 2)}
    if facts["load_average_before"] > 0.5:
        print(f"warning: other work runs here (load {facts['load_average_before']}): noisy figures")
    subprocess.run([sys.executable, str(HERE / "same_networks.py")], check=True)
    with tempfile.TemporaryDirectory(prefix=".work-", dir=HERE) as folder:
        work = Path(folder)
        repetitions, cold = _measure_all(args, work)
        memory = None if args.quick or args.only else _memory(work)
    verdicts = [v for goal in GOALS if (v := goal.judge(repetitions)) is not None]
    is_reached = all(v.is_reached for v in verdicts) and (
        memory is None or memory["peak_bytes"] <= memory["limit_bytes"]
    )
    _print_figures(repetitions, cold)
    _print_verdicts(verdicts, memory)
    record = {
        "command": shlex.join(["bash", "benchmarks/supervised/run", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "machine": facts,
        "whole_s": round(time.perf_counter() - began),
        "all_reached": is_reached,
        "goals": [v.as_dict() for v in verdicts],
        "first_step_s_without_cache": cold,
        "memory": memory,
        "repetitions": [[m.as_dict() for m in repetition] for repetition in repetitions],
    }
    if not (args.quick or args.only):
        RESULTS.write_text(json.dumps(record, indent=1) + "\n")
        print(f"written to {RESULTS.relative_to(ROOT)} after {record['whole_s']} s")
    return 0 if is_reached else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a minute's worth, nothing written")
    parser.add_argument("--only", nargs="*", default=[], help="subjects with any of these words")
    parser.add_argument("--repetitions", type=int, default=4)
    return parser.parse_args()


def _measure_all(
    args: argparse.Namespace, work: Path
) -> tuple[list[list[Measurement]], float | None]:
    """All repetitions, and the seconds to the first step of a Trivium whose data cache is empty."""
    subjects = _subjects(args)
    for network in {s.network for s in subjects}:
        write_digits(work / network, ROWS[network])
    if not subjects:
        sys.exit(f"no subject has {' or '.join(args.only)} in its name")
    num_repetitions = 1 if args.quick else args.repetitions
    print(f"{len(subjects)} subjects, {num_repetitions} times", flush=True)
    # Unmeasured: brings files of both environments into the file cache.
    warm_up = [s for s in subjects if s.name in ("plain", "trivium")][:2]
    for subject in warm_up:
        measure(replace(subject, epochs=1), work)
    cold = _without_cache(subjects, work)
    repetitions: list[list[Measurement]] = []
    for number in range(num_repetitions):
        order = subjects if number % 2 == 0 else subjects[::-1]
        if number >= 3:  # the slow ones three times: Ray Train takes most of a minute
            order = [s for s in order if s not in TWO_WORKERS]
        repetitions.append(list(_repetition(order, work)))
    return repetitions, cold


def _subjects(args: argparse.Namespace) -> list[Subject]:
    chosen = [*ONE_WORKER, *(() if args.quick else TWO_WORKERS)]
    if args.quick:
        chosen = [replace(s, epochs=2) for s in chosen if s.name != "plain, 2 loaders"]
    words = args.only or [""]
    return [s for s in chosen if any(w in f"{s.network} {s.name}" for w in words)]


def _without_cache(subjects: Sequence[Subject], work: Path) -> float | None:
    ours = next((s for s in subjects if s.name == "trivium"), None)
    if ours is None:
        return None
    (work / "cache").rename(work / "cache-set-aside")
    found = measure(replace(ours, epochs=1), work).first_step_s
    # Each network's data is prepared now, so that all measured runs find it.
    for subject in {s.network: s for s in subjects if s.name.startswith("trivium")}.values():
        measure(replace(subject, epochs=1, num_workers=1), work)
    return round(found, 2)


def _repetition(subjects: Iterable[Subject], work: Path) -> Iterable[Measurement]:
    for subject in subjects:
        found = measure(subject, work)
        print(
            f"  {found.network}  {found.subject:<32}{found.samples_per_s:>10,.0f} samples/s"
            f"   first step after {found.first_step_s:5.1f} s",
            flush=True,
        )
        yield found


def _memory(work: Path) -> dict[str, Any]:
    print("  4 GB of Parquet", flush=True)
    return measure_memory(work, gigabytes=4.0)


def _print_figures(repetitions: Sequence[Sequence[Measurement]], cold: float | None) -> None:
    print(f"\n{'medians':<40}{'samples/s':>10}{'first step':>13}{'whole':>10}")
    found: dict[tuple[str, str], list[Measurement]] = {}
    for measurement in (m for repetition in repetitions for m in repetition):
        found.setdefault((measurement.network, measurement.subject), []).append(measurement)
    for (network, subject), several in sorted(found.items(), key=lambda item: item[0][0]):
        rate, first, whole = (
            median(getattr(m, figure) for m in several)
            for figure in ("samples_per_s", "first_step_s", "whole_s")
        )
        print(f"{network}  {subject:<35}{rate:>10,.0f}{first:>11.1f} s{whole:>8.1f} s")
    if cold is not None:
        print(f"     trivium with an empty data cache {'':>11}{cold:>11.1f} s")


def _print_verdicts(verdicts: Sequence[Verdict], memory: dict[str, Any] | None) -> None:
    print(f"\n{'ratio':<62}{'median (range)':<22}{'goal':<9}")
    for what, spread, bound, verdict in (v.row() for v in verdicts):
        print(f"{what:<62}{spread:<22}{bound:<9}{verdict}")
    if memory is not None:
        peak, size, limit = (
            memory[key] / 2**30 for key in ("peak_bytes", "file_bytes", "limit_bytes")
        )
        verdict = "reached" if peak <= limit else "MISSED"
        what = f"resident memory, {size:.1f} GB of Parquet"
        print(f"{what:<62}{f'{peak:.2f} GB':<22}{f'<= {limit}':<9}{verdict}")


if __name__ == "__main__":
    sys.exit(main())
