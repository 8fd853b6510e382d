"""The same function on several workers at once, each with its rank: Ray Train's TorchTrainer.

Ray Train places the workers, sets up torch's process group (gloo on CPUs, nccl on GPUs) and
restarts what fails; the training loop itself does not know it. Ray runs in a thread of its own,
so that it starts while this process imports torch and prepares data, and so that the signal
handlers of this process stay what they are (Ray Train replaces that of Ctrl-C when it may).
"""

import os
import queue
import signal
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from trivium.platform.errors import TriviumError
from trivium.platform.job import Resources
from trivium.trainers.local_ray import ray_session
from trivium.trainers.supervised.worker_failure import WorkerFailure, explain

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
        # On a Ray of our own: the workers, the trainer, and Ray Train's synchronization actor.
        num_processes = self._resources.num_workers + 2
        options = self._options | {"preload": ("torch", "ray.train.torch")}
        try:
            with ray_session(num_cpus=num_processes, **options) as is_own:
                fit = _FitElsewhere() if is_own else _fit_here
                self._started.set()
                while (asked := self._runs.get()) is not None:
                    run, done = asked
                    try:
                        fit(run)
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

    def fit(self, trainer_type: Any, cpus_per_worker: float) -> None:
        """Run it by a trainer of Ray Train; raises what `RayWorkers.run` says."""
        from ray.train import RunConfig, ScalingConfig

        worker, payload = self.worker, self.payload
        gpus = _gpus_per_worker(self.resources)
        # Ray Train keeps a few small files of its own about a run; ours are in the run folder.
        with tempfile.TemporaryDirectory(prefix="trivium-", ignore_cleanup_errors=True) as folder:
            trainer = trainer_type(
                lambda: _enter(worker, payload),
                scaling_config=ScalingConfig(
                    num_workers=self.resources.num_workers,
                    use_gpu=gpus > 0,
                    resources_per_worker={"CPU": cpus_per_worker} | ({"GPU": gpus} if gpus else {}),
                ),
                run_config=RunConfig(name=self.name, storage_path=folder),
            )
            try:
                trainer.fit()
            except Exception as error:
                raise explain(error) from None


def _fit_here(run: _Run[Any]) -> None:
    """On a cluster that was joined: the stock trainer, which starts its controller there."""
    from ray.train.torch import TorchTrainer

    run.fit(TorchTrainer, run.resources.cpus_per_worker or 1.0)


class _FitElsewhere:
    """On a Ray of our own: the trainer lives in one of its processes, together with its controller.

    That process imports Ray Train while this one does its own work, which so never imports it.
    """

    def __init__(self) -> None:
        self._host = self._new_host()

    def __call__(self, run: _Run[Any]) -> None:
        import ray

        try:
            error = ray.get(self._host.fit.remote(run))
        except ray.exceptions.RayActorError as death:
            if ray.is_initialized():
                self._host = self._new_host()
            raise explain(death) from None
        if error is not None:
            raise error

    @staticmethod
    def _new_host() -> Any:
        import ray

        return ray.remote(num_cpus=0)(_Host).remote()


class _Host:
    """The actor of `_FitElsewhere`."""

    def __init__(self) -> None:
        from trivium.trainers.supervised.lean_trainer import LeanTorchTrainer

        self._trainer_type = LeanTorchTrainer

    def fit(self, run: _Run[Any]) -> TriviumError | None:
        """Run it; an error is returned, since Ray would wrap one that is raised."""
        try:
            # A CPU of this Ray is a process that it has started ahead; threads are shared apart.
            run.fit(self._trainer_type, cpus_per_worker=1.0)
        except TriviumError as error:
            return error
        return None


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
        raise WorkerFailure.of(error, context.rank) from None


def _share_threads(workers_here: int) -> None:
    """Give torch this worker's share of the machine's cores, so that the workers do not fight."""
    import torch

    threads = max(1, _num_cores() // workers_here)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # for libraries that are loaded later
    torch.set_num_threads(threads)


def _restore_signal_handlers() -> None:
    """Take SIGTERM back from Ray, whose handler prints a stack before it calls ours."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


def _stop_now() -> None:
    import ray

    ray.shutdown()


def _gpus_per_worker(resources: Resources) -> float:
    if resources.gpus_per_worker != "auto":
        return resources.gpus_per_worker
    import ray

    return 1.0 if ray.cluster_resources().get("GPU", 0) >= resources.num_workers else 0.0


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
