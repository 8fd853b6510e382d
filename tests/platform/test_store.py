"""Finding runs by what people type."""

from pathlib import Path

import pytest

from trivium.platform.errors import UserError
from trivium.platform.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "runs")
    for name in ("digits-cnn", "digits-mlp", "digits-cnn"):
        (store.create(name).path / "run.json").write_text("{}")
    child = store.root / "digits-cnn-3" / "children" / "1"
    child.mkdir(parents=True)
    return store


def test_numbers_rise_over_the_whole_store_so_that_ids_sort_by_time(store: Store) -> None:
    assert [r.id for r in store.runs()] == ["digits-cnn-1", "digits-mlp-2", "digits-cnn-3"]


@pytest.mark.parametrize("text", ["digits-mlp-2", "2"])
def test_a_run_is_found_by_id_and_by_number(store: Store, text: str) -> None:
    assert store.find(text).id == "digits-mlp-2"


def test_last_is_the_newest(store: Store) -> None:
    assert store.find("last").id == "digits-cnn-3"


@pytest.mark.parametrize("text", ["digits-cnn-3/1", "last/1", "3/1"])
def test_a_child_is_found_through_its_parent(store: Store, text: str) -> None:
    assert store.find(text).id == "digits-cnn-3/1"


def test_a_folder_is_found_from_anywhere(store: Store) -> None:
    assert store.find(str(store.root / "digits-mlp-2")).id == "digits-mlp-2"


def test_an_unknown_run_names_the_nearest(store: Store) -> None:
    with pytest.raises(UserError) as caught:
        store.find("digit-mlp-2")
    assert str(caught.value) == (
        f"no run 'digit-mlp-2' in {store.root}; did you mean digits-mlp-2? "
        "(`trivium runs` lists them)"
    )


def test_an_empty_store_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        Store(tmp_path).find("last")
    assert str(caught.value) == f"no runs in {tmp_path} yet; `trivium train JOB` makes one"


@pytest.mark.parametrize("text", ["..", ".", "", "../elsewhere"])
def test_a_name_cannot_climb_out_of_the_store(store: Store, text: str) -> None:
    with pytest.raises(UserError) as caught:
        store.find(text)
    assert str(caught.value) == f"{text!r} names no run"
