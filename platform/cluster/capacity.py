"""What a cluster has, what it could grow to, and why something waits for it."""

import json
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trivium.platform.cluster.client import Cluster
from trivium.platform.cluster.demand import Ask, Demand, amounts_text
from trivium.platform.errors import RunFailed

KINDS = ("CPU", "GPU")
GROWTH_S = 60.0
"""How long the question what the cluster may grow to may take."""


@dataclass(frozen=True)
class NodeKind:
    """A kind of node that the autoscaler may add."""

    name: str
    each: Mapping[str, float]
    most: int

    def __str__(self) -> str:
        return f"up to {self.most} x {self.name} ({amounts_text(self.each)})"


@dataclass(frozen=True)
class Capacity:
    """A cluster at one moment."""

    nodes: Sequence[Mapping[str, float]]
    """CPU and GPU of each living node."""
    used: Mapping[str, float]
    hostnames: frozenset[str] = frozenset()
    kinds: Sequence[NodeKind] = ()
    """What the autoscaler may add; empty when it adds nothing, or was not asked."""
    starting: Mapping[str, int] = field(default_factory=dict)
    """Nodes on their way, by kind."""
    failures: Sequence[str] = ()
    """Why nodes did not come."""

    @property
    def total(self) -> dict[str, float]:
        """CPU and GPU of all nodes."""
        return {kind: sum(n.get(kind, 0.0) for n in self.nodes) for kind in KINDS}

    @property
    def free(self) -> dict[str, float]:
        """What nobody reserves now."""
        return {kind: amount - self.used.get(kind, 0.0) for kind, amount in self.total.items()}

    def __str__(self) -> str:
        count = len(self.nodes)
        has = {k: v for k, v in self.total.items() if v or k == "CPU"}
        text = f"{amounts_text(has)} on {count} node{'s' if count != 1 else ''}"
        return f"{text}, {amounts_text({k: self.free[k] for k in has})} free"

    def shortage(self, demand: Demand) -> str | None:
        """What of `demand` this cluster cannot give even when it is idle; None when it can."""
        total = self.total
        for kind, asked in demand.total.items():
            if asked > total.get(kind, 0.0):
                return f"asked {asked:g} {kind}s, the cluster has {total.get(kind, 0.0):g}"
        for ask in demand.asks:
            if not any(_fits(ask.each, node) for node in self.nodes):
                return f"no node has {amounts_text(ask.each)} for {ask.what}"
        return None

    def growth(self, demand: Demand) -> str:
        """Whether the nodes that may come would be enough, in a sentence."""
        if not self.kinds:
            return "no autoscaler adds nodes to it"
        kinds = ", ".join(map(str, self.kinds))
        lacking = [a for a in demand.asks if not self._could_fit(a)]
        grown = self.grown()
        short = [k for k, v in demand.total.items() if v > grown.get(k, 0.0)]
        if lacking or short:
            return f"its autoscaler may add {kinds}, which is not enough"
        return f"its autoscaler may add {kinds}"

    def grown(self) -> dict[str, float]:
        """CPU and GPU with every node that may come."""
        total = self.total
        for kind in self.kinds:
            for name in KINDS:
                total[name] += kind.most * kind.each.get(name, 0.0)
        return total

    def could_hold(self, demand: Demand) -> bool:
        """Enough, now or grown."""
        grown = self.grown()
        enough = all(v <= grown.get(k, 0.0) for k, v in demand.total.items())
        return enough and all(self._could_fit(a) for a in demand.asks)

    def _could_fit(self, ask: Ask) -> bool:
        return any(_fits(ask.each, n) for n in (*self.nodes, *(k.each for k in self.kinds)))


def read_capacity(cluster: Cluster, kinds: Sequence[NodeKind] = ()) -> Capacity:
    """Ask the head."""
    summary = cluster.get("/nodes?view=summary")["data"]["summary"]
    alive = [n for n in summary if n.get("raylet", {}).get("state") == "ALIVE"]
    status = cluster.get("/api/cluster_status")["data"].get("clusterStatus") or {}
    usage = (status.get("loadMetricsReport") or {}).get("usage") or {}
    report = status.get("autoscalerReport") or {}
    return Capacity(
        nodes=[
            {kind: float(n["raylet"].get("resourcesTotal", {}).get(kind, 0.0)) for kind in KINDS}
            for n in alive
        ],
        used={kind: float(usage[kind][0]) for kind in KINDS if kind in usage},
        # The node's own `hostname` comes with its first report, a while after it lives.
        hostnames=frozenset(str(n["raylet"].get("nodeManagerHostname")) for n in alive),
        kinds=kinds,
        starting=_starting(report),
        failures=[str(f) for f in report.get("failedNodes") or ()],
    )


def read_kinds(cluster: Cluster, python: str) -> list[NodeKind]:
    """The nodes that the autoscaler may add: only the head's own store knows, so a job asks it.

    It reserves nothing, so it runs on any cluster, and is taken off the list of jobs again.
    """
    client = cluster.jobs
    asked = client.submit_job(entrypoint=f"{python} -c {shlex.quote(_QUESTION)}")
    until = time.monotonic() + GROWTH_S
    while not client.get_job_status(asked).is_terminal():
        if time.monotonic() > until:
            client.stop_job(asked)
            return []
        time.sleep(0.3)
    answer = client.get_job_logs(asked)
    client.delete_job(asked)
    for line in answer.splitlines():
        if line.startswith("{") and "node_kinds" in line:
            rows = json.loads(line)["node_kinds"]
            return [NodeKind(r["name"], r["each"], r["most"]) for r in rows if r["most"] > 0]
    return []


def fits_or_explain(cluster: Cluster, demand: Demand, python: str) -> tuple[Capacity, str | None]:
    """The cluster, and a sentence when it must grow for `demand`.

    Raises:
        RunFailed: it has too little and cannot grow enough: the job would wait for ever.
    """
    capacity = read_capacity(cluster)
    shortage = capacity.shortage(demand)
    if shortage is None:
        return capacity, None
    grown = read_capacity(cluster, read_kinds(cluster, python))
    text = f"{shortage}; {grown.growth(demand)}"
    if not grown.could_hold(demand):
        raise RunFailed(
            f"the job would wait for ever: {text}. Ask less "
            f"(--set resources.num_workers=..., resources.cpus_per_worker), or add nodes"
        )
    return grown, text


def _starting(report: Mapping[str, Any]) -> dict[str, int]:
    starting = {str(k): int(v) for k, v in (report.get("pendingLaunches") or {}).items()}
    for pending in report.get("pendingNodes") or ():
        name = str(pending[1] if isinstance(pending, list) and len(pending) > 1 else pending)
        starting[name] = starting.get(name, 0) + 1
    return starting


def _fits(each: Mapping[str, float], node: Mapping[str, float]) -> bool:
    return all(amount <= node.get(name, 0.0) for name, amount in each.items())


_QUESTION = """
import json, os, ray
ray.init(os.environ["RAY_ADDRESS"], log_to_driver=False, logging_level="ERROR")
from ray._private.state import state
config = state.get_cluster_config()
groups = config.node_group_configs if config else []
rows = [{"name": g.name, "most": g.max_count, "each": dict(g.resources)} for g in groups]
print(json.dumps({"node_kinds": rows}))
"""
"""Runs on the head, which has Ray but maybe no Trivium."""
