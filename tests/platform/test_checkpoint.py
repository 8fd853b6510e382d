"""A kill at any moment, a torn file, a full disk: the checkpoint before is there."""

import errno
import json
from pathlib import Path

import pytest

from trivium.platform.checkpoint import copy_checkpoint, read_checkpoint, write_checkpoint
from trivium.platform.errors import RunFailed


def write(folder: Path, step: int, text: str, name: str = "last") -> None:
    write_checkpoint(folder, name, step, lambda path: (path / "weights").write_text(text) and None)


def test_the_newest_is_read_and_nothing_else_is_left(tmp_path: Path) -> None:
    write(tmp_path, 1, "one")
    write(tmp_path, 2, "two")
    found = read_checkpoint(tmp_path, "last")
    assert found is not None
    assert (found.step, (found.path / "weights").read_text()) == (2, "two")
    assert [p.name for p in tmp_path.iterdir()] == ["last"]


def test_none_is_none(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path / "nowhere", "last") is None


@pytest.mark.parametrize("damage", ["cut", "flip", "remove", "manifest"])
def test_a_torn_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path, damage: str) -> None:
    write(tmp_path, 1, "one")
    (tmp_path / "last").rename(tmp_path / ".last.old")  # killed between the two renames
    write_checkpoint(tmp_path, "torn", 2, lambda p: (p / "weights").write_text("two") and None)
    (tmp_path / "torn").rename(tmp_path / "last")
    weights = tmp_path / "last" / "weights"
    match damage:
        case "cut":
            weights.write_text("t")
        case "flip":
            weights.write_text("twa")
        case "remove":
            weights.unlink()
        case "manifest":
            (tmp_path / "last" / "manifest.json").write_text('{"step": 2, "fil')
    found = read_checkpoint(tmp_path, "last")
    assert found is not None and found.step == 1


def test_killed_before_the_last_rename_the_finished_new_one_is_used(tmp_path: Path) -> None:
    write(tmp_path, 1, "one")
    write(tmp_path, 2, "two", name="other")
    (tmp_path / "other").rename(tmp_path / ".last.new")
    found = read_checkpoint(tmp_path, "last")
    assert found is not None and found.step == 2


def test_a_copy_is_whole_by_itself(tmp_path: Path) -> None:
    write(tmp_path, 7, "seven")
    copy_checkpoint(tmp_path, "last", "best")
    write(tmp_path, 8, "eight")
    best = read_checkpoint(tmp_path, "best")
    assert best is not None
    assert (best.step, (best.path / "weights").read_text()) == (7, "seven")
    assert json.loads((best.path / "manifest.json").read_text())["step"] == 7


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        Exception("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_told_whoever_noticed_it(tmp_path: Path, error: Exception) -> None:
    write_checkpoint(tmp_path, "last", 1, lambda path: (path / "w").touch())

    def fill(path: Path) -> None:
        raise error

    with pytest.raises(RunFailed) as failure:
        write_checkpoint(tmp_path, "last", 2, fill)
    assert str(failure.value) == (
        f"checkpoint {tmp_path / 'last'} could not be written: the disk is full. The checkpoint "
        "before it is intact: make room and resume the run."
    )
    found = read_checkpoint(tmp_path, "last")
    assert found is not None and found.step == 1


def test_an_error_that_is_none_of_the_disks_is_left_as_it_is(tmp_path: Path) -> None:
    def fill(path: Path) -> None:
        raise KeyError("layers.0.weight")

    with pytest.raises(KeyError):
        write_checkpoint(tmp_path, "last", 2, fill)
