"""Trivium and its peers side by side in one go: prints tables, exits 1 when a goal is missed.

    bash benchmarks/supervised/run [--quick] [--only PART ...] [--repetitions N]

Every repetition of a part runs each of its subjects once, one after the other and nothing beside
it; every second one in reverse order, so that a machine that slows down is no one's disadvantage.
Ratios are taken within a repetition, and their median counts. results.json keeps what each part
measured last, so that one can be measured again without the others.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
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
EPOCHS = {"cnn": 4, "mlp": 9}
PEER_NAMES = ("limit", "trivium", "plain", "plain, 2 loaders", "lightning")
PARTS = {
    "cnn": tuple(Subject(name, "cnn", EPOCHS["cnn"]) for name in PEER_NAMES),
    "mlp": tuple(Subject(name, "mlp", EPOCHS["mlp"]) for name in PEER_NAMES),
    "two-workers": (
        Subject("trivium, 1 worker of 1 thread", "cnn", epochs=4, threads=1),
        Subject("trivium, 2 workers of 1 thread", "cnn", epochs=4, num_workers=2, threads=1),
        Subject("limit, 2 processes of 1 thread", "cnn", epochs=4, threads=1),
        Subject("ray train", "cnn", epochs=2, num_workers=2),
    ),
}
MEMORY = "memory"


def main() -> int:
    """Measure, print, write; the exit code."""
    args = _arguments()
    if (load := load_average()) > 0.5:
        print(f"warning: other work runs here (load {load:.1f}): noisy figures")
    subprocess.run([sys.executable, str(HERE / "same_networks.py")], check=True)
    is_reached = True
    with tempfile.TemporaryDirectory(prefix=".work-", dir=HERE) as folder:
        for part in args.only or (["cnn", "mlp"] if args.quick else [*PARTS, MEMORY]):
            record = _measure_part(part, args, Path(folder))
            is_reached = is_reached and record["reached"]
            if not args.quick:
                _keep(part, record)
    return 0 if is_reached else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a minute's worth, nothing written")
    parser.add_argument("--only", nargs="*", default=[], choices=[*PARTS, MEMORY])
    parser.add_argument("--repetitions", type=int, default=3)
    return parser.parse_args()


def _measure_part(part: str, args: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Run it and print its tables; what goes into results.json."""
    began = time.perf_counter()
    found: dict[str, Any] = {
        "command": shlex.join(["bash", "benchmarks/supervised/run", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "load_average_before": round(load_average(), 2),
    }
    if part == MEMORY:
        print("== 4 GB of Parquet", flush=True)
        found |= measure_memory(work, gigabytes=4.0)
        found["reached"] = found["peak_bytes"] <= found["limit_bytes"]
        _print_memory(found)
    else:
        repetitions, cold = _measure_subjects(part, args, work)
        verdicts = [v for goal in GOALS if (v := goal.judge(repetitions)) is not None]
        found["reached"] = all(v.is_reached for v in verdicts)
        found["goals"] = [v.as_dict() for v in verdicts]
        found["first_step_s_without_cache"] = cold
        found["repetitions"] = [[m.as_dict() for m in repetition] for repetition in repetitions]
        _print_figures(repetitions, cold)
        _print_verdicts(verdicts)
    return found | {"whole_s": round(time.perf_counter() - began)}


def _keep(part: str, record: dict[str, Any]) -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    parts = results.get("parts", {}) | {part: record}
    results = {
        "machine": machine(PEERS),
        "parts": {p: parts[p] for p in [*PARTS, MEMORY] if p in parts},
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(f"written to {RESULTS.relative_to(ROOT)} after {record['whole_s']} s")


def _measure_subjects(
    part: str, args: argparse.Namespace, work: Path
) -> tuple[list[list[Measurement]], float | None]:
    """All repetitions, and the seconds to the first step of a Trivium whose data cache is empty."""
    subjects = list(PARTS[part])
    if args.quick:
        subjects = [replace(s, epochs=2) for s in subjects if s.name != "plain, 2 loaders"]
    repetitions = 1 if args.quick else args.repetitions
    print(f"== {part}: {len(subjects)} subjects, {repetitions} times", flush=True)
    network = subjects[0].network
    if not (work / network).exists():
        write_digits(work / network, ROWS[network])
    cold = _without_cache(subjects, work)
    orders = [subjects if number % 2 == 0 else subjects[::-1] for number in range(repetitions)]
    return [list(_repetition(order, work)) for order in orders], cold


def _without_cache(subjects: Sequence[Subject], work: Path) -> float | None:
    """Unmeasured: brings files into the system's cache. Then measured: the data is prepared."""
    ours = next(s for s in subjects if s.name.startswith("trivium"))
    measure(replace(ours, epochs=1, num_workers=1), work)
    if ours.name != "trivium":
        return None
    shutil.rmtree(work / "cache")
    return round(measure(replace(ours, epochs=1), work).first_step_s, 2)


def _repetition(subjects: Iterable[Subject], work: Path) -> Iterable[Measurement]:
    for subject in subjects:
        found = measure(subject, work)
        print(
            f"  {found.network}  {found.subject:<32}{found.samples_per_s:>10,.0f} samples/s"
            f"   first step after {found.first_step_s:5.1f} s",
            flush=True,
        )
        yield found


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


def _print_verdicts(verdicts: Sequence[Verdict]) -> None:
    print(f"\n{'ratio':<62}{'median (range)':<22}{'goal':<9}")
    for what, spread, bound, verdict in (v.row() for v in verdicts):
        print(f"{what:<62}{spread:<22}{bound:<9}{verdict}")


def _print_memory(found: Mapping[str, Any]) -> None:
    peak, size, limit = (found[key] / 2**30 for key in ("peak_bytes", "file_bytes", "limit_bytes"))
    verdict = "reached" if found["reached"] else "MISSED"
    what = f"resident memory, {size:.1f} GB of Parquet"
    print(f"{what:<62}{f'{peak:.2f} GB':<22}{f'<= {limit}':<9}{verdict}")


if __name__ == "__main__":
    sys.exit(main())
