"""Where the seconds of two Ray Train workers go before their first step: stock, and Trivium's way.

    .venv/bin/python benchmarks/ray_startup.py [--repetitions N]

Runs both in turn, each in a process of its own, and prints when each stage was over (seconds since
since the command, smallest and median) and what each process cost in CPU seconds. Wall time
suffers from whatever else runs on the machine, CPU time hardly does. Linux only: reads /proc.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from machine import describe_machine

TIMELINE = "TRIVIUM_STARTUP_TIMELINE"
BEGAN = "TRIVIUM_STARTUP_BEGAN"


def mark(stage: str) -> None:
    """Note that `stage` is over now."""
    line = f"{time.time() - float(os.environ[BEGAN]):.3f} {stage}\n"
    with Path(os.environ[TIMELINE]).open("a") as file:
        file.write(line)


def first_step(settings: dict[str, str]) -> None:
    """The least that counts as a step: a gradient, averaged over the workers."""
    os.environ.update(settings)
    import torch

    mark("training function entered")
    model = torch.nn.Linear(100, 10)
    model(torch.ones(8, 100)).sum().backward()
    torch.distributed.all_reduce(model.weight.grad)
    mark("first step")


def run_stock() -> None:
    """As Ray's own documentation does it, with callbacks that only look at the clock."""
    mark("python started")
    import torch  # noqa: F401

    mark("torch imported")
    import ray
    import ray.train.torch
    from ray.train import RunConfig, ScalingConfig
    from ray.train.v2._internal.execution.callback import ControllerCallback, WorkerGroupCallback

    mark("ray.train.torch imported")
    settings = {name: os.environ[name] for name in (TIMELINE, BEGAN)}

    class Clock(ControllerCallback, WorkerGroupCallback):  # type: ignore[misc]
        def after_controller_start(self, train_run_context: Any) -> None:
            os.environ.update(settings)
            mark("controller started, and its helpers")

        def before_worker_group_start(self, worker_group_context: Any) -> None:
            mark("resources asked for (autoscaling coordinator)")

        def before_init_train_context(self, workers: Any) -> dict[str, Any]:
            mark("worker processes started")
            return {}

        def after_worker_group_start(self, worker_group: Any) -> None:
            mark("train context, process group")

    ray.init(address="local")
    mark("ray.init")
    with tempfile.TemporaryDirectory() as folder:
        ray.train.torch.TorchTrainer(
            first_step,
            train_loop_config=settings,
            scaling_config=ScalingConfig(num_workers=2),
            run_config=RunConfig(storage_path=folder, callbacks=[Clock()]),
        ).fit()
    mark("fit returned")
    ray.shutdown()
    mark("ray.shutdown")


def run_trivium() -> None:
    """The same function through `RayWorkers`."""
    mark("python started")
    from trivium.platform.job import Resources
    from trivium.trainers.supervised.distributed import RayWorkers

    settings = {name: os.environ[name] for name in (TIMELINE, BEGAN)}
    with RayWorkers(2) as workers:
        import torch  # noqa: F401

        mark("torch imported")
        workers._started.wait()
        mark("ray.init")
        resources = Resources(num_workers=2)
        workers.run(lambda payload, _: first_step(payload), settings, resources, name="startup")
        mark("fit returned")
    mark("ray.shutdown")


SUBJECTS = {"stock": run_stock, "trivium": run_trivium}


def measure(subject: str) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds to each stage, CPU seconds of each kind of process, of one run."""
    with tempfile.TemporaryDirectory() as folder:
        timeline = Path(folder) / "timeline"
        began = str(time.time())
        # The marker in the environment finds the processes that Ray puts into other groups.
        environment = os.environ | {TIMELINE: str(timeline), BEGAN: began}
        command = [sys.executable, __file__, "--subject", subject]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        cpu_s: dict[int, tuple[str, float]] = {}
        while process.poll() is None:
            cpu_s |= _cpu_of_marked(f"{TIMELINE}={timeline}".encode(), set(cpu_s))
            time.sleep(0.05)
        if process.returncode != 0:
            sys.exit(f"{' '.join(command)} failed")
        stages: dict[str, float] = {}
        for line in timeline.read_text().splitlines():
            seconds, stage = line.split(" ", 1)
            stages[stage] = max(stages.get(stage, 0.0), float(seconds))  # the later worker
        kinds: dict[str, float] = defaultdict(float)
        for kind, seconds in cpu_s.values():
            kinds[kind] += seconds
        return stages, dict(kinds)


def _cpu_of_marked(mark: bytes, known: set[int]) -> dict[int, tuple[str, float]]:
    found: dict[int, tuple[str, float]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            if pid not in known and mark not in (folder / "environ").read_bytes():
                continue
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            words = (folder / "cmdline").read_text().split("\0")
        except OSError:
            continue  # ended meanwhile
        if not words[0]:
            continue  # a process that has ended keeps its last figures
        ticks = int(fields[11]) + int(fields[12])
        found[pid] = (_kind(words), ticks / os.sysconf("SC_CLK_TCK"))
    return found


def _kind(words: list[str]) -> str:
    """What a process is, in a word or two."""
    if words[0].startswith("ray::"):
        name = words[0].removeprefix("ray::").split(".")[0].strip()
        return "RayTrainWorker" if name.startswith("execute") else name
    script = next((w for w in words[1:4] if w.endswith(".py")), words[0])
    if "--subject" in words:
        return "driver"
    if "multiprocessing" in " ".join(words):
        return "dashboard"
    return Path(script).stem


def main() -> None:
    """Measure in turn and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--subject", choices=SUBJECTS)
    args = parser.parse_args()
    if args.subject:
        SUBJECTS[args.subject]()
        return
    print(f"{describe_machine()}; load {os.getloadavg()[0]:.1f}")
    runs: dict[str, list[tuple[dict[str, float], dict[str, float]]]] = defaultdict(list)
    for _ in range(args.repetitions):
        for subject in SUBJECTS:
            runs[subject].append(measure(subject))
    for subject, found in runs.items():
        print(f"\n{subject}: seconds since the command, smallest and median")
        for stage in found[0][0]:
            seconds = [stages[stage] for stages, _ in found]
            print(f"  {stage:<48}{min(seconds):6.1f}{median(seconds):6.1f}")
        print("  CPU seconds, median")
        kinds = {kind for _, cpu in found for kind in cpu}
        medians = {kind: median([cpu.get(kind, 0.0) for _, cpu in found]) for kind in kinds}
        for kind, seconds in sorted(medians.items(), key=lambda item: -item[1]):
            if seconds >= 0.1:
                print(f"    {kind:<46}{seconds:6.1f}")
        print(f"    {'all':<46}{median([sum(cpu.values()) for _, cpu in found]):6.1f}")


if __name__ == "__main__":
    main()
