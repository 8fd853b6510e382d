"""The files that start clusters elsewhere: valid for what reads them, and in step with the tree."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT.parent / "shared" / "kuberay-schemas"
CLOUDS = ("cluster.yaml", "deploy/gcp.yaml")
MANIFESTS = ("ray-cluster", "ray-job", "ray-service")


def launcher(file: str) -> dict[str, Any]:
    """The launcher's configuration as `ray up` reads it, with Ray's defaults filled in."""
    from ray.autoscaler._private.util import prepare_config

    prepared: dict[str, Any] = prepare_config(yaml.safe_load((ROOT / file).read_text()))
    return prepared


def manifest(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / f"deploy/kubernetes/{name}.yaml").read_text())
    return read


@pytest.mark.parametrize("file", [*CLOUDS, "deploy/local.yaml"])
def test_ray_up_takes_the_file(file: str) -> None:
    from ray.autoscaler._private.util import validate_config

    validate_config(launcher(file))


@pytest.mark.parametrize("file", CLOUDS)
def test_ray_up_refuses_the_file_with_a_misspelt_setting(file: str) -> None:
    """The check above sees mistakes at all."""
    import jsonschema
    from ray.autoscaler._private.util import validate_config

    config = launcher(file)
    config["available_node_types"]["gpu"]["max_worker"] = 3
    with pytest.raises(jsonschema.ValidationError, match="max_worker"):
        validate_config(config)


@pytest.mark.parametrize("file", CLOUDS)
def test_a_cloud_scales_from_zero_with_spot_before_on_demand(file: str) -> None:
    kinds = launcher(file)["available_node_types"]
    assert kinds["head"]["resources"] == {"CPU": 0}, "work stays away from the head"
    for name in ("rollouts", "gpu"):
        spot, fallback = kinds[name], kinds[f"{name}-on-demand"]
        assert spot["min_workers"] == fallback["min_workers"] == 0
        assert spot["resources"] == fallback["resources"], "one can stand in for the other"
        assert spot["priority"] > fallback["priority"]
        assert "spot" in str(spot["node_config"]).lower()
        assert "spot" not in str(fallback["node_config"]).lower()
    assert "GPU" not in kinds["rollouts"]["resources"]
    assert kinds["gpu"]["resources"]["GPU"] == 1


def test_the_autoscaler_prefers_spot_and_falls_back_when_it_fails_to_start() -> None:
    """Ray's own scheduler, given the node kinds of cluster.yaml."""
    from ray.autoscaler.v2.scheduler import ResourceDemandScheduler

    nodes = {"rollouts": 10, "rollouts-on-demand": 0}
    assert chosen(ResourceDemandScheduler, nodes, failed=()) == "rollouts"
    assert chosen(ResourceDemandScheduler, nodes, failed=("rollouts",)) == "rollouts-on-demand"


def chosen(scheduler: Any, priorities: dict[str, int], failed: tuple[str, ...]) -> str:
    from ray.autoscaler.v2.scheduler import (
        ResourceRequestSource,
        SchedulingNode,
        SchedulingNodeStatus,
    )
    from ray.autoscaler.v2.utils import ResourceRequestUtil

    kinds = launcher("cluster.yaml")["available_node_types"]
    nodes = [
        SchedulingNode(
            node_type=name,
            status=SchedulingNodeStatus.TO_LAUNCH,
            total_resources=dict(kinds[name]["resources"]),
            available_resources=dict(kinds[name]["resources"]),
            labels={},
            priority=kinds[name]["priority"],
        )
        for name in reversed(priorities)
    ]
    recovered = dict.fromkeys(failed, 0.0)
    best, _, _ = scheduler._sched_best_node(
        [ResourceRequestUtil.make({"CPU": 16})],
        nodes,
        ResourceRequestSource.PENDING_DEMAND,
        {},
        recovered,
    )
    return str(best.node_type)


@pytest.mark.parametrize("file", [*CLOUDS, "deploy/local.yaml"])
def test_every_node_wants_the_token_and_the_dashboard_is_not_open(file: str) -> None:
    config = launcher(file)
    head, worker = config["head_start_ray_commands"], config["worker_start_ray_commands"]
    assert all("RAY_AUTH_MODE=token" in commands[-1] for commands in (head, worker))
    assert "--dashboard-host=127.0.0.1" in head[-1]
    assert ("trivium.platform.cluster.spot" in worker[-1]) == (file in CLOUDS)
    assert any(path.endswith(".ray/auth_token") for path in config["file_mounts"])


@pytest.mark.parametrize("name", MANIFESTS)
def test_kuberay_takes_the_manifest(name: str) -> None:
    import json

    import jsonschema

    if not SCHEMAS.is_dir():
        pytest.skip(f"KubeRay's schemas are not in {SCHEMAS}")
    read = manifest(name)
    schema = json.loads((SCHEMAS / f"{read['kind']}.v1.schema.json").read_text())
    jsonschema.validate(read, schema)
    read["spec"]["rayversion"] = "2.60.0"
    with pytest.raises(jsonschema.ValidationError, match="rayversion"):
        jsonschema.validate(read, schema)


@pytest.mark.parametrize("name", MANIFESTS)
def test_kubernetes_starts_the_ray_that_is_locked_and_wants_a_token(name: str) -> None:
    locked = re.search(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    spec = manifest(name)["spec"]
    cluster = spec.get("rayClusterSpec") or spec.get("rayClusterConfig") or spec
    assert locked is not None
    assert cluster["rayVersion"] == locked[1]
    assert cluster["authOptions"] == {"mode": "token"}


def test_the_dockerfile_installs_as_the_makefile_does() -> None:
    makefile = list(pip_lines((ROOT / "Makefile").read_text(), r"\$\(BIN\)/python"))
    docker = (ROOT / "deploy/Dockerfile").read_text().replace("\\\n    && ", "\nRUN ")
    image = list(
        pip_lines(docker.replace("${TORCH_INDEX:+--index-url $TORCH_INDEX} ", ""), "python")
    )
    expected = [
        line.replace("--editable '.[dev]'", "'.[all]'")  # an image is not worked in
        for line in makefile
    ]
    assert image == expected
    assert len(image) == 3


def pip_lines(text: str, python: str) -> Iterator[str]:
    """What each `python -m pip install --quiet` of a file installs, in order."""
    for match in re.finditer(python + r" -m pip install --quiet (.+)", text):
        yield match[1].strip()


def test_the_dockerfile_copies_what_the_wheel_is_built_from() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rooms = project["tool"]["hatch"]["build"]["only-include"]
    text = (ROOT / "deploy/Dockerfile").read_text()
    copied = {match[1] for match in re.finditer(r"^COPY (\S+) \1$", text, re.MULTILINE)}
    assert set(rooms) <= copied
    ignored = (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines()
    assert {f"!{room}" for room in rooms} <= set(ignored)
