"""Each mistake in the `dataset` part of a job gets one line: place, value, what would be right."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from trivium.platform.errors import UserError

COLUMNS = "(columns: area, rooms, city, note, price, sold, year, set)"


@pytest.fixture
def houses(tmp_path: Path) -> str:
    n = 100
    parquet.write_table(
        pa.table(
            {
                "area": [float(i) for i in range(n - 2)] + [None, float("nan")],
                "rooms": [i % 6 for i in range(n)],
                "city": [("Delft", "Lyon")[i % 2] for i in range(n)],
                "note": [f"house {i}" for i in range(n)],
                "price": [i * 1000 for i in range(n)],
                "sold": [i % 3 == 0 for i in range(n)],
                "year": [2000 + i for i in range(n)],
                "set": ["train"] * 80 + ["exam"] * 20,
            }
        ),
        tmp_path / "houses.parquet",
    )
    return str(tmp_path / "houses.parquet")


SETTINGS = {"target": "sold", "inputs": ["rooms"]}
CASES = {
    "no target": ({"target": None}, f"target: which column is to be predicted? {COLUMNS}"),
    "columns that are not there": (
        {"target": "prise", "inputs": ["arae"], "split": {"group": "town"}},
        f"target: no column 'prise'; did you mean price? {COLUMNS}\n"
        f"dataset.inputs: no column 'arae'; did you mean area? {COLUMNS}\n"
        f"dataset.split.group: no column 'town' {COLUMNS}",
    ),
    "the target among the inputs": (
        {"inputs": ["rooms", "sold"]},
        "inputs: sold is the target: the model would see the answer",
    ),
    "text without a kind": (
        {"inputs": None},
        "inputs: say what kind of input city, note, set is (number, category, text, id, image) "
        "or leave it out: city holds text (such as 'Delft'); note holds text (such as 'house 0'); "
        "set holds text (such as 'train'); for instance inputs: {area: number, rooms: number, "
        "city: category, note: category, price: number, year: number, set: category}",
    ),
    "text as a number": (
        {"inputs": {"city": "number"}},
        "inputs: column city holds text, not numbers; its kind may be category (such as 'Delft')",
    ),
    "numbers as text": (
        {"inputs": {"area": "text"}},
        "inputs: column area holds numbers, not text (such as 0.0)",
    ),
    "fractions as a category": (
        {"inputs": {"area": "category"}},
        "inputs: column area holds numbers; its kind category needs text or whole numbers "
        "(such as 0.0)",
    ),
    "a number as an image": (
        {"inputs": {"area": "image"}},
        "inputs: column area holds numbers, not lists of pixels from 0 to 255 (such as 0.0)",
    ),
    "nulls and NaN": (
        {"inputs": ["area"]},
        "inputs: column area has no number (null or NaN) in 2 rows (first in row 98, counted "
        "from 0); add {name: impute} to dataset.transforms, or clean the data",
    ),
    "one id": (
        {"inputs": {"rooms": "id"}},
        "inputs: ids come as two columns, the user then the item; got rooms",
    ),
    "two texts": (
        {"inputs": {"city": "text", "note": "text"}},
        "inputs: one text column is the most: city, note",
    ),
    "text settings without a text": (
        {"text": {"max_length": 10}},
        "text: no input is of kind text; leave it out",
    ),
    "an image shape without an image": (
        {"image_shape": [1, 2, 2]},
        "image_shape: no input is an image; leave it out",
    ),
    "transforms without numbers": (
        {"inputs": {"note": "text"}, "transforms": ["standardize"]},
        "transforms.0: standardize changes inputs of kind number and image, and there are only "
        "text; leave it out",
    ),
    "impute after another transform": (
        {"transforms": ["standardize", "impute"]},
        "transforms.1: impute comes first and once: the other transforms are fitted on its result",
    ),
    "whole numbers that may be classes": (
        {"target": "price"},
        "target: column price holds 100 different whole numbers: classes or a quantity? "
        "set algorithm.task to classification or regression",
    ),
    "a column that names other splits": (
        {"split": {"column": "set"}},
        "split.column: set is 'exam' in row 80 (counted from 0); it must be train, validation "
        "or test in every row",
    ),
    "words as times": (
        {"split": {"time": "city"}},
        "split.time: column city holds more than times (it begins with 'Delft'); numbers, dates "
        "and texts such as 2024-12-31 10:00:00 are times",
    ),
    "times that are missing": (
        {"split": {"time": "area"}},
        "split.time: column area has no time (null or NaN) in 2 rows (first in row 98, counted "
        "from 0); fill these rows",
    ),
    "stratify without classes": (
        {"target": "area", "split": {"stratify": True}},
        "target: column area has no value (null, NaN or empty) in 2 rows (first in row 98, "
        "counted from 0); remove or label these rows",
    ),
    "fractions above 1": (
        {"split": {"train": 0.8, "validation": 0.1, "test": 0.2}},
        "split: the fractions sum to more than 1: 0.8 + 0.1 + 0.2 = 1.1",
    ),
    "two ways to split": (
        {"split": {"group": "city", "stratify": True}},
        "split: stratify and group exclude each other; keep one of them",
    ),
    "a seed for times": (
        {"split": {"time": "year", "seed": 3}},
        "split: seed has no effect on a split by time; leave it out",
    ),
    "no training rows": (
        {"split": {"train": 0.0}},
        "split: train must be greater than 0: without rows nothing is learned",
    ),
    "no source": (
        {"source": ""},
        "source is empty; give a registered name, a path or file.py:function",
    ),
    "no inputs": (
        {"inputs": []},
        "inputs is empty; name at least one column, or leave inputs out",
    ),
    "an image of two axes": (
        {"image_shape": [28, 28]},
        "image_shape must be [channels, height, width], got [28, 28]",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told(case, houses, make):
    changes, message = CASES[case]
    settings = {"source": houses, **SETTINGS, **changes}
    prefix = "" if case in ("no source", "no inputs", "an image of two axes") else "dataset."
    if case in ("fractions above 1", "two ways to split", "a seed for times", "no training rows"):
        prefix = ""  # the settings alone are wrong: the job adds where they stand
    with pytest.raises(UserError) as error:
        make(**settings)
    assert str(error.value) == prefix + message


def test_a_target_of_words_is_no_number(houses, make):
    with pytest.raises(UserError) as error:
        make("real", source=houses, target="city", inputs=["rooms"])
    assert str(error.value) == (
        "dataset.target: column city holds text or true/false, not the numbers that "
        "algorithm.task asks for"
    )


def test_a_target_that_never_changes_teaches_nothing(make, tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,cat\n2,cat\n")
    with pytest.raises(UserError) as error:
        make(source=f"{tmp_path}/a.csv", target="y")
    assert str(error.value) == ("dataset.target: column y is 'cat' in every row: nothing to learn")


def test_an_infinite_number_is_told_apart_from_a_missing_one(make, tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,a\ninf,b\n-inf,a\n,b\n")
    with pytest.raises(UserError) as error:
        make(source=f"{tmp_path}/a.csv", target="y", transforms=["impute"])
    assert str(error.value) == (
        "dataset.inputs: column x is infinite in 2 rows (first in row 1, counted from 0); "
        "clean the data"
    )


def test_a_category_of_thousands_of_values_is_refused(make, tmp_path):
    lines = "".join(f"name{i},{i % 2}\n" for i in range(2000))
    (tmp_path / "a.csv").write_text("x,y\n" + lines)
    with pytest.raises(UserError) as error:
        make(source=f"{tmp_path}/a.csv", target="y", inputs={"x": "category"})
    assert str(error.value) == (
        "dataset.inputs: column x has more than 1000 different values, too many for a category; "
        "leave it out, or give it as text or id"
    )


def test_a_split_of_the_source_cannot_be_given_again(make):
    with pytest.raises(UserError) as error:
        make(source="reuters-r8", split={"test": 0.2})
    assert str(error.value) == (
        "dataset.split.test: reuters-r8 has its own test split, so 0.2 cannot take effect; "
        "leave test out"
    )
    with pytest.raises(UserError) as error:
        make(source="reuters-r8", split={"column": "topic"})
    assert str(error.value) == (
        "dataset.split.column: reuters-r8 has its own test split (column split); leave column out"
    )


def test_an_image_shape_that_does_not_hold_the_pixels_is_refused(make):
    with pytest.raises(UserError) as error:
        make(source="digits", image_shape=[3, 8, 8])
    assert str(error.value) == (
        "dataset.image_shape: [3, 8, 8] does not hold the 64 pixels of column image"
    )


def test_a_class_that_is_not_in_training_is_warned_of(make, tmp_path):
    rows = [(2000 + i, i, "new" if i > 95 else "old" if i % 2 else "older") for i in range(100)]
    (tmp_path / "a.csv").write_text("t,x,y\n" + "".join(f"{t},{x},{y}\n" for t, x, y in rows))
    dataset = make(source=f"{tmp_path}/a.csv", target="y", inputs=["x"], split={"time": "t"})
    assert dataset.warnings == (
        "no training row is of class new: it cannot be learned; try dataset.split.stratify, or "
        "a larger train fraction",
    )


def test_numbers_too_far_from_zero_for_float32_are_warned_of(make, tmp_path):
    lines = "".join(f"{1_700_000_000 + i},{i % 2}\n" for i in range(100))
    (tmp_path / "a.csv").write_text("time,y\n" + lines)
    assert make(source=f"{tmp_path}/a.csv", target="y").warnings == (
        "the values of time are so large that float32 blurs their differences; subtract a start "
        "value (of a time, say) in the data",
    )


def test_an_unknown_split_is_told(make):
    with pytest.raises(UserError) as error:
        make(source="digits").num_rows("valid")
    assert str(error.value) == (
        "no split 'valid'; did you mean validation? (there are train, validation, test)"
    )
