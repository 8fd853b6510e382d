"""The file of columns: any Arrow reader can read it, and no more is in memory than is asked for."""

import os
import re
import resource
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import ipc

from trivium.datasets import rows
from trivium.datasets.column_file import ColumnFileWriter, ColumnSpec, read_columns
from trivium.datasets.mapped_file import MappedFile


def test_columns_are_filled_in_any_order_and_read_by_arrow(tmp_path):
    specs = {
        "row": ColumnSpec(np.dtype(np.int64)),
        "x": ColumnSpec(np.dtype(np.float32), 2),
        "tokens": ColumnSpec(np.dtype(np.int32), None, np.array([2, 2, 5], np.int64)),
    }
    path = tmp_path / "columns.arrow"
    with ColumnFileWriter(path, 3, specs) as file:
        file.write("tokens", 2, np.array([7, 8, 9]))
        file.write("x", 1, np.array([[3, 4], [5, 6]]))
        file.write("row", 0, np.array([[10], [11], [12]]))
        file.write("tokens", 0, np.array([5, 6]))
        file.write("x", 0, np.array([[1, 2]]))
    assert [p.name for p in tmp_path.iterdir()] == ["columns.arrow"]
    table = ipc.open_file(str(path)).read_all()
    assert table.to_pylist() == [
        {"row": 10, "x": [1, 2], "tokens": [5, 6]},
        {"row": 11, "x": [3, 4], "tokens": []},
        {"row": 12, "x": [5, 6], "tokens": [7, 8, 9]},
    ]
    columns = read_columns(MappedFile(path))
    assert columns["x"].cells.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert columns["row"].cells.tolist() == [[10], [11], [12]]
    assert columns["tokens"].starts.tolist() == [0, 2, 2, 5]


def test_a_file_for_many_gigabytes_takes_no_room_until_it_is_filled(tmp_path):
    specs = {"x": ColumnSpec(np.dtype(np.float32), 1000)}
    path = tmp_path / "columns.arrow"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with ColumnFileWriter(path, 5_000_000, specs) as file:
        file.write("x", 4_999_999, np.ones((1, 1000)))
    assert path.stat().st_size > 20e9
    assert path.stat().st_blocks * 512 < 1e6
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB
    assert read_columns(MappedFile(path))["x"].cells[-1].sum() == 1000


def test_a_mapped_file_is_private_to_the_process(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(8))
    cells = MappedFile(path).array(np.frombuffer(MappedFile(path).buffer(), np.uint8)[:0])
    assert cells.size == 0
    mapped = MappedFile(path)
    view = mapped.array(np.frombuffer(mapped.buffer(), np.uint8))
    view[0] = 7
    assert path.read_bytes() == bytes(8)


def resident_file_bytes() -> int:
    """Pages of mapped files in memory."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssFile:\s+(\d+) kB", status)[1]) * 1024


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux's /proc")
def test_an_epoch_over_a_large_file_keeps_few_of_its_pages(make, tmp_path, monkeypatch):
    table = pa.table({"x": wide_rows(), "y": np.arange(5_000) % 2})
    with ipc.new_file(str(tmp_path / "wide.arrow"), table.schema) as writer:
        writer.write_table(table)  # 20 MB
    settings = {"source": f"{tmp_path}/wide.arrow", "target": "y"}

    def most_resident() -> int:
        dataset = make(**settings)
        start, peak = resident_file_bytes(), 0
        for batch in dataset.batches("train", 50, shuffle=True).epoch(0):
            peak = max(peak, resident_file_bytes() - start)
            assert batch.inputs[0].shape[1:] == (1000,)
        return peak

    assert most_resident() > 14e6  # a small file may stay
    monkeypatch.setattr(rows, "MOST_MAPPED", 2**20)
    assert most_resident() < 3e6


@pytest.mark.parametrize("name", ["digits", "reuters-r8", "movielens-100k"])
def test_rows_that_are_read_are_those_that_are_mapped(name, make, monkeypatch):
    dataset = make(source=name)
    settings = {"batch_size": 100, "shuffle": True, "rank": 1, "world_size": 2}
    mapped = list(dataset.batches("validation", **settings).epoch(0))
    monkeypatch.setattr(rows, "MOST_MAPPED", 0)
    read = list(dataset.batches("validation", **settings).epoch(0))
    for a, b in zip(mapped, read, strict=True):
        for x, y in zip((*a.inputs, a.target, a.rows), (*b.inputs, b.target, b.rows), strict=True):
            assert x.dtype == y.dtype and torch.equal(x, y)


def wide_rows() -> pa.FixedSizeListArray:
    cells = np.random.default_rng(0).standard_normal((5_000, 1000), np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(cells.reshape(-1)), 1000)
