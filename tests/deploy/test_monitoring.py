"""The dashboard asks for series that exist, and nothing of it is open to other machines."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from trivium.platform.ray_tracker import GAUGES

FOLDER = Path(__file__).parents[2] / "deploy" / "monitoring"
OTHERS = {"trivium_checkpoint_seconds_bucket", "trivium_restarts_total"}
"""A histogram and a counter, as Prometheus names their series."""
OF_RAY = {"ray_node_cpu_utilization", "ray_node_mem_used", "ray_node_gpus_utilization"}


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / "grafana" / "trivium.json").read_text())
    return read


def test_every_panel_asks_for_a_series_that_is_set() -> None:
    known = {f"ray_{name}" for name in {*GAUGES, *OTHERS}} | OF_RAY
    asked = set()
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            asked |= set(re.findall(r"ray_\w+", target["expr"]))
    assert asked <= known
    for name in ("samples_per_s", "env_steps_per_s", "loss", "return_mean", "gradient_norm"):
        assert f"ray_trivium_{name}" in asked
    assert {f"ray_{name}" for name in OTHERS} <= asked


def test_panels_do_not_overlap_and_ids_differ() -> None:
    panels = dashboard()["panels"]
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_all_files_speak_of_the_same_source() -> None:
    sources = yaml.safe_load((FOLDER / "grafana" / "datasources.yaml").read_text())["datasources"]
    used = {panel["datasource"]["uid"] for panel in dashboard()["panels"]}
    assert used == {source["uid"] for source in sources}


def test_both_servers_listen_on_loopback_alone() -> None:
    services = yaml.safe_load((FOLDER / "docker-compose.yaml").read_text())["services"]
    assert "--web.listen-address=127.0.0.1:9090" in services["prometheus"]["command"]
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"


def test_compose_mounts_the_files_that_are_here() -> None:
    services = yaml.safe_load((FOLDER / "docker-compose.yaml").read_text())["services"]
    mounts = [v.split(":")[0] for s in services.values() for v in s["volumes"]]
    files = [FOLDER / mount for mount in mounts if mount.startswith("./")]
    assert len(files) == 4
    assert all(file.is_file() for file in files)
