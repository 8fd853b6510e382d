"""Follow a job to its end from a terminal that may go away: the job does not notice.

The head keeps the job's output, so whoever comes later reads it from its beginning.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from trivium.platform.cluster.capacity import Capacity, read_capacity
from trivium.platform.cluster.client import Cluster, Unreachable
from trivium.platform.cluster.demand import amounts_text
from trivium.platform.console import Console
from trivium.platform.errors import RunFailed, TriviumError, UserError
from trivium.platform.interrupt import Interrupted

ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
POLL_S = 1.0
QUIET_S = 8.0
"""After so long without a word, the cluster is asked what the job waits for."""
PATIENCE_S = 600.0
"""How long a head that does not answer is waited for."""
NOISE = re.compile(
    r"Running entrypoint for job .*"
    r"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\t(INFO|WARNING) .*"
    r"|\[\d{4}-\d\d-\d\d .*(core_worker|gcs_|raylet).*"
    r"|.*Tip: (In|To|For) .*"
)
"""What Ray itself writes into a job's output."""


@dataclass
class Follower:
    """Prints a job's output as it comes and, while nothing comes, why."""

    cluster: Cluster
    job_id: str
    console: Console
    verbose: bool = False
    waits_for: Callable[[Capacity], str | None] = lambda _: None
    """What the job asked for that the cluster does not have now, when that is known."""

    def follow(self) -> None:
        """Return when the job has succeeded.

        Raises:
            RunFailed: it failed, or the head does not answer any more.
            UserError: the job's command ended with the user's mistake (it printed which).
            Interrupted: it was stopped.
            KeyboardInterrupt: Ctrl-C: the job goes on.
        """
        last_word, told = time.monotonic(), ""
        lost_since: float | None = None
        printed = 0
        while True:
            try:
                info = self.cluster.job(self.job_id)
                output = _output(self.cluster, self.job_id) if info["status"] != "PENDING" else ""
                if lost_since is not None:
                    self.console.say("the head answers again")
                    lost_since = None
            except Unreachable as error:
                lost_since = self._wait_for_head(error, lost_since)
                continue
            has_ended = info["status"] in ENDED
            fresh, printed = _new_lines(output, printed, whole=has_ended)
            if fresh:
                last_word = time.monotonic()
                for line in _without_noise(fresh, self.verbose):
                    self.console.say(line)
            if has_ended:
                raise_unless_succeeded(info)
                return
            patience = 2 * POLL_S if info["status"] == "PENDING" else QUIET_S
            if time.monotonic() - last_word > patience:
                told = self._tell_waiting(info, told)
            time.sleep(POLL_S)

    def _tell_waiting(self, info: dict[str, Any], told: str) -> str:
        """Say what the job waits for, when that is new."""
        try:
            capacity = read_capacity(self.cluster)
        except TriviumError:
            return told
        reason = why_waiting(info, capacity, self.waits_for(capacity))
        if reason and reason != told:
            self.console.say(reason)
        return reason or told

    def _wait_for_head(self, error: Unreachable, since: float | None) -> float:
        now = time.monotonic()
        if since is None:
            self.console.say(f"{error}; the job may well go on; trying again ...")
            since = now
        if now - since > PATIENCE_S:
            raise RunFailed(
                f"{self.cluster.address} has not answered for {PATIENCE_S:.0f} s; "
                f"`trivium attach {self.job_id}` tries again, the run is in the store"
            ) from None
        time.sleep(2 * POLL_S)
        return since


def shown_lines(cluster: Cluster, job_id: str, verbose: bool) -> Iterator[str]:
    """What a job has written so far, without Ray's own words unless `verbose`."""
    cluster.job(job_id)  # tells when there is none
    return _without_noise(_output(cluster, job_id).splitlines(), verbose)


def stop(cluster: Cluster, job_id: str, console: Console) -> None:
    """Ask a job to end and wait until it has saved."""
    if cluster.job(job_id)["status"] in ENDED:
        console.say(f"{job_id} has ended already: {cluster.job(job_id)['status'].lower()}")
        return
    cluster.jobs.stop_job(job_id)
    console.say(f"{job_id}: asked to finish its step and save ...")
    while (info := cluster.job(job_id))["status"] not in ENDED:
        time.sleep(POLL_S)
    console.say(f"{job_id}: {info['status'].lower()}; `trivium resume RUN` goes on")


def why_waiting(info: dict[str, Any], capacity: Capacity, lacking: str | None) -> str | None:
    """Why a job has not begun, or its workers have not; None when it just computes."""
    coming = ", ".join(f"{n} x {kind}" for kind, n in capacity.starting.items() if n)
    more = f"; the autoscaler starts {coming}" if coming else ""
    if capacity.failures:
        more += f"; nodes that failed to start: {'; '.join(capacity.failures[:2])}"
    if info["status"] == "PENDING":
        reason = lacking or "its environment is being set up, or others use what it needs"
        return f"pending: {reason}; the cluster has {capacity}{more}"
    if coming:
        return f"waiting for resources: the cluster has {capacity}{more}"
    if lacking and not any(capacity.free.values()):
        return f"waiting for resources: {lacking}; the cluster has {capacity}"
    return None


def waiting_reason(command: dict[str, float]) -> Callable[[Capacity], str | None]:
    """What a pending command lacks, told from what it reserves."""

    def lacking(capacity: Capacity) -> str | None:
        for kind, asked in command.items():
            total, free = capacity.total.get(kind, 0.0), capacity.free.get(kind, 0.0)
            if asked > total:
                return f"asked {amounts_text(command)}, more than there is"
            if asked > free:
                return f"asked {amounts_text(command)}, and others use what there is"
        return None

    return lacking


def raise_unless_succeeded(info: dict[str, Any]) -> None:
    """End as the command itself would have ended here."""
    status = info["status"]
    if status == "SUCCEEDED":
        return
    if status == "STOPPED":
        raise Interrupted(f"{info['submission_id']}: stopped")
    code = info.get("driver_exit_code")
    if code == UserError.exit_code:
        raise UserError(f"{info['submission_id']}: failed; the lines above say what to mend")
    if code == Interrupted.exit_code:
        raise Interrupted(f"{info['submission_id']}: stopped after saving")
    if code is not None and code > 0:
        raise RunFailed(f"{info['submission_id']}: failed (exit code {code})")
    raise RunFailed(f"{info['submission_id']}: failed: {_of_ray(info)}")


def _output(cluster: Cluster, job_id: str) -> str:
    return str(cluster.get(f"/api/jobs/{job_id}/logs")["logs"])


def _without_noise(lines: list[str], verbose: bool) -> Iterator[str]:
    return (line for line in lines if verbose or not NOISE.fullmatch(_plain(line)))


def _of_ray(info: dict[str, Any]) -> str:
    """Ray's own sentence about a job, its first line."""
    message = str(info.get("message") or "no reason given").strip()
    return message.splitlines()[0]


def _new_lines(output: str, printed: int, *, whole: bool) -> tuple[list[str], int]:
    """The lines that came since `printed` characters; a last line without end waits for its end."""
    fresh = output[printed:]
    end = len(fresh) if whole else fresh.rfind("\n") + 1
    return fresh[:end].splitlines(), printed + end


def _plain(line: str) -> str:
    """Without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)
