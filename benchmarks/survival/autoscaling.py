"""A job of four workers on a cluster of one node, which grows by Ray's fake provider and shrinks.

`ray.cluster_utils.AutoscalingCluster` begins by ending every Ray of the machine, and needs a file
that Ray's wheel lacks; the same provider is started here by `ray start` with a file of our own.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from nodes import Nodes, wait_until
from ray.autoscaler._private.fake_multi_node.node_provider import (
    FAKE_HEAD_NODE_ID,
    FakeMultiNodeProvider,
)
from runs import Repetition, Told, supervised

CASE = "autoscaler: one node to four and back"
IDLE_MINUTES = 0.2
CONFIG = {
    "cluster_name": "fake",
    "max_workers": 5,
    "upscaling_speed": 10.0,
    "idle_timeout_minutes": IDLE_MINUTES,
    "provider": {
        "type": "external",  # for `fake_multinode` Ray opens a file that its wheel lacks
        "module": f"{FakeMultiNodeProvider.__module__}.{FakeMultiNodeProvider.__name__}",
        "launch_multiple": True,
        "head_node_id": FAKE_HEAD_NODE_ID,
        "use_node_id_as_ip": True,  # all have the same
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
    },
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
ray.init(os.environ["RAY_ADDRESS"], logging_level="ERROR", log_to_driver=False)
while True:
    print(sum(n["Alive"] for n in ray.nodes()), flush=True)
    time.sleep(0.5)
"""


def run_case(told: Told, folder: Path, repetitions: int, seed: int) -> None:
    """Grow, run, shrink; again on the same cluster."""
    config = folder / "autoscaler.json"
    environment = {
        "RAY_FAKE_CLUSTER": "1",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_enable_autoscaler_v2": "1",  # what `ray up` starts
        "RAY_CLOUD_INSTANCE_ID": FAKE_HEAD_NODE_ID,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID,
    }
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
                _grow_run_shrink(told, nodes, folder)
        finally:
            observer.kill()
            observer.wait()


def _grow_run_shrink(told: Told, nodes: Nodes, folder: Path) -> None:
    seen = folder / "nodes.txt"

    def counts() -> list[int]:
        return [int(line) for line in seen.read_text().splitlines() if line.isdigit()]

    wait_until(lambda: counts()[-1:] == [1], 300, "the cluster has one node")
    start = len(counts())
    told.runs += 1
    job = supervised(folder / f"autoscaled-{told.runs}", "4", epochs=10)
    asked = time.time()
    process = job.start("train", job.file, environment=nodes.environment)
    process.wait()
    took_s = time.time() - asked
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
    what = f"{most} nodes; one again {time.monotonic() - ended:.0f} s after the end"
    repetition = Repetition(what, round(took_s, 1))
    if attempts := job.steps.attempts():
        repetition.gone_on_s = round(attempts[0].times[0] - asked, 1)
    told.repetitions.append(repetition)
