"""Ray for one run: join a cluster that was asked for by address, or the one that `trivium up` keeps
for this folder, else start a private, quiet one.

`ray.init()` joins whatever cluster happens to run on the machine; here joining is explicit. A Ray
of our own keeps its files in a short folder of its own (a unix socket's path holds 107 bytes)
that goes away with it, and starts fewer processes than stock Ray: what was left out and what
each saved is what benchmarks/ray_startup.py measures.
"""

import contextlib
import importlib
import logging
import os
import shlex
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from trivium.platform.cluster.warm import WarmCluster, find_warm
from trivium.platform.errors import UserError
from trivium.platform.interrupt import kept_handlers

JOINED_ENVIRONMENT: Mapping[str, str] = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else each start prints a FutureWarning
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths mean the same in a worker as here
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",  # what a worker prints goes where it wants it
}
"""What Ray reads from the environment of whoever uses it; a user's own value wins."""

CLUSTER_ENVIRONMENT: Mapping[str, str] = {
    **JOINED_ENVIRONMENT,
    "RAY_TRAIN_ENABLE_STATE_TRACKING": "1",  # the dashboard shows training runs, for one actor more
    # Stock gives workers 60 s to start and then begins anew; a machine that is just being started,
    # or fetches an image, needs longer, and an eternal beginning never ends.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "1800",
    "RAY_TRAIN_PREEMPTION_POLL_INTERVAL_S": "1",  # a spot machine gives notice of 30 s to 120 s
}
"""The same for a cluster that was asked for by address."""

LOCAL_ENVIRONMENT: Mapping[str, str] = {
    **JOINED_ENVIRONMENT,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # stock workers give way to everything else on the machine
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",  # an actor that watches for reclaimed cloud nodes
    "RAY_WARN_BLOCKING_GET_INSIDE_ASYNC": "0",  # Ray Train's controller does that
    "RAY_TRAIN_METRICS_ENABLED": "0",  # Prometheus series that nobody scrapes here
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",  # how late the end of a run is noticed; stock 2
    "RAY_TRAIN_ENABLE_CONTROLLER_STRUCTURED_LOGGING": "0",
    "RAY_TRAIN_ENABLE_WORKER_STRUCTURED_LOGGING": "0",
}
"""The same for a Ray of our own, whose processes inherit it."""


@contextlib.contextmanager
def ray_session(
    *,
    num_cpus: float,
    address: str | None = None,
    working_dir: Path | None = None,
    preload: Sequence[str] = ("torch",),
    dashboard: bool = False,
    verbose: bool = False,
) -> Iterator[bool]:
    """Ray while the block runs; yields whether it is a Ray of our own. Stops only what it started.

    Args:
        num_cpus: CPUs that a Ray of our own offers, be the machine's cores more or fewer. It
            starts as many worker processes at once, before anything asks for them.
        address: a cluster to join; None means the environment's RAY_ADDRESS, without that the
            cluster of `trivium up` when it has the CPUs, and without that a Ray of our own.
            "local" is a Ray of our own whatever there is.
        working_dir: folder with the user's code, shipped to a cluster that is joined.
        preload: modules that the processes of a Ray of our own import while they wait for work.
        dashboard: serve Ray's dashboard, on loopback; takes about two seconds more.
        verbose: let Ray log to the terminal.

    Raises:
        UserError: Ray is not installed, or no cluster answers at the address.
    """
    ray = _import_ray()
    level = logging.INFO if verbose else logging.CRITICAL
    logging.getLogger("ray").setLevel(level)
    address = address or os.environ.get("RAY_ADDRESS")
    if ray.is_initialized():  # someone else's: a Tune trial, a notebook
        yield False
        return
    warm = find_warm() if address is None else None
    if warm is not None and warm.num_cpus >= num_cpus:
        with added_environment(LOCAL_ENVIRONMENT), _authenticated(warm):
            _join_warm(ray, warm, level, verbose)
            try:
                yield True
            finally:
                _refill(ray, warm)
                ray.shutdown()
        return
    address = address or "local"
    if address != "local":
        with added_environment(CLUSTER_ENVIRONMENT):
            _join(ray, address, working_dir, level, verbose)
            try:
                yield False
            finally:
                ray.shutdown()
        return
    folder = _short_folder()
    try:
        preloaded = {"RAY_preload_python_modules": ",".join(preload)}
        with added_environment({**LOCAL_ENVIRONMENT, **preloaded}):
            with _returning(_left_out(dashboard, verbose)), kept_handlers():
                ray.init(
                    address="local",
                    num_cpus=max(1, ceil(num_cpus)),
                    object_store_memory=100 * 2**20,  # bytes; batches do not go through it
                    include_dashboard=dashboard,
                    dashboard_host="127.0.0.1",
                    runtime_env=_quoted_python(),
                    logging_level=level,
                    log_to_driver=verbose,
                    _temp_dir=str(folder),
                )
            try:
                with _returning(_started_again()):
                    yield True
            finally:
                ray.shutdown(wait_for_processes=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def joins_a_cluster() -> bool:
    """Whether `ray_session` without arguments joins a Ray that is more than this machine's own."""
    ray = sys.modules.get("ray")
    is_within = ray is not None and ray.is_initialized()
    return is_within or os.environ.get("RAY_ADDRESS", "local") != "local"


def _import_ray() -> Any:
    try:
        import ray
    except ModuleNotFoundError:
        raise UserError(
            "more than one worker needs Ray, which is not installed; pip install 'trivium[cluster]'"
        ) from None
    return ray


def _join(ray: Any, address: str, working_dir: Path | None, level: int, verbose: bool) -> None:
    import trivium

    runtime_env: dict[str, Any] | None = None
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" not in os.environ:  # a submitted job brings its code
        runtime_env = {"py_modules": [next(iter(trivium.__path__))]}
        if working_dir is not None:
            runtime_env["working_dir"] = str(working_dir)
    try:
        _demand_listener(address)
        _use_token_if_there_is_one()
        with _returning(_muted(verbose)), kept_handlers():
            ray.init(
                address=address, runtime_env=runtime_env, logging_level=level, log_to_driver=verbose
            )
    except OSError as error:
        raise UserError(
            f"no Ray cluster answers at {address} ({error}); if one runs there, "
            "RAY_AUTH_TOKEN must be its token; without RAY_ADDRESS the job runs on this machine"
        ) from None


def _join_warm(ray: Any, warm: WarmCluster, level: int, verbose: bool) -> None:
    """Join this folder's cluster: same machine, folder and environment, so no code is shipped."""
    raylet: Any = importlib.import_module("ray._raylet")  # its types name only a part of it
    raylet.Config.initialize("")  # Ray has read how to authenticate when it was imported
    raylet.AuthenticationTokenLoader.instance().reset_cache()
    with _returning(_muted(verbose)), kept_handlers():
        ray.init(
            address=warm.address,
            runtime_env=_quoted_python(),
            logging_level=level,
            log_to_driver=verbose,
        )


def _quoted_python() -> dict[str, str] | None:
    """For an interpreter whose path has a space: Ray's workers never start from it, and it waits.

    Ray Tune's trials have a runtime environment, and such workers are started by a line for bash
    into which Ray puts the path as it is.
    """
    quoted = shlex.quote(sys.executable)
    return {"py_executable": quoted} if quoted != sys.executable else None


def _refill(ray: Any, warm: WarmCluster) -> None:
    """Have the cluster start new workers: those of a command end with it, and others take seconds.

    They start while nobody waits. Ray has no function for it, only the call that this makes; where
    a later Ray has not, the next command's workers are started when it asks for them.
    """
    with contextlib.suppress(Exception):
        grpc = importlib.import_module("grpc")
        messages = importlib.import_module("ray.core.generated.node_manager_pb2")
        services = importlib.import_module("ray.core.generated.node_manager_pb2_grpc")
        common = importlib.import_module("ray.core.generated.common_pb2")
        (node,) = (n for n in ray.nodes() if n["Alive"])
        request = messages.PrestartWorkersRequest(
            language=common.Language.PYTHON,
            num_workers=warm.num_cpus,
            keep_alive_duration_secs=24 * 3600,
        )
        token = f"Bearer {warm.token_file.read_text(encoding='utf-8')}"
        place = f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"
        with grpc.insecure_channel(place) as channel:
            services.NodeManagerServiceStub(channel).PrestartWorkers(
                request, timeout=5, metadata=[("authorization", token)]
            )


def warm_environment() -> dict[str, str]:
    """What the processes of a cluster that stays up inherit: its workers import ahead."""
    modules = ("torch", "ray.train.torch", "ray.tune", "trivium.tuning.trial")
    return {**LOCAL_ENVIRONMENT, "RAY_preload_python_modules": ",".join(modules)}


def _use_token_if_there_is_one() -> None:
    """Clusters of Ray 2.60 want a token; `ray.init` sends it to none that is given by address."""
    with contextlib.suppress(ImportError):
        from ray._private.authentication import authentication_token_setup as setup

        setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


def _demand_listener(address: str) -> None:
    """Raise OSError when nobody listens at `address`; Ray would try for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _short_folder() -> Path:
    """A folder for Ray's files, named by this process; those of dead processes go away."""
    base = Path("/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir())
    for left in base.glob("trivium-ray-*-*"):
        owner = left.name.split("-")[2]
        if owner.isdecimal() and not _is_alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"trivium-ray-{os.getpid()}-", dir=base))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True


@contextlib.contextmanager
def added_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set those variables that are not set yet, for the time of the block."""
    added = [name for name in variables if name not in os.environ]
    os.environ.update({name: variables[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _authenticated(warm: WarmCluster) -> Iterator[None]:
    """Its token instead of any other that the environment names, for the time of the block."""
    names = {*warm.environment, "RAY_AUTH_TOKEN"}
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ.update(warm.environment)
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)


@contextlib.contextmanager
def _returning(returned: Mapping[tuple[Any, str], Any]) -> Iterator[None]:
    """Let functions, as (owner, name), do nothing but return a value, for the time of the block.

    Ray has no setting for what these do. A later Ray without one of them is taken as it is.
    """
    found = {key: getattr(*key) for key in returned if hasattr(*key)}
    for (owner, name), value in returned.items():
        if (owner, name) in found:
            setattr(owner, name, lambda *_args, _value=value, **_kwargs: _value)
    try:
        yield
    finally:
        for (owner, name), function in found.items():
            setattr(owner, name, function)


def _left_out(dashboard: bool, verbose: bool) -> dict[tuple[Any, str], Any]:
    """What a private Ray has no use for, as the functions that start it.

    `include_dashboard=False` still starts the dashboard's server, and waits for it, to report
    usage statistics; the monitor is the autoscaler's; the log monitor reads the workers' output
    for the driver, which only `verbose` asks for. To see whether a dashboard could be served at
    all, Ray imports its web framework.
    """
    from ray._private import utils
    from ray._private.node import Node

    left_out: dict[tuple[Any, str], Any] = {(Node, "start_monitor"): None}
    if not verbose:
        left_out[Node, "start_log_monitor"] = None
    if not dashboard:
        left_out[Node, "start_api_server"] = None
        left_out[utils, "get_dashboard_dependency_error"] = ImportError("not wanted")
    return left_out | _muted(verbose)


def _started_again() -> dict[tuple[Any, str], Any]:
    """What starts a Ray, or joins any, when one of its functions is called and none runs.

    A thread of ours may still call one after another thread has stopped this Ray.
    """
    from ray._private import auto_init_hook

    return {(auto_init_hook, "auto_init_ray"): None}


def _muted(verbose: bool) -> dict[tuple[Any, str], Any]:
    """The thread that prints the raylet's view of a dead worker; it ignores `log_to_driver`."""
    from ray._private import worker

    return {} if verbose else {(worker, "listen_error_messages"): None}
