"""One run of a function on several workers, by Ray Train's TorchTrainer."""

import contextlib
import importlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from trivium.platform.job import Resources, WorkerRange
from trivium.trainers.supervised.witness import NO_WITNESS, Witness
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
    local_world_size: int
    """How many of them this machine has."""
    device: str
    """Where this worker computes, as torch names it: cpu, cuda:0."""


@dataclass(frozen=True)
class TrainRun(Generic[T]):
    """One call of a function on all workers."""

    worker: Callable[[T, WorkerContext], None]
    payload: T
    name: str
    resources: Resources
    witness: Witness = NO_WITNESS

    def fit(self, trainer_type: Any, cpus_per_worker: float) -> None:
        """Run it by a trainer of Ray Train; raises what `RayWorkers.run` says."""
        from ray.train import RunConfig, ScalingConfig

        worker, payload = self.worker, self.payload
        gpus = _gpus_per_worker(self.resources)
        # Ray Train keeps a few small files of its own about a run; ours are in the run folder.
        # When this process is killed, `ray_session` sweeps what has a name like this.
        prefix = f"trivium-ray-{os.getpid()}-"
        with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
            trainer = trainer_type(
                lambda: _enter(worker, payload),
                witness=self.witness,
                scaling_config=ScalingConfig(
                    **_number(self.resources.num_workers),
                    use_gpu=gpus > 0,
                    resources_per_worker={"CPU": cpus_per_worker} | ({"GPU": gpus} if gpus else {}),
                ),
                run_config=RunConfig(name=self.name, storage_path=folder),
            )
            try:
                trainer.fit()
            except Exception as error:
                raise explain(error) from None


def fit_here(run: TrainRun[Any]) -> None:
    """On a cluster that was joined: the trainer starts its controller there."""
    from trivium.trainers.supervised.controller import ClusterTrainer

    run.fit(ClusterTrainer, run.resources.cpus_per_worker or 1.0)


def fit_in_own_ray(run: TrainRun[Any]) -> None:
    """On a Ray of our own: trainer and controller live in this thread, in no process of theirs."""
    from trivium.trainers.supervised.lean_trainer import LeanTrainer

    # A CPU of this Ray is a process that it has started ahead; threads are shared apart.
    run.fit(LeanTrainer, cpus_per_worker=1.0)


@contextlib.contextmanager
def importing_ahead() -> Iterator[Callable[[], None]]:
    """Import Ray Train in the background, while Ray's own processes start.

    Yields what waits for it: two threads that import it at once wait for each other's modules.
    """

    def load() -> None:
        with contextlib.suppress(ImportError):  # told where it is needed
            importlib.import_module("trivium.trainers.supervised.lean_trainer")

    thread = threading.Thread(target=load, name="ray train's import")
    thread.start()
    try:
        yield thread.join
    finally:
        thread.join()  # an import that the end of the process interrupts may crash it


def _enter(worker: Callable[[T, WorkerContext], None], payload: T) -> None:
    """What runs in each worker."""
    import ray.train
    import ray.train.torch

    place = ray.train.get_context()
    context = WorkerContext(
        rank=place.get_world_rank(),
        world_size=place.get_world_size(),
        local_rank=place.get_local_rank(),
        local_world_size=place.get_local_world_size(),
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


def _number(workers: int | WorkerRange) -> dict[str, Any]:
    """In Ray Train's words."""
    if isinstance(workers, int):
        return {"num_workers": workers}
    return {
        "num_workers": (workers.min, workers.max),
        "elastic_resize_monitor_interval_s": workers.resize_interval_s,
    }


def _gpus_per_worker(resources: Resources) -> float:
    if resources.gpus_per_worker != "auto":
        return resources.gpus_per_worker
    import ray

    return 1.0 if ray.cluster_resources().get("GPU", 0) >= resources.fewest_workers else 0.0


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
