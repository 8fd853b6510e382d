"""Which ends of workers begin a training anew, and what is told of them."""

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray")
from ray.exceptions import ActorUnavailableError, OutOfMemoryError
from ray.train.v2._internal.exceptions import (
    WorkerGroupStartupTimeoutError,
    WorkerHealthCheckFailedError,
)
from ray.train.v2._internal.execution.failure_handling import FailureDecision
from ray.train.v2.api.exceptions import ControllerError, WorkerGroupError

from trivium.platform.errors import RunFailed, UserError
from trivium.trainers.supervised.notice import Leaving
from trivium.trainers.supervised.perseverance import MOST_IN_A_ROW, GoOn
from trivium.trainers.supervised.room import num_fitting
from trivium.trainers.supervised.witness import Witness
from trivium.trainers.supervised.worker_failure import WorkerFailure, explain

RETRY, RAISE = FailureDecision.RETRY, FailureDecision.RAISE
DEATH = WorkerHealthCheckFailedError("no answer", RuntimeError("Worker exit type: SYSTEM_ERROR"))
LOST = WorkerFailure.of(RuntimeError("[gloo/transport/tcp/pair.cc] Connection closed by peer"), 0)
LEFT = WorkerFailure.of(Leaving("left at epoch 1, step 7"), 1)


def ended(**failures: Any) -> WorkerGroupError:
    return WorkerGroupError("ended", {int(k[1:]): v for k, v in failures.items()})


def test_a_death_begins_anew_as_long_as_checkpoints_come_between(tmp_path: Path) -> None:
    steps = iter([10, 20, 20, 20, 20])
    notes = tmp_path / "workers" / "notes.txt"
    policy = GoOn(Witness(lambda: next(steps), notes))
    decisions = [policy.make_decision(ended(r0=LOST, r1=DEATH)) for _ in range(5)]
    assert decisions == [RETRY, RETRY, RETRY, RETRY, RAISE]
    assert MOST_IN_A_ROW == 3
    assert notes.read_text().splitlines()[0] == (
        "worker 1 died; most often the machine is out of memory. Worker exit type: SYSTEM_ERROR; "
        "training goes on from the last checkpoint"
    )


def test_an_error_of_a_worker_ends_the_run_at_once_and_is_the_one_that_is_told() -> None:
    raised = WorkerFailure.of(UserError.at("dataset.source", "no file data.csv"), 1)
    assert GoOn(Witness()).make_decision(ended(r0=LOST, r1=raised)) == RAISE
    assert str(explain(ended(r0=LOST, r1=raised))) == "dataset.source: no file data.csv"


def test_a_worker_with_notice_begins_anew_however_often(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    policy = GoOn(Witness(notes=notes))
    assert {policy.make_decision(ended(r0=LOST, r1=LEFT)) for _ in range(9)} == {RETRY}
    assert notes.read_text().splitlines()[0] == (
        "a worker had notice to go; all is saved, training goes on from it"
    )


def test_a_store_that_does_not_answer_says_nothing_about_the_training() -> None:
    def fails() -> int:
        raise RunFailed("s3://bucket: no answer")

    policy = GoOn(Witness(fails))
    assert {policy.make_decision(ended(r1=DEATH)) for _ in range(9)} == {RETRY}


def test_workers_that_find_no_room_are_waited_for_and_a_controllers_own_error_is_not() -> None:
    policy = GoOn(Witness())
    waits = ControllerError(WorkerGroupStartupTimeoutError(3))
    assert {policy.make_decision(waits) for _ in range(9)} == {RETRY}
    assert policy.make_decision(ControllerError(ValueError("wrong"))) == RAISE


def test_a_death_for_want_of_memory_is_told_as_such() -> None:
    text = (
        "The actor died because its worker was killed: Task was killed due to the node running low "
        "on memory.\nMemory on the node (IP: 10.0.0.7, ID: ab) where the task was running was "
        "15.2GB used / 16.0GB limit (0.95)\nOOM kill reason: Memory usage exceeded threshold"
    )
    death = WorkerHealthCheckFailedError("no answer", RuntimeError(text))
    assert str(explain(ended(r2=death))) == (
        "worker 2 died; its node ran out of memory (15.2 of 16.0 GB in use), and Ray ended it. "
        "Take a smaller algorithm.batch_size, fewer workers for each node "
        "(resources.cpus_per_worker), or nodes with more memory"
    )


def test_a_death_for_want_of_memory_while_they_start_begins_anew(tmp_path: Path) -> None:
    # Ray's error for it is no RayActorError, and Ray Train hands it on as its own failure.
    notes = tmp_path / "notes.txt"
    policy = GoOn(Witness(notes=notes))
    text = "killed due to the node running low on memory. Memory on the node was 15GB / 16GB"
    decision = policy.make_decision(ControllerError(OutOfMemoryError(text)))
    assert decision == RETRY
    assert notes.read_text() == (
        "a worker died while they started; its node ran out of memory (15 of 16 GB in use), and "
        "Ray ended it. Take a smaller algorithm.batch_size, fewer workers for each node "
        "(resources.cpus_per_worker), or nodes with more memory; training goes on from the last "
        "checkpoint\n"
    )


def test_of_a_node_that_does_not_answer_its_address_is_told() -> None:
    text = (
        "A worker health check failed.\nWorker info: Worker(actor=Actor(RayTrainWorker, d9), "
        "metadata=ActorMetadata(hostname='vm', node_id='da', node_ip='10.0.0.7', pid=15307))\n"
        "The actor d9 is unavailable: The actor is temporarily unavailable: RpcError: RPC error: "
        "failed to connect to all addresses"
    )
    death = WorkerHealthCheckFailedError(text, RuntimeError("unavailable"))
    assert str(explain(ended(r0=death))) == (
        "worker 0 died; its node 10.0.0.7 does not answer any more"
    )


def test_of_a_cluster_that_died_under_the_run_the_way_on_is_told() -> None:
    # Its controller is an actor beside the command, and dies with the node.
    lost = ActorUnavailableError("The actor is temporarily unavailable: RpcError: RPC error", None)
    assert str(explain(lost)) == (
        "the cluster does not answer any more: its head, or the node of this command, died; "
        "when there is one again, `trivium resume` goes on from the last checkpoint"
    )


def test_an_error_that_only_names_a_connection_of_the_users_own_is_not_a_lost_worker() -> None:
    own = WorkerFailure.of(ValueError("connection reset: a column of that name is missing"), 0)
    assert own.kind == "raised"
    assert LOST.kind == "lost"
    assert re.search("Connection closed", LOST.text)


def test_workers_fit_each_wholly_on_one_node() -> None:
    free = {"a": {"CPU": 3.0, "GPU": 1.0}, "b": {"CPU": 1.0}, "c": {"CPU": 0.5}}
    assert num_fitting(free, {"CPU": 1.0, "GPU": 0.0}) == 4
    assert num_fitting(free, {"CPU": 1.0, "GPU": 1.0}) == 1
    assert num_fitting(free, {"CPU": 0.1}) == 30 + 10 + 5
