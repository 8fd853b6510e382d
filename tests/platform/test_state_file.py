"""Saved state is data: what would run code when it is loaded is refused."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from trivium.platform import state_file
from trivium.platform.errors import RunFailed, UserError
from trivium.platform.state_file import allow_pickles, read_state


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_file, "_is_allowed", False)


def test_plain_data_comes_back(tmp_path: Path) -> None:
    state = {"a": torch.arange(3), "b": [1, 2.5, "c", None, True], "d": {"e": (1, 2)}}
    torch.save(state, tmp_path / "state.pt")
    found = read_state(tmp_path / "state.pt")
    assert found["a"].tolist() == [0, 1, 2] and found["b"] == state["b"]


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_is_refused_and_its_code_does_not_run(tmp_path: Path, is_zip: bool) -> None:
    file, mark = tmp_path / "state.pt", tmp_path / "trapped"
    torch.save({"progress": Trap(mark)}, file, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(UserError) as caught:
        read_state(file)
    assert not mark.exists()
    assert str(caught.value) == (
        f"{file}: holds pickled objects (it names posix.mkdir), and loading those runs whatever "
        "code is in them. Trivium writes plain data only, so this file was made or changed by "
        "something else. If you trust whoever wrote it, the same command with --allow-pickle "
        "loads it"
    )


def test_a_bare_pickle_is_refused_too(tmp_path: Path) -> None:
    file, mark = tmp_path / "state.pt", tmp_path / "trapped"
    file.write_bytes(pickle.dumps({"progress": Trap(mark)}))
    with pytest.raises(UserError):
        read_state(file)
    assert not mark.exists()


def test_who_allows_pickles_gets_them(tmp_path: Path) -> None:
    file, mark = tmp_path / "state.pt", tmp_path / "trapped"
    torch.save({"progress": Trap(mark)}, file)
    allow_pickles()
    read_state(file)
    assert mark.exists()


def test_a_torn_file_is_no_state(tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(b"")
    with pytest.raises(RunFailed) as caught:
        read_state(tmp_path / "state.pt")
    assert str(caught.value).startswith(f"{tmp_path / 'state.pt'}: is no saved state: ")
