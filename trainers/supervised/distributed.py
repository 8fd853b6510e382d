"""The same function on several workers at once, each with its rank: Ray Train's TorchTrainer.

Ray Train places the workers, sets up torch's process group (gloo on CPUs, nccl on GPUs) and
restarts what fails; the training loop itself does not know it. Ray runs in a thread of its own,
so that it starts while this process imports torch and prepares data, and so that the signal
handlers of this process stay what they are (Ray Train replaces that of Ctrl-C when it may).
"""

import os
import queue
import re
import signal
import socket
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from trivium.platform.errors import RunFailed, TriviumError
from trivium.platform.job import Resources
from trivium.trainers.local_ray import ray_session

T = TypeVar("T")


@dataclass(frozen=True)
class WorkerContext:
    """A worker's place among the others."""

    rank: int
    """0 to world_size - 1; rank 0 reports."""
    world_size: int
    local_rank: int
    """The rank among the workers of this machine."""
    device: str
    """Where this worker computes, as torch names it: cpu, cuda:0."""


class WorkerFailure(Exception):
    """What went wrong in one worker, in a form that always travels back."""

    def __init__(
        self, rank: int, node: str, failed_at: float, text: str, error: TriviumError | None
    ) -> None:
        super().__init__(rank, node, failed_at, text, error)
        self.rank, self.node, self.failed_at = rank, node, failed_at
        self.text, self.error = text, error


def run_workers(
    worker: Callable[[T, WorkerContext], None],
    payload: T,
    resources: Resources,
    *,
    name: str,
    address: str | None = None,
    on_wait: Callable[[], None] | None = None,
    verbose: bool = False,
) -> None:
    """Run `worker(payload, context)` on `resources.num_workers` workers and wait for all of them.

    The same as one `RayWorkers.run`, where Ray starts only now.

    Raises:
        TriviumError: the one that a worker raised, unchanged.
        RunFailed: a worker raised something else, or died; with its rank, node and traceback.
    """
    with RayWorkers(resources, address=address, verbose=verbose) as workers:
        workers.run(worker, payload, name=name, on_wait=on_wait)


class RayWorkers:
    """Ray for `resources.num_workers` workers; entering starts it in the background at once.

    ```python
    with RayWorkers(job.resources) as workers:
        dataset = prepare(job.dataset)  # meanwhile Ray starts
        workers.run(train_worker, run.folder, name=run.id)
    ```
    Leaving stops what was started, whatever happened. For `address` and the other arguments see
    `ray_session`.
    """

    def __init__(
        self,
        resources: Resources,
        *,
        address: str | None = None,
        working_dir: Path | None = None,
        dashboard: bool = False,
        verbose: bool = False,
    ) -> None:
        self._resources = resources
        self._options: dict[str, Any] = {
            "address": address,
            "working_dir": working_dir,
            "dashboard": dashboard,
            "verbose": verbose,
        }
        self._runs: queue.SimpleQueue[tuple[_Run[Any], Future[None]] | None] = queue.SimpleQueue()
        self._started = threading.Event()
        # Ray's processes end with the thread that started them, so one thread sees all of it.
        self._thread = threading.Thread(target=self._serve, name="ray", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._runs.put(None)
        self._thread.join()

    def run(
        self,
        worker: Callable[[T, WorkerContext], None],
        payload: T,
        *,
        name: str,
        on_wait: Callable[[], None] | None = None,
    ) -> None:
        """Run `worker(payload, context)` on every worker; returns when all of them returned.

        The calling thread only waits, so it answers signals; a handler that wants the workers to
        end well tells them, by a file that they look at. An exception raised by a handler
        (KeyboardInterrupt, when there is no other) ends the workers at once.

        Args:
            worker: runs in another process, where torch's process group is ready and torch has
                this worker's share of the machine's cores as threads.
            payload: what each worker gets; travels by pickle, so it should be small.
            name: names the run in Ray's own displays.
            on_wait: called about ten times a second meanwhile, in the calling thread.

        Raises:
            TriviumError: the one that a worker raised, unchanged.
            RunFailed: a worker raised something else, or died; with rank, node and traceback.
        """
        done: Future[None] = Future()
        self._runs.put((_Run(worker, payload, name, self._resources), done))
        try:
            self._started.wait()
            _restore_signal_handlers()
            while not done.done():
                wait([done], timeout=0.1)  # unlike done.result(), lets signal handlers run
                if on_wait is not None:
                    on_wait()
        except BaseException:
            _stop_now()
            raise
        done.result()

    def _serve(self) -> None:
        """The thread: Ray's whole life, and each run in its turn."""
        try:
            with ray_session(num_cpus=_num_cpus(self._resources), **self._options) as is_own:
                self._started.set()
                import ray.train.torch  # noqa: F401  # takes a second that nobody waits for yet

                while (asked := self._runs.get()) is not None:
                    run, done = asked
                    try:
                        run.fit(is_own)
                        done.set_result(None)
                    except BaseException as error:
                        done.set_exception(error)
        except BaseException as error:
            self._started.set()
            while (asked := self._runs.get()) is not None:
                asked[1].set_exception(error)


@dataclass(frozen=True)
class _Run(Generic[T]):
    """One call of a function on all workers."""

    worker: Callable[[T, WorkerContext], None]
    payload: T
    name: str
    resources: Resources

    def fit(self, is_own: bool) -> None:
        """Run it by a trainer of Ray Train; raises what `RayWorkers.run` says."""
        from ray.train import RunConfig
        from ray.train.torch import TorchTrainer

        if is_own:
            from trivium.trainers.supervised.lean_trainer import LeanTorchTrainer as TorchTrainer
        worker, payload = self.worker, self.payload
        # Ray Train keeps a few small files of its own about a run; ours are in the run folder.
        with tempfile.TemporaryDirectory(prefix="trivium-", ignore_cleanup_errors=True) as folder:
            trainer = TorchTrainer(
                lambda: _enter(worker, payload),
                scaling_config=_scaling(self.resources, is_own),
                run_config=RunConfig(name=self.name, storage_path=folder),
            )
            try:
                trainer.fit()
            except Exception as error:
                raise _explain(error) from None


def _enter(worker: Callable[[T, WorkerContext], None], payload: T) -> None:
    """What runs in each worker."""
    import ray.train
    import ray.train.torch

    place = ray.train.get_context()
    context = WorkerContext(
        rank=place.get_world_rank(),
        world_size=place.get_world_size(),
        local_rank=place.get_local_rank(),
        device=str(ray.train.torch.get_device()),
    )
    _share_threads(place.get_local_world_size())
    try:
        worker(payload, context)
    except BaseException as error:
        error.__traceback__ = (
            error.__traceback__ and error.__traceback__.tb_next
        )  # from `worker` on
        text = "".join(traceback.format_exception(error)).rstrip()
        own = error if isinstance(error, TriviumError) else None
        raise WorkerFailure(context.rank, socket.gethostname(), time.time(), text, own) from None


def _share_threads(workers_here: int) -> None:
    """Give torch this worker's share of the machine's cores, so that the workers do not fight."""
    import torch

    threads = max(1, _num_cores() // workers_here)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # for libraries that are loaded later
    torch.set_num_threads(threads)


def _explain(error: Exception) -> TriviumError:
    """What went wrong first, of all that workers and Ray report when one of them fails."""
    failures = {
        rank: getattr(failure, "_base_exc", failure)  # Ray Train wraps what a worker raised
        for rank, failure in getattr(error, "worker_failures", {}).items()
    }
    raised = [f for f in failures.values() if isinstance(f, WorkerFailure)]
    died = {rank: f for rank, f in failures.items() if not isinstance(f, WorkerFailure)}
    if died:
        return RunFailed(f"worker {min(died)} died; {_cause_of_death(died[min(died)])}")
    if not raised:
        return RunFailed(f"the workers could not run: {_cause_of_death(error)}")
    first = min(raised, key=lambda f: f.failed_at)  # the others then lose their connection to it
    if first.error is not None:
        return first.error
    return RunFailed(f"worker {first.rank} on {first.node} failed:\n{first.text}")


def _cause_of_death(failure: BaseException) -> str:
    """Ray's own words; of a process that ended, without the lists of identifiers around them."""
    found = re.search(r"Worker exit type:.*?(?= Some common causes|$)", str(failure), re.S)
    if found is None:
        return str(failure)
    return f"most often the machine is out of memory. {found[0].strip()}"


def _restore_signal_handlers() -> None:
    """Take SIGTERM back from Ray, whose handler prints a stack before it calls ours."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


def _stop_now() -> None:
    import ray

    ray.shutdown()


def _scaling(resources: Resources, is_own: bool) -> Any:
    from ray.train import ScalingConfig

    gpus = _gpus_per_worker(resources, is_own)
    cpus = _cpus_per_worker(resources) if is_own else resources.cpus_per_worker or 1.0
    return ScalingConfig(
        num_workers=resources.num_workers,
        use_gpu=gpus > 0,
        resources_per_worker={"CPU": cpus} | ({"GPU": gpus} if gpus else {}),
    )


def _gpus_per_worker(resources: Resources, is_own: bool) -> float:
    if resources.gpus_per_worker != "auto":
        return resources.gpus_per_worker
    import ray

    offered = ray.cluster_resources().get("GPU", 0)
    return 1.0 if offered >= (resources.num_workers if is_own else 1) else 0.0


def _cpus_per_worker(resources: Resources) -> float:
    """On this machine: as asked, else an even share of its cores."""
    return resources.cpus_per_worker or max(1.0, float(_num_cores() // resources.num_workers))


def _num_cpus(resources: Resources) -> float:
    return _cpus_per_worker(resources) * resources.num_workers


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
