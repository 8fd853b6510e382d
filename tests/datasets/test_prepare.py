"""From settings to a prepared data set: what is fitted, on which rows, and when again."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import feather

from trivium.datasets.prepare import prepare
from trivium.datasets.settings import DatasetSettings
from trivium.platform.settings import dump, validate


def write(path: Path, header: str, rows: list[tuple[object, ...]]) -> str:
    path.write_text(header + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def by_year(tmp_path: Path) -> dict[str, object]:
    """Ten rows; by time the first eight train, with x 1..8, then come 900 and 1000."""
    rows = [(2000 + i, i + 1, "ab"[i % 2], i % 2) for i in range(8)]
    rows += [(2008, 900, "c", 1), (2009, 1000, "a", 0)]
    source = write(tmp_path / "years.csv", "year,x,kind,y", rows)
    return {"source": source, "target": "y", "split": {"time": "year"}}


def test_standardize_is_fitted_on_the_training_rows_alone(by_year, make):
    dataset = make(**by_year, inputs=["x"])
    statistics = dataset.state()["inputs"][0]["statistics"]
    assert statistics == {"count": [8], "mean": [4.5], "std": [21**0.5 / 2], "min": [1], "max": [8]}
    test = next(dataset.batches("test", 1).epoch(0))
    assert test.inputs[0].item() == pytest.approx((1000 - 4.5) / (21**0.5 / 2))


def test_normalize_is_fitted_on_the_training_rows_alone(by_year, make):
    dataset = make(**by_year, inputs=["x"], transforms=["normalize"])
    train = next(dataset.batches("train", 8).epoch(0)).inputs[0]
    assert train.flatten().tolist() == pytest.approx([i / 7 for i in range(8)])
    assert next(dataset.batches("test", 1).epoch(0)).inputs[0].item() == pytest.approx(999 / 7)


def test_transforms_are_applied_in_their_order(by_year, make):
    dataset = make(**by_year, inputs=["x"], transforms=["standardize", "normalize"])
    train = next(dataset.batches("train", 8).epoch(0)).inputs[0]
    assert train.flatten().tolist() == pytest.approx([i / 7 for i in range(8)], abs=1e-6)


def test_no_transforms_leaves_the_numbers_alone(by_year, make):
    dataset = make(**by_year, inputs=["x"], transforms=[])
    assert next(dataset.batches("train", 8).epoch(0)).inputs[0].flatten().tolist() == [*range(1, 9)]


def test_a_category_that_is_not_in_training_is_none_of_the_known_ones(by_year, make):
    dataset = make(**by_year, inputs={"kind": "category", "x": "number"}, transforms=[])
    assert dataset.inputs[0].columns == ("x", "kind=a", "kind=b")
    cells = dataset.columns["x"].cells
    assert cells[7:].tolist() == [[8, 0, 1], [900, 0, 0], [1000, 1, 0]]
    assert dataset.example(0, "validation") == {"x": 900, "kind": "?"}
    assert dataset.example(0, "test") == {"x": 1000, "kind": "a"}


def test_an_id_that_is_not_in_training_has_number_0(by_year, make):
    dataset = make(**by_year, inputs={"kind": "id", "x": "id"})
    assert dataset.facts == {"output_size": 2, "num_users": 3, "num_items": 9}
    assert dataset.columns["id.kind"].cells[:, 0].tolist() == [1, 2, 1, 2, 1, 2, 1, 2, 0, 1]
    assert dataset.columns["id.x"].cells[:, 0].tolist() == [*range(1, 9), 0, 0]
    assert dataset.example(0, "validation") == {"kind": "?", "x": "?"}


def test_gaps_are_filled_with_the_training_mean_before_the_other_transforms(make, tmp_path):
    rows = [(i, x, i % 2) for i, x in enumerate([1, "", 3, 5, 7, "nan", 100, ""])]
    source = write(tmp_path / "a.csv", "year,x,y", rows)
    settings = {
        "source": source,
        "target": "y",
        "inputs": ["x"],
        "split": {"time": "year", "train": 0.5, "validation": 0.25, "test": 0.25},
    }
    dataset = make(**settings, transforms=["impute", "standardize"])
    assert dataset.columns["x"].cells[:, 0].tolist() == [1, 3, 3, 5, 7, 3, 100, 3]
    statistics = dataset.state()["inputs"][0]["statistics"]
    assert (statistics["mean"], statistics["std"]) == ([3], [2**0.5])
    dataset = make(**settings, transforms=[{"name": "impute", "value": -1.0}])
    assert dataset.columns["x"].cells[:, 0].tolist() == [1, -1, 3, 5, 7, -1, 100, -1]
    assert dataset.state()["inputs"][0]["statistics"]["min"] == [-1]


def test_statistics_of_many_batches_are_those_of_one(make):
    dataset = make(source=f"{__file__}:large_numbers", target="y")
    [record] = dataset.state()["inputs"]
    x = large_numbers()["x"][dataset.columns["row"].cells[: dataset.num_rows("train"), 0]]
    assert record["statistics"]["mean"][0] == pytest.approx(x.mean(), rel=1e-12)
    assert record["statistics"]["std"][0] == pytest.approx(x.std(), rel=1e-6)
    assert record["statistics"]["max"][0] == x.max()


def large_numbers() -> dict[str, np.ndarray]:
    """Far from 0, where a sum of squares would lose the deviation; several batches of them."""
    random = np.random.default_rng(0)
    return {"x": 1e9 + random.normal(size=300_000), "y": random.normal(size=300_000)}


def test_a_constant_column_becomes_0_and_is_not_blown_up_by_rounding(make, tmp_path):
    rows = [(i, 0.1, i % 2) for i in range(1000)]  # the mean of so many 0.1 is not quite 0.1
    source = write(tmp_path / "a.csv", "x,c,y", rows)
    for transform in ("standardize", "normalize"):
        dataset = make(source=source, target="y", transforms=[transform])
        x = next(dataset.batches("train", 1000).epoch(0)).inputs[0]
        assert x[:, 1].abs().max() < 1e-6


def test_words_are_numbered_by_how_often_training_has_them(make, tmp_path):
    texts = ["It's the cat, the CAT", "the dog", "cat dog cat", "", "the unseen bird", "bird"]
    source = write(
        tmp_path / "a.csv", "year,text,y", [(i, f'"{t}"', i % 2) for i, t in enumerate(texts)]
    )
    settings = {
        "source": source,
        "target": "y",
        "inputs": {"text": "text"},
        "split": {"time": "year", "train": 0.67, "validation": 0.17, "test": 0.16},
    }
    dataset = make(**settings)
    assert dataset.vocabulary() == ["", "?", "cat", "the", "dog", "it's"]
    assert dataset.facts["vocabulary_size"] == 6
    column = dataset.columns["tokens"]
    assert np.split(column.cells, column.starts[1:-1])[0].tolist() == [5, 3, 2, 3, 2]
    assert [dataset.example(0, "validation"), dataset.example(0, "test")] == ["the ? ?", "?"]
    assert dataset.example(3, "train") == "?"  # an empty text has one token, and so a length
    short = make(**settings, text={"max_length": 2, "vocabulary_size": 4, "lower_case": False})
    assert short.vocabulary() == ["", "?", "dog", "the"]
    assert short.example(0, "train") == "? the"


def test_characters_are_tokens_of_a_language_without_spaces(make, tmp_path):
    texts = ["好书好", "坏书", "", "𠮷好"]
    source = write(tmp_path / "a.csv", "text,y", [(f'"{t}"', i % 2) for i, t in enumerate(texts)])
    dataset = make(
        source=source,
        target="y",
        inputs={"text": "text"},
        text={"tokens": "character", "max_length": 2},
        split={"validation": 0, "test": 0},
    )
    assert dataset.vocabulary() == ["", "?", "书", "好", " ", "坏", "𠮷"]
    assert [dataset.example(i, "train") for i in range(4)] == ["好书", "坏书", " ", "𠮷好"]


@pytest.mark.parametrize(
    ("values", "kind", "names"),
    [
        (["b", "a", "b", "c"], "class", ("a", "b", "c")),
        ([True, False, True, True], "class", ("false", "true")),
        ([10, 9, 10, 100], "class", ("9", "10", "100")),
        (pa.array(["b", "a", "b", "c"]).dictionary_encode(), "class", ("a", "b", "c")),
        ([1.5, 2.0, 3.0, 2.0], "real", ()),
    ],
)
def test_the_kind_of_a_target_follows_from_its_values(values, kind, names, make, tmp_path):
    table = pa.table({"x": [1, 2, 3, 4], "y": values})

    feather.write_feather(table, tmp_path / "a.feather")
    dataset = make(source=f"{tmp_path}/a.feather", target="y", split={"validation": 0, "test": 0})
    assert (dataset.target_kind, dataset.class_names) == (kind, names)


def test_the_task_decides_where_the_values_could_be_either(by_year, make):
    real = make("real", **{**by_year, "target": "x"}, inputs=["y"])
    assert real.facts["target_mean"] == 4.5
    assert next(real.batches("test", 1).epoch(0)).target.dtype == torch.float32
    assert make("class", **{**by_year, "target": "x"}, inputs=["y"]).facts["output_size"] == 10


def test_a_column_can_name_the_split(make, tmp_path):
    rows = [(i, i % 2, ["Train", "val", "test"][i % 3]) for i in range(30)]
    source = write(tmp_path / "a.csv", "x,y,part", rows)
    dataset = make(source=source, target="y", split={"column": "part"})
    assert dataset.inputs[0].columns == ("x",)
    first = dataset.split("validation").start
    assert dataset.columns["row"].cells[first : first + 10, 0].tolist() == [*range(1, 30, 3)]


def test_a_shuffled_file_has_the_same_rows_in_each_split(make, tmp_path):
    random = np.random.default_rng(0)
    rows = [(f"{a:.4f}", "xyz"[i % 3], i % 2) for i, a in enumerate(random.normal(size=500))]
    settings = {"target": "y", "inputs": {"a": "number", "kind": "category"}}
    for split in ({}, {"stratify": True}, {"group": "kind", "seed": 4}):
        states = []
        for name in ("first", "second"):
            source = write(tmp_path / f"{name}.csv", "a,kind,y", rows)
            states.append(make(source=source, split=split, **settings).state()["splits"])
            random.shuffle(rows)
        assert states[0] == states[1]


def test_the_second_time_nothing_is_read(by_year, make, monkeypatch):
    first = make(**by_year, inputs=["x"])
    monkeypatch.setattr("trivium.datasets.build.build", None)
    assert make(**by_year, inputs=["x"]).path == first.path


def test_each_setting_and_each_byte_makes_another_data_set(by_year, make):
    settings = {**by_year, "inputs": ["x"]}
    changes = [
        {},
        {"inputs": ["x", "year"]},
        {"transforms": ["normalize"]},
        {"split": {"time": "year", "validation": 0.2}},
        {"target": "kind"},
    ]
    prints = [make(**{**settings, **change}).fingerprint for change in changes]
    prints.append(make("class", **settings).fingerprint)
    path = Path(str(by_year["source"]))
    path.write_text(path.read_text().replace("1000", "1001"))
    prints.append(make(**settings).fingerprint)
    assert len(set(prints)) == len(prints)


def test_the_second_time_nothing_heavy_is_imported(make):
    make(source="digits")
    code = (
        "import sys\n"
        "from trivium.datasets.prepare import prepare\n"
        "from trivium.datasets.settings import DatasetSettings\n"
        "prepare(DatasetSettings(source='digits')).num_rows('train')\n"
        "heavy = {'torch', 'pandas', 'sklearn', 'pyarrow.dataset', 'pyarrow.compute'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_data_set_survives_pickling_and_its_state_is_json(make):
    dataset = make(source="digits")
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy.fingerprint == dataset.fingerprint and copy.meta == dataset.meta
    assert json.loads(json.dumps(dataset.state())) == dataset.state()


def test_settings_written_with_all_defaults_give_the_same_data_set(make):
    for source in ("reuters-r8", "diabetes"):
        settings = validate(DatasetSettings, {"source": source})
        again = validate(DatasetSettings, dump(settings))
        assert prepare(again).path == prepare(settings).path


def test_a_failed_preparation_leaves_nothing_behind(make, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIVIUM_CACHE", str(tmp_path / "cache"))
    source = write(tmp_path / "a.csv", "x,y", [(1, "a"), (2, "a")])
    with pytest.raises(Exception, match="nothing to learn"):
        make(source=source, target="y")
    assert list((tmp_path / "cache" / "datasets").iterdir()) == []


def test_a_users_own_transform_is_fitted_and_its_code_is_part_of_the_fingerprint(
    by_year, make, tmp_path
):
    code = tmp_path / "own.py"
    prints = []
    for factor in (2, 3):
        code.write_text(
            "from trivium.datasets.transforms.affine import Affine\n"
            "class Scale:\n"
            "    def __init__(self, more: float = 0.0):\n"
            "        self.more = more\n"
            "    def affine(self, statistics):\n"
            "        zeros = 0 * statistics.mean\n"
            f"        return Affine(zeros + {factor}, zeros + self.more)\n"
        )
        transform = {"name": f"{code}:Scale", "more": 1.0}
        prints.append(make(**by_year, inputs=["x"], transforms=[transform]))
    assert prints[0].fingerprint != prints[1].fingerprint
    assert next(prints[0].batches("test", 1).epoch(0)).inputs[0].item() == 2001
