"""How much memory a Parquet data set larger than memory should need takes to prepare and train.

Writes random float32 columns and a 0/1 target to a temporary folder (in a process of its own, so
that its memory does not count), prepares them, trains a linear model for an epoch, and prints the
peaks. Needs three times the size on the disk.

    python benchmarks/supervised/parquet_memory.py --gigabytes 4
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

LIMIT_BYTES = 1.5 * 2**30
NUM_COLUMNS = 64
ROWS_PER_GROUP = 2**20  # what pyarrow and pandas write by default: 256 MB of these columns


def write_parquet(path: Path, gigabytes: float) -> None:
    """About `gigabytes` of rows, a row group at a time."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    random = np.random.default_rng(0)
    names = [f"x{i}" for i in range(NUM_COLUMNS)]
    schema = pa.schema([*((name, pa.float32()) for name in names), ("y", pa.int8())])
    rows_left = int(gigabytes * 2**30 / (NUM_COLUMNS * 4 + 1))
    with parquet.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        while rows_left:
            rows = min(rows_left, ROWS_PER_GROUP)
            cells = random.standard_normal((NUM_COLUMNS, rows), np.float32)
            target = (cells[0] + cells[1] > 0).astype(np.int8)
            writer.write_table(pa.table([*cells, target], schema=schema), row_group_size=rows)
            rows_left -= rows


def memory_bytes() -> dict[str, int]:
    """VmHWM (the peak so far), RssAnon and RssFile of this process."""
    status = Path("/proc/self/status").read_text()
    return {
        key: int(re.search(rf"{key}:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]
        for key in ("VmHWM", "RssAnon", "RssFile")
    }


def measure(file: Path, batch_size: int) -> dict[str, float]:
    """Prepare the file and train an epoch of a linear model."""
    import torch

    from trivium.datasets.prepare import prepare
    from trivium.datasets.settings import DatasetSettings

    torch.set_num_threads(1)
    started = time.perf_counter()
    dataset = prepare(DatasetSettings(source=str(file), target="y"))
    result: dict[str, float] = {"prepare_s": time.perf_counter() - started}
    result["prepare_peak_bytes"] = memory_bytes()["VmHWM"]
    model = torch.nn.Linear(NUM_COLUMNS, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    peaks = dict.fromkeys(("RssAnon", "RssFile"), 0)
    started, num_rows, correct = time.perf_counter(), 0, 0
    for step, batch in enumerate(dataset.batches("train", batch_size, shuffle=True).epoch(0)):
        logits = model(*batch.inputs)
        loss = torch.nn.functional.cross_entropy(logits, batch.target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        num_rows += batch.size
        correct += int((logits.argmax(1) == batch.target).sum())
        if step % 100 == 0:
            now = memory_bytes()
            peaks = {key: max(peak, now[key]) for key, peak in peaks.items()}
    result |= {
        "epoch_s": time.perf_counter() - started,
        "samples_per_s": num_rows / (time.perf_counter() - started),
        "train_accuracy": correct / num_rows,
        "rss_anon_bytes": peaks["RssAnon"],
        "rss_file_bytes": peaks["RssFile"],
        "peak_bytes": memory_bytes()["VmHWM"],
    }
    return result


def main() -> int:
    """Exit code 1 when the peak is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--batch-size", type=int, default=256)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRIVIUM_CACHE"] = f"{folder}/cache"
        file = Path(folder) / "rows.parquet"
        writer = get_context("spawn").Process(
            target=write_parquet, args=(file, arguments.gigabytes)
        )
        writer.start()
        writer.join()
        result = {"file_bytes": file.stat().st_size, **measure(file, arguments.batch_size)}
    for key, value in result.items():
        text = f"{value / 2**20:12,.0f} MB" if key.endswith("_bytes") else f"{value:12,.2f}"
        print(f"{key:20} {text}", file=sys.stderr)
    print(json.dumps(result))
    return int(result["peak_bytes"] > LIMIT_BYTES)


if __name__ == "__main__":
    sys.exit(main())
