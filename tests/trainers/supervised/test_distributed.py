"""One Ray with two workers serves the whole module: starting it takes most of the time."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from trivium.platform.errors import Mistake, RunFailed, UserError
from trivium.platform.job import Resources
from trivium.trainers import local_ray
from trivium.trainers.supervised.distributed import RayWorkers, WorkerContext, run_workers

ray = pytest.importorskip("ray")

TWO = Resources(num_workers=2)


@pytest.fixture(scope="module")
def workers() -> Iterator[RayWorkers]:
    # Workers cannot import a test by name, so its functions travel whole.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with RayWorkers(2) as workers:
        yield workers


def test_an_address_where_no_cluster_answers_is_a_mistake() -> None:
    with pytest.raises(UserError) as error:
        run_workers(write_place, Path(), TWO, name="x", address="127.0.0.1:1")
    assert str(error.value) == (
        "no Ray cluster answers at 127.0.0.1:1 ([Errno 111] Connection refused); "
        "if one runs there, RAY_AUTH_TOKEN must be its token; "
        "without RAY_ADDRESS the job runs on this machine"
    )


def write_place(folder: Path, context: WorkerContext) -> None:
    ranks = torch.tensor([1.0 + context.rank])
    torch.distributed.all_reduce(ranks)
    line = f"{context} {ranks.item()} {torch.distributed.get_backend()} {torch.get_num_threads()}"
    (folder / str(context.rank)).write_text(f"{line} {os.environ['OMP_NUM_THREADS']} {os.getcwd()}")
    print("not for the terminal")


def test_each_worker_knows_its_place_and_no_helper_runs_beside_them(
    workers: RayWorkers, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    workers.run(write_place, tmp_path, TWO, name="places")
    threads = max(1, len(os.sched_getaffinity(0)) // 2)
    for rank in (0, 1):
        place = f"rank={rank}, world_size=2, local_rank={rank}, local_world_size=2"
        context = f"WorkerContext({place}, device='cpu')"
        expected = f"{context} 3.0 gloo {threads} {threads} {os.getcwd()}"
        assert (tmp_path / str(rank)).read_text() == expected
    assert capfd.readouterr() == ("", "")
    assert set(ray._private.worker._global_node.all_processes) == {"gcs_server", "raylet"}
    actors = {actor["ActorClassName"] for actor in ray._private.state.actors().values()}
    assert actors == {"RayTrainWorker"}


def test_what_is_left_out_of_ray_is_still_called_that() -> None:
    # Else a new Ray starts these processes again, and nobody notices but the clock.
    left_out = local_ray._left_out(dashboard=False, verbose=False)
    for owner, name in (*left_out, *local_ray._started_again()):
        assert callable(getattr(owner, name))
    from ray.train.v2._internal.execution.worker_group import state, worker_group

    assert hasattr(worker_group, "SynchronizationActor")
    assert callable(state._shutdown_sync_actor)
    assert callable(worker_group.WorkerGroup._init_train_context_on_workers)


def raise_user_error(_payload: None, context: WorkerContext) -> None:
    if context.rank == 1:
        raise UserError.at("dataset.source", "no file data.csv")
    torch.distributed.barrier()


def test_an_error_written_for_the_user_comes_back_unchanged(workers: RayWorkers) -> None:
    with pytest.raises(UserError) as error:
        workers.run(raise_user_error, None, TWO, name="user-error")
    assert error.value.mistakes == (Mistake("dataset.source", "no file data.csv"),)


def divide_by_zero(_payload: None, context: WorkerContext) -> None:
    if context.rank == 1:
        print(1 / 0)
    torch.distributed.barrier()


def test_any_other_error_tells_worker_node_and_traceback(
    workers: RayWorkers, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RunFailed) as error:
        workers.run(divide_by_zero, None, TWO, name="error")
    first, head, *_, last = str(error.value).splitlines()
    assert first == f"worker 1 on {os.uname().nodename} failed:"
    assert head == "Traceback (most recent call last):"
    assert "in divide_by_zero" in str(error.value)
    assert "supervised/distributed.py" not in str(error.value)
    assert last == "ZeroDivisionError: division by zero"
    assert capfd.readouterr() == ("", "")


def die(_payload: None, context: WorkerContext) -> None:
    if context.rank == 1:
        os._exit(3)
    torch.distributed.barrier()


def test_a_worker_that_dies_is_told_in_one_line(
    workers: RayWorkers, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trivium.trainers.supervised.perseverance.MOST_IN_A_ROW", 0)
    with pytest.raises(RunFailed) as error:
        workers.run(die, None, TWO, name="death")
    assert re.fullmatch(  # how it is noticed depends on how far the others are
        r"(worker 1 died;|the workers could not run:) most often the machine is out of memory\. "
        r"Worker exit type: [^\n]*",
        str(error.value),
    )
    assert capfd.readouterr() == ("", "")


def wait_for_stop(folder: Path, context: WorkerContext) -> None:
    (folder / f"started{context.rank}").touch()
    while not (folder / "stop").exists():
        time.sleep(0.01)
    (folder / f"saved{context.rank}").touch()


def test_ctrl_c_reaches_this_process_and_the_workers_end_well(
    workers: RayWorkers, tmp_path: Path
) -> None:
    def interrupt_once_started() -> None:
        if (tmp_path / "started0").exists() and not (tmp_path / "stop").exists():
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, lambda *_: (tmp_path / "stop").touch())
    try:
        workers.run(wait_for_stop, tmp_path, TWO, name="ctrl-c", on_wait=interrupt_once_started)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "saved0").exists() and (tmp_path / "saved1").exists()


SCRIPT = """
import sys, time
from pathlib import Path
from trivium.platform.job import Resources
from trivium.trainers.supervised.distributed import run_workers

def wait(folder, context):
    (folder / f"started{context.rank}").touch()
    time.sleep(600)

run_workers(wait, Path(sys.argv[1]), Resources(num_workers=2), name="stop")
"""


def processes_marked(mark: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            pass  # it ended meanwhile
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_stopped_at_once_leaves_none_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    mark = f"TRIVIUM_TEST={tmp_path}"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env=os.environ | dict([mark.split("=", 1)]),
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A shell's background job, as these tests may be, hands on that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        _wait_until(lambda: (tmp_path / "started1").exists())
        os.killpg(process.pid, number)  # a terminal's Ctrl-C goes to the whole group
        _wait_until(lambda: not processes_marked(mark))
    finally:
        process.kill()
    assert process.wait() == -number


def _wait_until(condition: object, timeout_s: float = 300) -> None:
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_folders_of_dead_processes_are_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine = local_ray._short_folder()
    left = mine.with_name(f"trivium-ray-{ended.pid}-left")
    left.mkdir()
    again = local_ray._short_folder()
    try:
        assert not left.exists()
        assert mine.exists()
        assert len(str(mine)) < 40  # a session's sockets add about 65 bytes; 107 is the limit
    finally:
        mine.rmdir()
        again.rmdir()


SPACED = """
import ray
from trivium.trainers.local_ray import ray_session

with ray_session(num_cpus=1, address="local", preload=()):
    @ray.remote(runtime_env={"env_vars": {"SEEN": "yes"}})  # as Ray Tune starts its trials
    def seen():
        import os, sys
        return os.environ["SEEN"], sys.executable
    print(ray.get(seen.remote(), timeout=60))
"""


def test_an_interpreter_in_a_folder_with_a_space_starts_workers(tmp_path: Path) -> None:
    environment = tmp_path / "an environment"
    environment.symlink_to(sys.prefix)
    python = environment / "bin" / "python"
    done = subprocess.run([python, "-c", SPACED], capture_output=True, text=True, check=False)
    assert done.stdout == f"('yes', '{python}')\n", done.stderr
