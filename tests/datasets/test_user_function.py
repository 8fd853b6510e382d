"""A function of the user's as the source, and what it may give."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from trivium.datasets.sources.user_function import FunctionSource
from trivium.platform.errors import UserError

CELLS = {"x": np.arange(40.0), "y": np.arange(40) % 2}
calls: list[int] = []


def as_dict() -> dict[str, Any]:
    return dict(CELLS)


def as_table() -> pa.Table:
    return pa.table(CELLS)


def as_frame() -> pd.DataFrame:
    return pd.DataFrame(CELLS)[lambda frame: frame.x >= 0]


def as_batches() -> Iterator[pa.RecordBatch]:
    for start in range(0, 40, 7):
        yield pa.record_batch({name: cells[start : start + 7] for name, cells in CELLS.items()})


@pytest.mark.parametrize("function", [as_dict, as_table, as_frame, as_batches])
def test_a_table_a_frame_a_dict_and_batches_are_the_same_rows(function, make):
    dataset = make(source=f"{__file__}:{function.__name__}", target="y")
    assert dataset.inputs[0].columns == ("x",)
    order = np.argsort(dataset.columns["row"].cells[:, 0])
    assert dataset.columns["x"].cells[order, 0].tolist() == CELLS["x"].tolist()
    assert dataset.columns["target"].cells[order, 0].tolist() == CELLS["y"].tolist()


def test_arrays_of_images_are_images(make):
    dataset = make(source=f"{__file__}:colours", target="label", split={"validation": 0, "test": 0})
    assert dataset.facts["input_shape"] == (3, 4, 5)
    assert np.array_equal(dataset.example(7, "train"), colours()["image"][7])
    statistics = dataset.state()["inputs"][0]["statistics"]
    channels = colours()["image"].reshape(-1, 3)
    assert statistics["mean"] == pytest.approx(channels.mean(0))
    assert statistics["std"] == pytest.approx(channels.std(0))
    x = next(dataset.batches("train", 30).epoch(0)).inputs[0]
    expected = (colours()["image"][7] - channels.mean(0)) / channels.std(0)
    assert x[7].permute(1, 2, 0).numpy() == pytest.approx(expected, abs=1e-5)


def colours() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "image": random.integers(0, 256, (30, 4, 5, 3), np.uint8),
        "label": np.arange(30) % 3,
    }


def test_rows_of_vectors_are_one_column_each(make):
    dataset = make(source=f"{__file__}:vectors", target="y", inputs=["v"])
    assert dataset.inputs[0].columns == ("v[0]", "v[1]", "v[2]")


def vectors() -> dict[str, np.ndarray]:
    return {"v": np.random.default_rng(0).normal(size=(30, 3)), "y": np.arange(30) % 2}


def test_a_package_and_a_function_name_a_source(make):
    with pytest.raises(UserError) as error:
        make(source="collections:OrderedDict", target="y")
    assert str(
        error.value
    ) == "dataset.source: collections:OrderedDict gives no rows; it should " + (
        "give a pyarrow Table, a pandas DataFrame, a dict of arrays, or an iterator of record "
        "batches"
    )


def test_rows_that_change_make_another_data_set(make, tmp_path):
    code = f"{tmp_path}/mine.py"
    Path(code).write_text(
        "from pathlib import Path\n"
        "def rows():\n"
        f"    x = [float(v) for v in Path({str(tmp_path)!r}, 'x.txt').read_text().split()]\n"
        "    return {'x': x, 'y': [i % 2 for i in range(len(x))]}\n"
    )
    prints = []
    for last in (8, 9):
        (tmp_path / "x.txt").write_text(f"1 2 3 4 5 6 7 {last}")
        split = {"validation": 0, "test": 0}
        prints.append(make(source=f"{code}:rows", target="y", split=split).fingerprint)
    assert prints[0] != prints[1]


def fails() -> None:
    raise KeyError("city")


def changes() -> Iterator[pa.RecordBatch]:
    calls.append(len(calls))
    yield pa.record_batch({"x": np.arange(40.0) + len(calls), "y": np.arange(40) % 2})


def uneven() -> dict[str, Any]:
    return {"x": [1, 2, 3], "y": [1, 2]}


def mixed() -> Iterator[pa.RecordBatch]:
    yield pa.record_batch({"x": [1.0]})
    yield pa.record_batch({"x": ["1"]})


def yields_rows() -> Iterator[dict[str, Any]]:
    yield {"x": 1}


def gives_number() -> int:
    return 3


GIVES = (
    "it should give a pyarrow Table, a pandas DataFrame, a dict of arrays, or an iterator of "
    "record batches"
)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (fails, f"fails in line {fails.__code__.co_firstlineno + 1}: KeyError: 'city'"),
        (changes, "gives other rows each time that it is called; seed what is random"),
        (uneven, "gives columns of different lengths: x 3, y 2"),
        (mixed, "gives batches of different columns: x (double), then x (string)"),
        (yields_rows, "yields dict; it should yield record batches"),
        (gives_number, f"gives int; {GIVES}"),
    ],
)
def test_a_function_that_cannot_be_a_source_says_why(function, message):
    source = FunctionSource("mine.py:rows", function)
    with pytest.raises(UserError) as error:
        source.identity()
        list(source.batches(["x"]))
    assert str(error.value) == f"dataset.source: mine.py:rows {message}"
