"""The same rows in any kind of file, in any place, are the same data set; and what is wrong with
a file is said in one line.
"""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, feather, ipc, parquet

from trivium.datasets.find_source import find_source
from trivium.datasets.sources.idx_folder import idx_folder
from trivium.platform.errors import UserError


def houses(num_rows: int = 200) -> pa.Table:
    random = np.random.default_rng(0)
    return pa.table(
        {
            "area": random.uniform(20, 200, num_rows).round(1),
            "rooms": random.integers(1, 7, num_rows),
            "city": random.choice(["Delft", "Lyon", "上海"], num_rows),
            "price": random.uniform(1, 9, num_rows).round(3),
        }
    )


INPUTS = {"area": "number", "rooms": "number", "city": "category"}


def write_json_lines(table: pa.Table, path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()), "utf-8")


def write_stream(table: pa.Table, path: Path) -> None:
    with ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


def write_gzipped(table: pa.Table, path: Path) -> None:
    with gzip.open(path, "wb") as file:
        csv.write_csv(table, file)


def write_semicolons(table: pa.Table, path: Path) -> None:
    csv.write_csv(table, path, csv.WriteOptions(delimiter=";"))


WRITERS = {
    "houses.csv": csv.write_csv,
    "houses.csv.gz": write_gzipped,
    "semicolons.CSV": write_semicolons,
    "houses.parquet": parquet.write_table,
    "houses.feather": feather.write_feather,
    "houses.arrow": write_stream,
    "houses.jsonl": write_json_lines,
    "a folder with spaces/房子.csv": csv.write_csv,
}


@pytest.mark.parametrize("name", WRITERS)
def test_any_kind_of_file_gives_the_same_splits_and_cells(name, make, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    WRITERS[name](houses(), path)
    dataset = make(source=str(path), target="price", inputs=INPUTS)
    other = make(source=f"{__file__}:houses", target="price", inputs=INPUTS)
    assert [dataset.split(s) for s in dataset.meta.splits] == [
        other.split(s) for s in other.meta.splits
    ]
    for column in ("row", "target", "x"):
        assert np.array_equal(dataset.columns[column].cells, other.columns[column].cells)
    assert dataset.example(0, "train") == other.example(0, "train")
    assert dataset.inputs[0].columns == ("area", "rooms", "city=Delft", "city=Lyon", "city=上海")


def test_many_files_are_one_table_in_the_order_of_their_names(make, tmp_path):
    table = houses(90)
    for i, part in enumerate((table[:40], table[40:50], table[50:])):
        parquet.write_table(part, tmp_path / f"part-{i}.parquet")
    parts = [
        make(source=source, target="price", inputs=["area", "rooms"])
        for source in (
            f"{tmp_path}/part-*.parquet",
            str(tmp_path),
            [f"{tmp_path}/part-0.parquet", f"{tmp_path}/part-[12].parquet"],
        )
    ]
    assert len({dataset.fingerprint for dataset in parts}) == 1
    order = np.argsort(parts[0].columns["row"].cells[:, 0])
    areas = parts[0].columns["x"].cells[order, 0]
    assert areas == pytest.approx(table["area"].to_numpy())


def test_whole_numbers_in_one_file_and_fractions_in_another_meet(make, tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "1,2\n3,4\n" * 10)
    (tmp_path / "b.csv").write_text("x,y\n" + "0.5,2\n1.5,4\n" * 10)
    dataset = make(source=f"{tmp_path}/*.csv", target="y")
    assert sorted(set(dataset.columns["x"].cells[:, 0].tolist())) == [0.5, 1, 1.5, 3]


def test_the_type_of_a_csv_column_follows_from_all_rows_not_from_the_first(tmp_path):
    first = "".join(f"{i},,2024-01-01,true\n" for i in range(400_000))  # more than one block
    (tmp_path / "a.csv").write_text("a,b,c,d\n" + first + "0.5,7,2024-01-01 10:00:00,perhaps\n")
    schema = find_source(f"{tmp_path}/a.csv").schema()
    assert [str(field.type) for field in schema] == ["double", "int64", "timestamp[s]", "string"]


def test_a_path_is_looked_for_beside_the_job_file_too(make, tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    (tmp_path / "jobs").mkdir()
    csv.write_csv(houses(), tmp_path / "jobs" / "houses.csv")
    (tmp_path / "jobs" / "mine.py").write_text("def rows():\n    return {'x': range(99)}\n")
    monkeypatch.chdir(tmp_path / "work")
    jobs = tmp_path / "jobs"
    assert make(source="houses.csv", target="price", inputs=["area"], base=jobs).num_rows("test")
    source = find_source("mine.py:rows", jobs)
    source.identity()
    assert source.schema().names == ["x"]
    with pytest.raises(UserError) as error:
        make(source=["houses.csv", "flats/*.csv"], base=jobs)
    assert str(error.value) == (
        f"dataset.source: no file matches flats/*.csv (looked in {tmp_path}/work and "
        f"{tmp_path}/jobs)"
    )


def write_idx(folder: Path, prefix: str, images: np.ndarray, labels: np.ndarray, packed: bool):
    parts = {f"{prefix}-images-idx3-ubyte": images, f"{prefix}-labels-idx1-ubyte": labels}
    for name, cells in parts.items():
        head = bytes([0, 0, 8, cells.ndim]) + np.array(cells.shape, ">i4").tobytes()
        content = head + cells.tobytes()
        path = folder / (name + ".gz" * packed)
        path.write_bytes(gzip.compress(content) if packed else content)


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_idx_files_is_a_source(packed, make, tmp_path):
    images = np.arange(40 * 6 * 5, dtype=np.uint8).reshape(40, 6, 5)
    labels = np.arange(40, dtype=np.uint8) % 4
    write_idx(tmp_path, "train", images[:30], labels[:30], packed)
    write_idx(tmp_path, "t10k", images[30:], labels[30:], packed)
    dataset = make(source=str(tmp_path))
    assert [dataset.num_rows(s) for s in ("train", "validation", "test")] == [27, 3, 10]
    assert dataset.facts == {"output_size": 4, "input_shape": (1, 6, 5)}
    assert np.array_equal(dataset.example(0, "test"), images[30])


def test_a_torn_idx_file_is_named(tmp_path):
    images = np.zeros((3, 2, 2), np.uint8)
    write_idx(tmp_path, "train", images, np.zeros(3, np.uint8), packed=False)
    file = tmp_path / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UserError) as error:
        idx_folder(tmp_path, "mine").schema()
    assert str(error.value) == (
        f"dataset.source: {file} is cut short: it promises 12 bytes and has 11"
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "{file} cannot be read: Empty CSV file"),
        ("a.csv", "x,y\n", "{file} has no rows"),
        (
            "a.csv",
            "x,y\n1,2\n3\n",
            "{file} cannot be read: CSV parse error: Row #3: Expected 2 columns, got 1: 3",
        ),
        ("a.csv", "x,x\n1,2\n", "{file} has more than one column named x"),
        (
            "a.csv",
            "x,y\n\xe9,2\n",
            "{file} cannot be read: column x is not UTF-8 text; save it as UTF-8",
        ),
        (
            "a.json",
            '[{"x": 1}]\n',
            "{file} cannot be read: JSON parse error: Column() changed from object to array in "
            "row 0; each line must be one object of the same fields",
        ),
        ("a.jsonl", "", "{file} cannot be read: the file is empty"),
        (
            "a.parquet",
            "x,y\n1,2\n",
            "{file} cannot be read: Parquet magic bytes not found in footer. Either the file is "
            "corrupted or this is not a parquet file.",
        ),
        ("a.arrow", "ARROW1??????????", "{file} cannot be read: File is too small: 16"),
        (
            "a.xlsx",
            "PK",
            "a.xlsx is of no known kind; its name must end in one of .csv, .tsv, .parquet, .pq, "
            ".arrow, .feather, .ipc, .jsonl, .ndjson, .json (text also with .gz, .bz2, .zst, .lz4)",
        ),
    ],
)
def test_an_unreadable_file_is_named_with_the_reason(name, content, message, make, tmp_path):
    file = tmp_path / name
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError) as error:
        make(source=str(file), target="y", inputs=["x"])
    assert str(error.value) == "dataset.source: " + message.format(file=file)


def test_files_of_different_columns_are_told_apart(make, tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("x\n1\n")
    with pytest.raises(UserError) as error:
        make(source=str(tmp_path), target="y")
    assert str(error.value) == (
        f"dataset.source: {tmp_path}/b.csv has no column y, which {tmp_path}/a.csv has"
    )
    (tmp_path / "b.csv").write_text("x,y,z\n1,2,3\n")
    with pytest.raises(UserError) as error:
        make(source=str(tmp_path), target="y")
    assert str(error.value) == (
        f"dataset.source: {tmp_path}/b.csv has a column z, which {tmp_path}/a.csv has not"
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "mnist",
            "unknown source 'mnist'; did you mean mnist5k? (known: breast-cancer, "
            "chinese-reviews, diabetes, digits, fashion-mnist, mnist5k, movielens-100k, "
            "reuters-r8; or a path, or your own as file.py:function)",
        ),
        (
            "s3://bucket/a.parquet",
            "s3://bucket/a.parquet is not on this machine's file system, and other places cannot "
            "be read; copy or mount it and write its path",
        ),
        ("no/such.py:rows", "no file no/such.py (looked for {cwd}/no/such.py)"),
        ("json:lods", "json has no 'lods'; did you mean loads?"),
    ],
)
def test_a_source_that_does_not_exist_says_what_would(source, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        find_source(source)
    assert str(error.value) == "dataset.source: " + message.format(cwd=tmp_path)


def test_the_same_files_in_another_place_are_the_same_data(make, tmp_path):
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
    csv.write_csv(houses(), tmp_path / "here" / "a.csv")
    shutil.copy(tmp_path / "here" / "a.csv", tmp_path / "there" / "b.csv")
    here, there = (
        make(source=f"{tmp_path}/{file}", target="price", inputs=["area"])
        for file in ("here/a.csv", "there/b.csv")
    )
    assert here.path == there.path


def test_arrow_files_of_one_large_batch_are_read_in_slices(tmp_path):
    table = pa.table({"x": np.arange(5_000_000, dtype=np.float64)})
    with ipc.new_file(str(tmp_path / "big.arrow"), table.schema) as writer:
        writer.write_table(table)
    source = find_source(f"{tmp_path}/big.arrow")
    total = 0
    for batch in source.batches(["x"]):
        assert batch.num_rows <= 65_536
        assert batch.column(0)[0].as_py() == total
        total += batch.num_rows
    assert total == 5_000_000
