"""A Ray that stays up between commands: `trivium up` starts it, the same folder's commands find it.

`.trivium/cluster.json` in the working directory says where it is and which processes it consists
of; another folder has another file, so no project joins another's by accident. A process id alone
may since be another program's: with its start time it names one process, so a record of dead
processes is seen for what it is, and `down` ends nothing else.
"""

import contextlib
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from trivium.platform.cluster.address import PROJECT_FOLDER, project_folder
from trivium.platform.errors import RunFailed, UserError
from trivium.platform.run import process_started, read_json, utc_now, write_json

RECORD = "cluster.json"
PREFIX = "trivium-up-"
CORE = ("gcs_server", "raylet")
"""Without these a Ray is none; its other processes may come and go."""
START_S = 300
PATIENT = {"RAY_DASHBOARD_STARTUP_TIMEOUT_S": str(START_S)}
"""On a busy machine the dashboard takes longer than the 60 s that Ray gives it."""
STOP_S = 5.0


@dataclass(frozen=True)
class WarmCluster:
    """A running Ray of this project on this machine."""

    address: str
    """Where programs join it, host:port."""
    dashboard: str
    """Its dashboard and job server, http://127.0.0.1:PORT."""
    folder: str
    """Ray's files, and the token; in the machine's folder for temporary files."""
    project: str
    """The working directory that it belongs to."""
    python: str
    """The environment that its workers run in."""
    num_cpus: int
    user_id: int
    processes: Mapping[str, Sequence[int]]
    """Name -> process id and kernel start time."""
    started: str

    @property
    def token_file(self) -> Path:
        """Readable by this user alone; outside of the project, so it is in no upload."""
        return Path(self.folder) / "token"

    @property
    def environment(self) -> dict[str, str]:
        """What Ray reads of whoever talks to this cluster."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.token_file)}

    @property
    def is_alive(self) -> bool:
        """Its core is the processes that were started then."""
        return all(name in self.processes and _lives(self.processes[name]) for name in CORE)


def find_warm(project: Path | None = None) -> WarmCluster | None:
    """The running cluster of the working directory; None: none was started, or it is dead.

    Raises:
        UserError: it runs in another Python environment than this one.
    """
    found = read_record(project)
    if found is None or not found.is_alive:
        return None
    if found.python != sys.executable:
        raise UserError(
            f"this folder's cluster runs in {found.python}, this command in {sys.executable}: "
            f"`trivium down`, then `trivium up` with the environment that you want"
        )
    return found


def read_record(project: Path | None = None) -> WarmCluster | None:
    """What the working directory's record says, dead or alive; None when it is not this user's."""
    file = (project or Path()) / PROJECT_FOLDER / RECORD
    if not file.is_file():
        return None
    found = WarmCluster(**read_json(file))
    is_ours = found.user_id == os.getuid() == file.stat().st_uid
    is_here = Path(found.project) == (project or Path()).resolve()  # a copied folder has no cluster
    return found if is_ours and is_here else None


def start_warm(num_cpus: int, environment: Mapping[str, str]) -> WarmCluster:
    """Start a Ray for the working directory, on loopback, behind a token of its own.

    Args:
        num_cpus: CPUs that it offers; it keeps as many worker processes ready.
        environment: what its processes inherit besides this process's variables.

    Raises:
        RunFailed: Ray did not start; with its last words.
    """
    old = read_record()
    if old is not None:
        stop_warm(old)  # the rest of a dead one
    base = Path("/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))  # short: sockets' paths are
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32), encoding="utf-8")
    ports = _free_ports(6)
    command = [
        *(plain_python(folder), "-c", "from ray.scripts.scripts import main; main()"),
        *("start", "--head", "--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1"),
        *(f"--port={ports[0]}", f"--dashboard-port={ports[1]}"),
        *(f"--dashboard-agent-listen-port={ports[2]}", f"--metrics-export-port={ports[3]}"),
        *(f"--dashboard-agent-grpc-port={ports[4]}", f"--ray-client-server-port={ports[5]}"),
        *(f"--num-cpus={num_cpus}", f"--temp-dir={folder}", "--disable-usage-stats"),
        f"--object-store-memory={100 * 2**20}",
    ]
    cluster = WarmCluster(
        address=f"127.0.0.1:{ports[0]}",
        dashboard=f"http://127.0.0.1:{ports[1]}",
        folder=str(folder),
        project=str(Path().resolve()),
        python=sys.executable,
        num_cpus=num_cpus,
        user_id=os.getuid(),
        processes={},
        started=utc_now(),
    )
    variables = {k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS", "RAY_AUTH_TOKEN")}
    words = folder / "start.log"  # a pipe would stay open as long as Ray lives
    with words.open("w") as log:
        started = subprocess.run(
            ["timeout", str(START_S), *command],
            env={**PATIENT, **variables, **environment, **cluster.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
            start_new_session=True,  # a Ctrl-C at this terminal is not meant for it
        )
    cluster = WarmCluster(**{**asdict(cluster), "processes": dict(_processes_of(folder))})
    write_json(project_folder() / RECORD, asdict(cluster))
    if started.returncode != 0 or not cluster.is_alive:
        last = [line for line in words.read_text().splitlines() if line.strip()][-1:]
        stop_warm(cluster)
        raise RunFailed(f"Ray did not start: {last[0] if last else 'it said nothing'}")
    return cluster


def plain_python(folder: Path) -> str:
    """This environment's interpreter, through a link in `folder` where its own path has a space.

    Ray starts its workers by a shell's command line in which it quotes nothing.
    """
    own = Path(sys.executable)
    if shlex.quote(str(own)) == str(own):
        return str(own)
    link = folder / "environment"
    link.symlink_to(own.parent.parent)
    return str(link / own.parent.name / own.name)


def stop_warm(cluster: WarmCluster) -> int:
    """End the processes of this cluster and no other; returns how many there were."""
    # Processes that came since, such as a restarted agent, are known by the folder they work in.
    known = {tuple(p) for p in cluster.processes.values()}
    known |= {tuple(p) for _, p in _processes_of(Path(cluster.folder))}
    living = [p for p in known if _lives(p)]
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        for pid, started in living:
            if _lives((pid, started)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal_number)
        until = time.monotonic() + STOP_S
        while any(map(_lives, living)) and time.monotonic() < until:
            time.sleep(0.1)
    if Path(cluster.folder).name.startswith(PREFIX):
        shutil.rmtree(cluster.folder, ignore_errors=True)
    (Path(cluster.project) / PROJECT_FOLDER / RECORD).unlink(missing_ok=True)
    return len(living)


def _processes_of(folder: Path) -> Iterator[tuple[str, list[int]]]:
    """Processes whose command line names the folder: Ray gives it to each of its own."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if not any(f"{folder}/" in word for word in words):
            continue
        started = process_started(int(entry.name))
        if started is not None:
            name = next((c for c in CORE if words[0].endswith(f"/{c}")), f"process {entry.name}")
            yield name, [int(entry.name), started]


def _lives(process: Sequence[int]) -> bool:
    pid, started = process
    return process_started(pid) == started


def _free_ports(count: int) -> list[int]:
    """Ports that nobody uses now, all different since they are held open together."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def describe(cluster: WarmCluster) -> list[tuple[str, str]]:
    """Lines for the screen."""
    return [
        ("address", cluster.address),
        ("dashboard", cluster.dashboard),
        ("token", f"in {cluster.token_file}, of this user alone"),
        ("CPUs", f"{cluster.num_cpus}, with as many workers ready"),
        ("belongs to", cluster.project),
    ]


def as_json(cluster: WarmCluster) -> str:
    """The record, for programs."""
    return json.dumps(asdict(cluster))
