"""A cloud's notice that this spot machine will be taken back, told to Ray as notice to its node.

    python -m trivium.platform.cluster.spot      (on a machine of a cluster, beside `ray start`)

Ray marks the node as draining: nothing new is placed there, and training workers save at their next
step and leave. Amazon tells two minutes before, Google 30 seconds. Sources:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html and
https://cloud.google.com/compute/docs/instances/create-use-preemptible#detecting_if_an_instance_was_preempted
"""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

INTERVAL_S = 2.0
PATIENCE_S = 60.0
"""How long no cloud may answer, from the start on, before there is nothing to watch."""
_ANSWER_S = 2.0


class Cloud(Protocol):
    """Where a machine hears of its own end."""

    name: str

    def seconds_left(self) -> float | None:
        """Until the machine is taken back; None when nothing is known of it.

        Raises:
            OSError: nobody answers.
        """


class Amazon:
    """EC2's metadata service, version 2: a token first. AWS's own variable names another place."""

    name = "Amazon"

    def __init__(self) -> None:
        told = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254")
        self._at = f"{told.rstrip('/')}/latest"
        self._token = ""
        self._until = 0.0

    def seconds_left(self) -> float | None:
        """See `Cloud`."""
        if time.monotonic() > self._until:
            lasts = {"X-aws-ec2-metadata-token-ttl-seconds": "600"}
            token = _answer(f"{self._at}/api/token", lasts, "PUT")
            if token is None:
                raise OSError("another server than Amazon's")
            self._token = token
            self._until = time.monotonic() + 300
        headers = {"X-aws-ec2-metadata-token": self._token}
        text = _answer(f"{self._at}/meta-data/spot/instance-action", headers)
        if text is None:
            return None
        try:
            end = datetime.fromisoformat(json.loads(text)["time"].replace("Z", "+00:00"))
        except (ValueError, KeyError, TypeError):
            raise OSError(f"no notice of Amazon's: {text[:200]}") from None
        return max(0.0, (end - datetime.now(UTC)).total_seconds())


class Google:
    """Compute Engine's metadata server."""

    name = "Google"

    def __init__(self) -> None:
        host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
        self._at = f"http://{host}/computeMetadata/v1/instance/preempted"

    def seconds_left(self) -> float | None:
        """See `Cloud`."""
        return 30.0 if _answer(self._at, {"Metadata-Flavor": "Google"}) == "TRUE" else None


def watch(clouds: Sequence[Cloud], tell: Callable[[str, float], None]) -> str:
    """Ask the cloud that answers until it has notice and `tell(cloud, seconds)` works; what it was.

    Whatever keeps Ray from hearing of it is printed, and tried again while the machine lives.
    """
    until = time.monotonic() + PATIENCE_S
    found: Cloud | None = None
    while True:
        for cloud in [found] if found else clouds:
            try:
                left = cloud.seconds_left()
            except OSError:
                continue
            found = cloud
            if left is not None:
                said = f"{cloud.name} takes this machine back in {left:.0f} s"
                try:
                    tell(cloud.name, left)
                except Exception as error:
                    print(f"{said}, which Ray does not hear: {error}", flush=True)
                else:
                    return f"{said}: its node has notice"
            break
        if found is None and time.monotonic() > until:
            return "no cloud's metadata service answers here: there is nothing to watch"
        time.sleep(INTERVAL_S)


def give_node_notice(cloud: str, seconds: float) -> None:
    """Tell the cluster that Ray's node on this machine ends in so many seconds.

    Raises:
        RuntimeError: there is no such node, or Ray does not take the notice.
    """
    from ray._private import services
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.core.generated.autoscaler_pb2 import DrainNodeReason

    gcs = GcsClient(address=services.canonicalize_bootstrap_address_or_die(None))
    here = os.environ.get("RAY_NODE_IP_ADDRESS") or services.get_node_ip_address()
    known = gcs.get_all_node_info().items()
    own = [id for id, node in known if node.node_manager_address == here and node.state == 0]
    if not own:
        raise RuntimeError(f"no node of the cluster is at {here}")
    reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    deadline_ms = int((time.time() + seconds) * 1000)
    for id in own:
        is_taken, why = gcs.drain_node(id.hex(), reason, f"{cloud} takes it back", deadline_ms)
        if not is_taken:
            raise RuntimeError(f"Ray does not take the notice: {why}")


def _answer(url: str, headers: dict[str, str], method: str = "GET") -> str | None:
    """The text at `url`, None when there is none."""
    request = urllib.request.Request(url, headers=headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_ANSWER_S) as found:
            text: str = found.read().decode().strip()
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise
    return text


if __name__ == "__main__":
    print(watch([Amazon(), Google()], give_node_notice), flush=True)
