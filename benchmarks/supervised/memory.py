"""The resident memory of `trivium train` on a Parquet file that is larger than it may use."""

import json
import os
import re
import shutil
import subprocess
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from parquet_memory import LIMIT_BYTES, write_parquet
from subjects import HERE, TRIVIUM, Failed


def measure_memory(work: Path, gigabytes: float) -> dict[str, Any]:
    """Write about `gigabytes` of Parquet, train one epoch on it, watch from outside, delete it.

    Returns:
        the file's size, seconds, samples per second, and the greatest resident memory of any
        process of the run (`peak_bytes`: the kernel's own VmHWM, file pages included), with the
        largest part of it that is not of mapped files (`peak_anonymous_bytes`).
    """
    folder = work / "memory"
    folder.mkdir(parents=True)
    try:
        file = folder / "rows.parquet"
        # In a process of its own: what writing takes is not of interest.
        writer = get_context("spawn").Process(target=write_parquet, args=(file, gigabytes))
        writer.start()
        writer.join()
        found = {"file_bytes": file.stat().st_size, "limit_bytes": int(LIMIT_BYTES)}
        return {**found, **_train(folder, file)}
    finally:
        shutil.rmtree(folder)


def _train(folder: Path, file: Path) -> dict[str, Any]:
    command = [str(TRIVIUM), "train", str(HERE / "jobs" / "parquet.yaml")]
    command += ["--set", f"dataset.source={file}"]
    command += ["--store", str(folder / "runs")]
    began = time.perf_counter()
    with (folder / "printed.txt").open("w+") as printed:
        process = subprocess.Popen(
            command,
            stdout=printed,
            stderr=subprocess.STDOUT,
            env=os.environ | {"TRIVIUM_CACHE": str(folder / "cache")},
        )
        peaks: dict[str, int] = {}
        while process.poll() is None:
            for pid in _tree(process.pid):
                for key, value in _memory(pid).items():
                    peaks[key] = max(peaks.get(key, 0), value)
            time.sleep(0.05)
        if process.returncode != 0:
            printed.seek(0)
            raise Failed(f"{' '.join(command)}\n{printed.read()[-4000:]}")
    (run,) = (folder / "runs").iterdir()
    result = json.loads((run / "result.json").read_text())
    return {
        "peak_bytes": peaks["VmHWM"],
        "peak_anonymous_bytes": peaks["RssAnon"],
        "whole_s": time.perf_counter() - began,
        "first_step_s": result["first_step_s"],
        "samples_per_s": result["samples_per_s"],
    }


def _tree(pid: int) -> list[int]:
    """`pid` and the processes that it started."""
    found = [pid]
    for process in found:
        try:
            children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        except OSError:
            continue
        found.extend(map(int, children))
    return found


def _memory(pid: int) -> dict[str, int]:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}  # it has just ended
    found = re.findall(r"^(VmHWM|RssAnon):\s+(\d+) kB", status, re.M)
    return {key: int(value) * 1024 for key, value in found}
