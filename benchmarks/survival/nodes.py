"""A cluster of several `ray start` processes on loopback, whose nodes can be killed like machines.

Each node has an address of its own (127.0.0.1, 127.0.0.2, ...), so that a driver is attached to the
head and not to a node that a case kills. Only processes that this file started are ever ended.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_S = 300
PATIENT_RAY = """
import time
import ray._private.services as services
look = services.get_node
def get_node(*arguments):
    until = time.monotonic() + 300
    while True:
        try:
            return look(*arguments)
        except RuntimeError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
services.get_node = get_node
from ray.scripts.scripts import main
main()
"""
"""Ray's command line; stock gives a node 30 seconds to start, which a busy machine may not."""
RAY = [sys.executable, "-c", PATIENT_RAY]
ANY_PORT = [
    f"--{name}=0"
    for name in (
        "node-manager-port",
        "object-manager-port",
        "min-worker-port",
        "max-worker-port",
        "dashboard-agent-listen-port",
        "dashboard-agent-grpc-port",
        "runtime-env-agent-port",
        "metrics-export-port",
    )
]


@dataclass(frozen=True)
class Node:
    """One `ray start --block`, with all that it started."""

    ip: str
    process: "subprocess.Popen[bytes]"

    def pids(self) -> list[int]:
        """Its processes: the raylet, its agents, its workers."""
        return [self.process.pid, *descendants(self.process.pid)]

    def kill(self) -> None:
        """The machine is gone: everything at once, and nobody says good-bye."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


class Nodes:
    """A head and the nodes that joined it, once started; leaving ends all of them."""

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        head_cpus: int = 0,
        head_options: Sequence[str] = (),
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="trivium-survival-", dir="/tmp"))
        token = secrets.token_hex(16)
        base = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        self._env = base | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": token,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",
            "PATH": f"{Path(sys.executable).parent}:{base['PATH']}",
            **(environment or {}),
        }
        self._head_cpus, self._head_options = head_cpus, head_options
        self.port, self.client_port = free_ports(2)
        self.nodes: list[Node] = []
        self.head: Node | None = None
        self._going: list[Node] = []
        self._coming: list[threading.Thread] = []
        self._starts = threading.Lock()
        self._last = 1

    @property
    def address(self) -> str:
        """What a driver joins."""
        return f"127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a driver needs."""
        return self._env | {"RAY_ADDRESS": self.address}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: "type[BaseException] | BaseException | TracebackType | None") -> None:
        for thread in self._coming:
            thread.join()
        for node in [*self._going, *self.nodes, *([self.head] if self.head else [])]:
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_head(self) -> None:
        """Start the head, at the same address each time."""
        self.head = self._start(
            "127.0.0.1",
            ["--head", f"--port={self.port}", "--include-dashboard=false"],
            [
                f"--ray-client-server-port={self.client_port}",
                f"--temp-dir={self.folder}/ray",
                *self._head_options,
            ],
            self._head_cpus,
        )

    def add(self, num_cpus: int = 1) -> Node:
        """A node more, at an address that no node had before."""
        with self._starts:  # two that start at once choose the same socket
            self._last += 1
            ip, address = f"127.0.0.{self._last}", f"--address={self.address}"
            node = self._start(ip, [address], [], num_cpus)
            self.nodes.append(node)
        return node

    def kill(self, node: Node) -> None:
        """As `Node.kill`, and it is no more of this cluster."""
        self.nodes.remove(node)
        node.kill()

    def warn(self, node: Node) -> None:
        """SIGTERM to `ray start`, which gives notice and ends the node when it is idle, or late."""
        self.nodes.remove(node)
        self._going.append(node)
        node.process.terminate()

    def add_later(self, num_cpus: int = 1) -> None:
        """As `add`, without waiting for it."""
        thread = threading.Thread(target=self.add, args=[num_cpus])
        self._coming.append(thread)
        thread.start()

    def node_of(self, pid: int) -> Node | None:
        """Where a process runs; None when it ended."""
        return next((n for n in self.nodes if pid in n.pids()), None)

    def have(self, count: int) -> None:
        """Wait for nodes that come, then start some or end some until there are `count`."""
        for thread in self._coming:
            thread.join()
        while len(self.nodes) < count:
            self.add()
        leaving = self.nodes[count:]
        for node in leaving:
            self.warn(node)
        for node in leaving:
            wait_until(lambda n=node: n.process.poll() is not None, START_S, "a node has left")

    def _start(
        self, ip: str, first: list[str], more: list[str], num_cpus: int, tries: int = 5
    ) -> Node:
        command = [
            *RAY,
            "start",
            *first,
            "--block",
            f"--node-ip-address={ip}",
            f"--num-cpus={num_cpus}",
            f"--object-store-memory={80 * 2**20}",
            *ANY_PORT,
            *more,
        ]
        file = self.folder / f"{ip}.log"
        file.write_bytes(b"")
        with file.open("ab") as log:
            process = subprocess.Popen(
                command, env=self._env, stdout=log, stderr=log, start_new_session=True
            )

        def is_up() -> bool:
            return process.poll() is not None or "will now block" in file.read_text("utf-8")

        wait_until(is_up, START_S, "a node has started")
        if process.poll() is None:
            return Node(ip, process)
        if not tries:
            raise RuntimeError(f"a node did not start: {file.read_text('utf-8')[-2000:]}")
        return self._start(ip, first, more, num_cpus, tries - 1)


def descendants(pid: int) -> list[int]:
    """Children of a process, theirs, and so on."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs, zombies left out."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(is_so: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """Wait for a true value and return it."""
    until = time.monotonic() + timeout_s
    while not (found := is_so()):
        if time.monotonic() > until:
            raise TimeoutError(f"waited {timeout_s:g} s in vain until {what}")
        time.sleep(0.05)
    return found


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
