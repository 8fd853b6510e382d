"""What a job file may say under `dataset:`, and what it is told when it says something else."""

import pytest

from trivium.datasets.settings import DatasetSettings
from trivium.platform.errors import UserError
from trivium.platform.settings import dump, validate

KNOWN = "(known: impute, normalize, standardize; or your own as file.py:Name)"


def test_all_defaults_are_written_out_and_read_back():
    settings = validate(
        DatasetSettings,
        {
            "source": ["a.csv", "b.csv"],
            "inputs": {"b": "number", "a": "category"},
            "transforms": ["impute", {"name": "standardize"}],
            "text": {"max_length": 7},
        },
    )
    written = dump(settings)
    assert list(written["inputs"]) == ["b", "a"]
    assert written["transforms"][0] == {"name": "impute", "value": "mean"}
    assert validate(DatasetSettings, written) == settings


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "source: is required"),
        (
            {"inputs": 5},
            "inputs: must be a list of columns, or a mapping from column to kind, got 5",
        ),
        (
            {"inputs": {"a": "numbr"}},
            "inputs.a: must be one of number, category, text, id, image; got 'numbr'; "
            "did you mean number?",
        ),
        ({"inputs": ["a", 2]}, "inputs.1: must be text, got 2"),
        (
            {"transforms": ["standardise"]},
            f"transforms.0.name: unknown name 'standardise'; did you mean standardize? {KNOWN}",
        ),
        (
            {"split": {"val": 0.1, "test": 2}},
            "split.test: must be at most 1, got 2\n"
            "split.val: unknown setting (settings here: train, validation, test, stratify, "
            "group, time, column, seed)",
        ),
        (
            {"text": {"tokens": "char"}},
            "text.tokens: must be one of word, character; got 'char'; did you mean character?",
        ),
    ],
)
def test_a_wrong_setting_is_told(data, message):
    with pytest.raises(UserError) as error:
        validate(DatasetSettings, data if not data else {"source": "digits", **data})
    assert str(error.value) == message
