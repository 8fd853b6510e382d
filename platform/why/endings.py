"""How a run ended, or that it goes on: rules, of which the first that applies has the word."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

from trivium.platform.phrasing import duration, plural
from trivium.platform.summary import main_score
from trivium.platform.why.evidence import Evidence, Finding

_OUT_OF_MEMORY = re.compile(
    r"out of memory|OutOfMemory|MemoryError|can't allocate memory|Cannot allocate memory"
    r"|memory usage threshold|ENOMEM",
    re.IGNORECASE,
)
_DISK_FULL = re.compile(r"No space left on device|the disk is full|Disk quota exceeded|ENOSPC")
_NO_MODULE = re.compile(r"No module named '([\w.]+)'|no module named '([\w.]+)'")
_NOT_FINITE = re.compile(r"\b(not finite|non-finite|nan|inf)\b", re.IGNORECASE)
_WORKER_LOST = re.compile(r"ActorDiedError|WorkerCrashedError|NodeDiedError|RayActorError")


def children_failed(e: Evidence) -> Finding | None:
    """A run of several seeds (or trials) fails with one of them: that one is explained."""
    failed = [c for c in e.children if c.status in ("failed", "dead")]
    if not failed or e.status == "finished":
        return None
    done = sum(c.status == "finished" for c in e.children)
    cause = ending(failed[0])
    return Finding(
        f"{done} of {plural(len(e.children), 'run')} inside it finished. "
        f"{failed[0].run.id}: {cause.sentence}",
        cause.command if cause.command.startswith("trivium train") else e.verb("resume"),
    )


def still_running(e: Evidence) -> Finding | None:
    """It runs; perhaps it is silent for too long."""
    if e.status not in ("running", "pending"):
        return None
    since = _seconds_since(e, "started")
    if not e.records:
        return Finding(
            f"It has been running for {duration(since)} and has reported nothing yet.",
            f"tail -f {e.run.log}",
        )
    intervals = [b["time_s"] - a["time_s"] for a, b in pairwise(e.records)]
    silent_s = time.time() - (e.run.path / "metrics.jsonl").stat().st_mtime
    usual_s = max(intervals, default=e.records[-1]["time_s"])
    if silent_s > max(60.0, 10 * usual_s):
        return Finding(
            f"It is running, but its last report, at {e.last_place}, is {duration(silent_s)} old, "
            f"where {duration(usual_s)} was the longest time between two: it may be stuck.",
            f"tail -f {e.run.log}",
        )
    score = main_score(e.run)
    so_far = f"; best so far: {score}" if score else ""
    return Finding(
        f"It is running since {duration(since)} and is at {e.last_place}{so_far}.", e.verb("show")
    )


def process_gone(e: Evidence) -> Finding | None:
    """Killed, or the machine went down: nobody wrote how it ended."""
    if e.status != "dead":
        return None
    at = f" after {e.last_place}" if e.records else " before its first report"
    return Finding(
        f"Its process ({e.run.info.get('pid')} on {e.run.info.get('host')}) ended{at} without "
        f"writing how: it was killed (by `kill -9`, or by the system when memory ran out), or the "
        f"machine went down. {_checkpoint(e)}",
        e.verb("resume"),
    )


def stopped_by_user(e: Evidence) -> Finding | None:
    """Ctrl-C, SIGTERM or the stop file."""
    if e.status != "stopped":
        return None
    at = f" at {e.last_place}" if e.records else " before its first report"
    return Finding(f"It was asked to stop and did so{at}. {_checkpoint(e)}", e.verb("resume"))


def not_finite(e: Evidence) -> Finding | None:
    """A loss became NaN or infinite."""
    if e.status != "failed":
        return None
    bad = next(((r, k) for r in e.records for k in r if r[k] is None and "loss" in k), None)
    if bad is None and not _NOT_FINITE.search(e.error):
        return None
    sentence = e.error
    if bad is not None and not _NOT_FINITE.search(e.error):
        sentence = f"{bad[1]} was not finite at step {bad[0]['step']:,}. {e.error}"
    advice = " A smaller learning rate is the usual cure, gradient clipping the next."
    if "smaller" in sentence:
        advice = ""
    path, lr = e.setting("algorithm.optimizer.lr", "algorithm.lr")
    command = e.train_with(path, f"{smaller(lr):g}") if isinstance(lr, int | float) else ""
    return Finding(f"It failed: {_full_stop(sentence)}{advice}", command)


def out_of_memory(e: Evidence) -> Finding | None:
    """Host or GPU memory ran out."""
    found = _first_line(_OUT_OF_MEMORY, e)
    if e.status != "failed" or found is None:
        return None
    path, batch_size = e.setting(
        "algorithm.batch_size", "algorithm.minibatch_size", "algorithm.train_batch_size"
    )
    command = e.train_with(path, max(1, batch_size // 2)) if isinstance(batch_size, int) else ""
    return Finding(
        f"Memory ran out: {_full_stop(found)} A smaller batch needs less (gradient accumulation "
        f"keeps the step the same), so does a smaller model.",
        command,
    )


def disk_full(e: Evidence) -> Finding | None:
    """The store's or the cache's disk is full."""
    found = _first_line(_DISK_FULL, e)
    if e.status != "failed" or found is None:
        return None
    return Finding(
        f"The disk is full: {_full_stop(found)} Make room first (`trivium doctor` shows where), "
        f"then go on. {_checkpoint(e)}",
        e.verb("resume"),
    )


def package_missing(e: Evidence) -> Finding | None:
    """A module cannot be imported."""
    match = _NO_MODULE.search(e.error)
    if e.status != "failed" or match is None:
        return None
    name = (match[1] or match[2]).partition(".")[0]
    return Finding(
        f"The Python module {name!r} is not installed here. If it is not a package but a file of "
        f"yours, the job must name it as file.py:Name.",
        "trivium doctor",
    )


def worker_lost(e: Evidence) -> Finding | None:
    """A Ray worker or its node went away."""
    found = _first_line(_WORKER_LOST, e)
    if e.status != "failed" or found is None:
        return None
    return Finding(
        f"A worker of the cluster was lost: {_full_stop(found)} Often its node ran out of memory "
        f"or was taken back. {_checkpoint(e)}",
        e.verb("resume"),
    )


def failed_otherwise(e: Evidence) -> Finding | None:
    """Any other failure: its own words."""
    if e.status != "failed":
        return None
    at = f"after {e.last_place}" if e.records else "before its first report"
    error = e.error or (e.log.strip().splitlines() or ["it left no error and no log"])[-1]
    return Finding(f"It failed {at}: {_full_stop(error)}", f"tail -n 40 {e.run.log}")


def finished(e: Evidence) -> Finding | None:
    """It ended as it should."""
    if e.status != "finished":
        return None
    score = main_score(e.run)
    best = e.run.result.get("best_step")
    at = f", at best step {best:,}" if isinstance(best, int) else ""
    return Finding(
        f"It finished{f': {score}{at}' if score else ''}.",
        e.verb("evaluate") if not e.children else e.verb("show"),
    )


ENDINGS: tuple[Callable[[Evidence], Finding | None], ...] = (
    children_failed,
    still_running,
    process_gone,
    stopped_by_user,
    not_finite,
    out_of_memory,
    disk_full,
    package_missing,
    worker_lost,
    failed_otherwise,
    finished,
)


def ending(e: Evidence) -> Finding:
    """The first rule that applies."""
    for rule in ENDINGS:
        finding = rule(e)
        if finding is not None:
            return finding
    return Finding(f"Its status is {e.status}.")


def smaller(lr: float) -> float:
    """A learning rate to try when this one was too large."""
    return lr / 10 if lr <= 1 else 0.001


def _checkpoint(e: Evidence) -> str:
    saved = e.run.saved("last")
    if saved is None:
        return "It saved no checkpoint, so resuming starts from the beginning."
    return f"It goes on from its checkpoint of step {saved.step:,}."


def _first_line(pattern: re.Pattern[str], e: Evidence) -> str | None:
    """The error, or the last line of the log, that the pattern is found in."""
    for line in (*reversed(e.error.splitlines()), *reversed(e.log.splitlines())):
        if pattern.search(line):
            return line.strip()[:300]
    return None


def _seconds_since(e: Evidence, key: str) -> float | None:
    text = e.run.info.get(key)
    return (datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds() if text else None


def _full_stop(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
