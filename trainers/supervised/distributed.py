"""The same function on several workers at once, each with its rank: Ray Train's TorchTrainer.

Ray Train places the workers, sets up torch's process group (gloo on CPUs, nccl on GPUs) and
restarts what fails; the training loop itself does not know it. Ray runs in a thread of its own,
so that it starts while this process imports torch and prepares data, and so that the signal
handlers of this process stay what they are (Ray Train replaces that of Ctrl-C when it may).
"""

import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, Self, TypeVar

from trivium.platform.job import Resources
from trivium.trainers.local_ray import ray_session
from trivium.trainers.supervised.ray_train import (
    TrainRun,
    WorkerContext,
    fit_here,
    fit_in_own_ray,
    importing_ahead,
)
from trivium.trainers.supervised.witness import NO_WITNESS, Witness

__all__ = ["RayWorkers", "WorkerContext", "run_workers"]

T = TypeVar("T")
_Asked = tuple[TrainRun[Any], Future[None]]


def run_workers(
    worker: Callable[[T, WorkerContext], None],
    payload: T,
    resources: Resources,
    *,
    name: str,
    address: str | None = None,
    on_wait: Callable[[], None] | None = None,
    witness: Witness = NO_WITNESS,
    verbose: bool = False,
) -> None:
    """Run `worker(payload, context)` on `resources.num_workers` workers and wait for all of them.

    The same as one `RayWorkers.run`, on a Ray that starts now and ends with it.

    Raises:
        TriviumError: the one that a worker raised, unchanged.
        RunFailed: a worker raised something else, or died; with its rank, node and traceback.
    """
    options: dict[str, Any] = {"name": name, "on_wait": on_wait, "witness": witness}
    with RayWorkers(resources.most_workers, address=address, verbose=verbose) as workers:
        workers.run(worker, payload, resources, **options)


class RayWorkers:
    """Ray for `num_workers` workers; entering starts it in the background at once.

    ```python
    with RayWorkers(job.resources.num_workers) as workers:
        dataset = prepare(job.dataset)  # meanwhile Ray starts
        workers.run(train_worker, run.folder, job.resources, name=run.id)
    ```
    Leaving stops what was started, whatever happened. For `address` and the other arguments see
    `ray_session`.
    """

    def __init__(
        self,
        num_workers: int,
        *,
        address: str | None = None,
        working_dir: Path | None = None,
        dashboard: bool = False,
        verbose: bool = False,
    ) -> None:
        self.num_workers = num_workers
        self._options: dict[str, Any] = {
            "address": address,
            "working_dir": working_dir,
            "dashboard": dashboard,
            "verbose": verbose,
        }
        self._runs: queue.SimpleQueue[tuple[TrainRun[Any], Future[None]] | None] = (
            queue.SimpleQueue()
        )
        self._started = threading.Event()
        # Ray's processes end with the thread that started them, so one thread sees all of it.
        self._thread = threading.Thread(target=self._serve, name="ray", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._runs.put(None)
        self._thread.join()  # also when Ray is still starting: half a Ray cannot be stopped

    def run(
        self,
        worker: Callable[[T, WorkerContext], None],
        payload: T,
        resources: Resources,
        *,
        name: str,
        on_wait: Callable[[], None] | None = None,
        witness: Witness = NO_WITNESS,
    ) -> None:
        """Run `worker(payload, context)` on every worker; returns when all of them returned.

        The calling thread only waits, so it answers signals; a handler that wants the workers to
        end well tells them, by a file that they look at. An exception raised by a handler
        (KeyboardInterrupt, when there is no other) ends the workers at once.

        Args:
            worker: runs in another process, where torch's process group is ready and torch has
                this worker's share of the machine's cores as threads.
            payload: what each worker gets; travels by pickle, so it should be small.
            resources: what each worker reserves of a cluster; a Ray of our own is theirs anyway.
            name: names the run in Ray's own displays.
            on_wait: called about ten times a second meanwhile, in the calling thread.
            witness: knows the last checkpoint, from which all begin anew when a worker dies.

        Raises:
            TriviumError: the one that a worker raised, unchanged.
            RunFailed: a worker raised something else, or died; with rank, node and traceback.
        """
        done: Future[None] = Future()
        self._runs.put((TrainRun(worker, payload, name, resources, witness), done))
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
        options = self._options | {"preload": ("torch", "ray.train.torch")}
        try:
            with (
                importing_ahead() as wait_for_imports,
                ray_session(num_cpus=self.num_workers, **options) as is_own,
            ):
                fit = fit_in_own_ray if is_own else fit_here
                self._started.set()
                while (asked := self._runs.get()) is not None:
                    run, done = asked
                    wait_for_imports()
                    try:
                        fit(run)
                        done.set_result(None)
                    except BaseException as error:
                        done.set_exception(error)
        except BaseException as error:
            self._started.set()
            while (asked := self._runs.get()) is not None:
                asked[1].set_exception(error)


def _restore_signal_handlers() -> None:
    """Take SIGTERM back from Ray, whose handler prints a stack before it calls ours."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


def _stop_now() -> None:
    import ray

    ray.shutdown()
