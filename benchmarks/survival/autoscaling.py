"""A job of four workers on a cluster of one node, which grows by Ray's fake provider and shrinks.

`ray.cluster_utils.AutoscalingCluster` begins by ending every Ray of the machine, and needs a file
that Ray's wheel lacks; the same provider is started here by `ray start` with a file of our own.
"""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from nodes import Nodes, wait_until
from runs import Repetition, Told, supervised

CASE = "autoscaler: one node to four and back"
IDLE_MINUTES = 0.2
CONFIG = {
    "cluster_name": "fake",
    "max_workers": 5,
    "upscaling_speed": 10.0,
    "idle_timeout_minutes": IDLE_MINUTES,
    "provider": {"type": "fake_multinode", "launch_multiple": False},
    "head_node_type": "ray.head.default",
    "available_node_types": {
        "ray.head.default": {"resources": {"CPU": 1}, "node_config": {}, "max_workers": 0},
        "worker": {
            "resources": {"CPU": 1, "object_store_memory": 80 * 2**20},
            "node_config": {},
            "min_workers": 0,
            "max_workers": 5,
        },
    },
    "auth": {},
    "file_mounts": {},
    "cluster_synced_files": [],
    "initialization_commands": [],
    "setup_commands": [],
    "head_setup_commands": [],
    "worker_setup_commands": [],
    "head_start_ray_commands": [],
    "worker_start_ray_commands": [],
}
OBSERVER = """
import os, time, ray
ray.init(os.environ["RAY_ADDRESS"], logging_level="ERROR")
while True:
    print(sum(n["Alive"] for n in ray.nodes()), flush=True)
    time.sleep(0.5)
"""


def run_case(folder: Path, repetitions: int, seed: int) -> Told:
    """Grow, run, shrink; again on the same cluster."""
    told, began = Told(CASE), time.monotonic()
    config = folder / "autoscaler.json"
    environment = {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
    with Nodes(environment, head_cpus=1, head_options=[f"--autoscaling-config={config}"]) as nodes:
        provider = dict(CONFIG["provider"]) | {"gcs_address": nodes.address}  # type: ignore[call-overload]
        config.write_text(json.dumps(CONFIG | {"provider": provider}))
        nodes.start_head()
        with (folder / "nodes.txt").open("wb") as seen:
            observer = subprocess.Popen(
                [sys.executable, "-c", OBSERVER], env=nodes.environment, stdout=seen
            )
        try:
            for _ in range(repetitions):
                _grow_run_shrink(told, nodes, folder, random.Random(seed))
        finally:
            observer.kill()
    told.seconds = time.monotonic() - began
    return told


def _grow_run_shrink(told: Told, nodes: Nodes, folder: Path, random_: random.Random) -> None:
    seen = folder / "nodes.txt"

    def counts() -> list[int]:
        return [int(line) for line in seen.read_text().split()]

    wait_until(lambda: counts()[-1:] == [1], 300, "the cluster has one node")
    start = len(counts())
    told.runs += 1
    job = supervised(folder / f"autoscaled-{told.runs}", "4", epochs=10)
    asked = time.monotonic()
    process = job.start("train", job.file, environment=nodes.environment)
    process.wait()
    took_s = time.monotonic() - asked
    wrong = job.is_well()
    most = max(counts()[start:])
    if wrong or most < 4:
        told.lost += bool(wrong)
        told.notes.append(f"run {told.runs}: {wrong or f'grew to {most} nodes only'}")
    ended = time.monotonic()
    try:
        wait_until(lambda: counts()[-1] == 1, 300, "the cluster has shrunk to one node")
    except TimeoutError as error:
        told.notes.append(f"run {told.runs}: {error}; {counts()[-1]} nodes are left")
    first = job.steps.attempts()
    repetition = Repetition(f"{most} nodes", round(took_s, 1))
    if first:
        repetition.gone_on_s = time.monotonic() - ended
    told.repetitions.append(repetition)
