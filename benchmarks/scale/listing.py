"""How long `trivium runs` takes when the store has ten thousand runs."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from goals import Found, Goal
from processes import HERE as SWEEPS
from processes import run, trivium
from training import write_job

NUM_RUNS = 10_000
SWEEP_EVERY, FAILED_EVERY = 100, 20
"""Each hundredth run is a sweep, each twentieth one that ended without a result."""
WITHIN_S = 2.0
COMMANDS = {"runs": (), "runs --all": ("--all",), "runs --json": ("--json",)}
SWEEP = """\
algorithm: {{name: "{file}:Parabola"}}
tune:
  num_trials: 10
  max_concurrent: 2
  final: {{top: 0}}
  space: {{algorithm.x: {{uniform: [-5, 5]}}}}
"""
READ = ("job.yaml", "run.json", "metrics.jsonl", "result.json", "sweep.json", "log.txt")


def listing(repetitions: int = 3, num_runs: int = NUM_RUNS) -> Found:
    """Whole processes; cold is with no run's file in the system's memory.

    The store remembers rows: `first` is the one time that it has none yet, cold too.
    """
    with tempfile.TemporaryDirectory(prefix="trivium-scale-") as name:
        folder = Path(name)
        store = folder / "many"
        _fill(store, _made_by_commands(folder), num_runs)
        times: dict[str, dict[str, list[float]]] = {c: {"cold": [], "warm": []} for c in COMMANDS}
        in_memory = []
        times["runs --all"] = {"first": []} | times["runs --all"]
        for _ in range(repetitions):
            for command, words in COMMANDS.items():
                for state in times[command]:
                    if state == "first":
                        (store / ".rows.json").unlink(missing_ok=True)
                    if state != "warm":
                        in_memory.append(_forget(store))
                    ran = run(trivium("runs", *words, "--store", str(store)), folder)
                    times[command][state].append(round(ran.seconds, 3))
                _demand(ran.output, command, num_runs)
        for command, of in times.items():
            print(f"  {command:<12} {of}", flush=True)
    goals = [
        Goal(f"trivium {c}, {num_runs:,} runs, {state}: seconds", median(taken), at_most=WITHIN_S)
        for c, of in times.items()
        for state, taken in of.items()
        if state != "first"
    ]
    medians = {c: {s: median(t) for s, t in of.items()} for c, of in times.items()}
    return Found(
        goals,
        {
            "runs": num_runs,
            "share_in_memory_before_cold": round(max(in_memory), 3),
            "medians_s": medians,
            "seconds": times,
        },
    )


def _made_by_commands(folder: Path) -> tuple[Path, Path]:
    """A run and a sweep."""
    (folder / "job").mkdir()
    job, sweep = write_job(folder / "job", 1, 2500), folder / "parabola.yaml"
    sweep.write_text(SWEEP.format(file=SWEEPS / "parabola.py"))
    store = folder / "runs"
    run(trivium("train", str(job), "--store", str(store)), folder)
    run(trivium("tune", str(sweep), "--store", str(store)), folder)
    return store / "empty-1", store / "parabola-2"


def _fill(store: Path, made: tuple[Path, Path], num_runs: int) -> None:
    """Copies, each with its own id and time, of the files that a list may read.

    Checkpoints and pages, which no list reads, are left out.
    """
    train, sweep = made

    def left_out(_folder: str, names: list[str]) -> list[str]:
        return [n for n in names if "." in n and n not in READ]

    for number in range(1, num_runs + 1):
        made_by = sweep if number % SWEEP_EVERY == 0 else train
        name = f"{made_by.name.rpartition('-')[0]}-{number}"
        path = store / name
        shutil.copytree(
            made_by,
            path,
            ignore=lambda d, names: [*left_out(d, names), "checkpoints", "tensorboard", "workers"],
        )
        info: dict[str, Any] = json.loads((path / "run.json").read_text())
        minute, hour = number % 60, number // 60 % 24
        info |= {"id": name, "started": f"2026-03-01T{hour:02}:{minute:02}:00.000Z"}
        if number % FAILED_EVERY == 1:
            info |= {"status": "failed", "error": "RunFailed: worker 1 died"}
            (path / "result.json").unlink(missing_ok=True)
        (path / "run.json").write_text(json.dumps(info, indent=2))
    os.sync()  # what is not on the disk yet cannot be forgotten


def _forget(store: Path) -> float:
    """Have the system give up its copies of the files; the share that it still has of a hundredth.

    Names and sizes stay in memory: forgetting those takes rights that a user has not.
    """
    kept, seen = 0, 0
    for folder, _, names in os.walk(store):
        for name in names:
            file = os.open(os.path.join(folder, name), os.O_RDONLY)
            try:
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                if name == "run.json" and folder.endswith("77"):  # to look brings the file back
                    seen, kept = seen + 1, kept + _is_in_memory(file)
            finally:
                os.close(file)
    return kept / seen


def _is_in_memory(file: int) -> bool:
    try:
        return os.preadv(file, [bytearray(1)], 0, os.RWF_NOWAIT) == 1
    except BlockingIOError:
        return False


def _demand(output: str, command: str, num_runs: int) -> None:
    """The command listed what it should."""
    found = {
        "runs": f"20 of {num_runs:,} runs" in output,
        "runs --all": output.count("\n") >= num_runs,
        "runs --json": output.count('"started"') >= num_runs,
    }
    if not found[command]:
        raise SystemExit(f"trivium {command} printed:\n{output[-2000:]}")
