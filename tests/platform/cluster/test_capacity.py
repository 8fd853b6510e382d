"""What a job asks for against what a cluster has and could grow to."""

from pathlib import Path

import pytest

from trivium.platform.cluster.capacity import Capacity, NodeKind
from trivium.platform.cluster.demand import Demand, demand_of
from trivium.platform.cluster.following import waiting_reason, why_waiting
from trivium.platform.job import Job, open_job, read_job

FOUR = Capacity(nodes=[{"CPU": 4.0, "GPU": 0.0}], used={"CPU": 1.0})
GROWING = Capacity(
    nodes=[{"CPU": 4.0, "GPU": 0.0}], used={"CPU": 4.0}, kinds=[NodeKind("rollouts", {"CPU": 4}, 2)]
)


def job(tmp_path: Path, resources: str, text: str = "algorithm: {name: supervised}") -> Job:
    file = tmp_path / "job.yaml"
    data = "dataset: {source: breast-cancer}\nmodel: {name: mlp}\n"
    file.write_text(f"{data}{text}\nresources: {resources}\n")
    return read_job(open_job(file))


@pytest.mark.parametrize(
    ("verb", "resources", "text"),
    [
        ("train", "{}", "the command x 1 CPU"),
        ("train", "{cpus_per_worker: 3, gpus_per_worker: 1}", "the command x 3 CPUs and 1 GPU"),
        ("train", "{num_workers: 4, cpus_per_worker: 2}", "8 CPUs (4 workers x 2 CPUs)"),
        ("train", "{num_workers: {min: 2, max: 4}}", "2 CPUs (2 to 4 workers x 1 CPU)"),
        ("evaluate", "{num_workers: 4, cpus_per_worker: 2}", "the command x 2 CPUs"),
    ],
)
def test_a_job_says_what_it_will_ask(tmp_path: Path, verb: str, resources: str, text: str) -> None:
    assert str(demand_of(verb, job(tmp_path, resources), has_gpus=False)) == text


def test_a_gpu_is_asked_where_there_are_some(tmp_path: Path) -> None:
    assert demand_of("train", job(tmp_path, "{}"), has_gpus=True).command == {"CPU": 1, "GPU": 1}


def test_runners_of_environments_are_asked_besides_the_learner(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(
        "env: {id: CartPole-v1, num_envs: 4}\nmodel: {name: mlp}\nalgorithm: {name: ppo}\n"
        "stop: {env_steps: 1000}\nresources: {num_env_runners: 2}\n"
    )
    demand = demand_of("train", read_job(open_job(file)), has_gpus=False)
    assert str(demand) == "3 CPUs (the command x 1 CPU + 2 environment runners x 1 CPU)"


def test_a_shortage_names_both_numbers(tmp_path: Path) -> None:
    eight = demand_of("train", job(tmp_path, "{num_workers: 4, cpus_per_worker: 2}"), False)
    assert FOUR.shortage(eight) == "asked 8 CPUs, the cluster has 4"
    assert GROWING.growth(eight) == "its autoscaler may add up to 2 x rollouts (4 CPUs)"
    assert GROWING.could_hold(eight)
    assert not FOUR.could_hold(eight)
    assert FOUR.growth(eight) == "no autoscaler adds nodes to it"


def test_a_share_must_lie_on_one_node() -> None:
    spread = Capacity(nodes=[{"CPU": 4.0}, {"CPU": 4.0}], used={})
    assert spread.shortage(Demand({"CPU": 6.0})) == "no node has 6 CPUs for the command"
    assert not spread.could_hold(Demand({"CPU": 6.0}))


def test_what_grows_but_not_enough_says_so() -> None:
    assert GROWING.growth(Demand({"CPU": 40.0})) == (
        "its autoscaler may add up to 2 x rollouts (4 CPUs), which is not enough"
    )


def test_a_pending_job_says_why() -> None:
    busy = Capacity(nodes=[{"CPU": 4.0, "GPU": 0.0}], used={"CPU": 4.0}, starting={"rollouts": 2})
    info = {"status": "PENDING", "message": "Job has not started yet."}
    lacking = waiting_reason({"CPU": 2.0})(busy)
    assert why_waiting(info, busy, lacking) == (
        "pending: asked 2 CPUs, and others use what there is; the cluster has 4 CPUs on 1 node, "
        "0 CPUs free; the autoscaler starts 2 x rollouts"
    )
    assert why_waiting({"status": "RUNNING"}, FOUR, None) is None


def test_a_failed_machine_is_named() -> None:
    failed = Capacity(nodes=[], used={}, failures=["gpu: InsufficientInstanceCapacity"])
    info = {"status": "PENDING", "message": "Job has not started yet."}
    assert why_waiting(info, failed, "asked 1 CPU and 1 GPU, more than there is") == (
        "pending: asked 1 CPU and 1 GPU, more than there is; the cluster has 0 CPUs on 0 nodes, "
        "0 CPUs free; nodes that failed to start: gpu: InsufficientInstanceCapacity"
    )
