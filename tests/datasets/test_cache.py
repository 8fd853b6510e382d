"""The cache: hashes of files that are remembered, and data sets that appear whole or not at all."""

import os
import threading
import time
from pathlib import Path

import pytest

from trivium.datasets.cache import built_folder, content_hash
from trivium.platform.cache_root import cache_root
from trivium.platform.errors import UserError


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIVIUM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def age(file: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(file, (then, then))


def test_the_cache_lies_where_the_environment_says(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("TRIVIUM_CACHE")
    assert cache_root() == Path("/xdg/trivium")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == Path("/home/ada/.cache/trivium")


def test_a_file_that_did_not_change_is_hashed_once(tmp_path, monkeypatch):
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    age(file, 60)
    first = content_hash([file])
    monkeypatch.setattr("hashlib.file_digest", None)
    assert content_hash([file]) == first


def test_a_file_that_may_still_be_changing_is_hashed_each_time(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    stat = file.stat()
    first = content_hash([file])
    file.write_bytes(b"abd")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # within one tick of its clock
    assert content_hash([file]) != first


def test_a_torn_memory_of_a_hash_is_not_trusted(tmp_path, root):
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    age(file, 60)
    first = content_hash([file])
    [memo] = (root / "content").iterdir()
    memo.write_text(memo.read_text()[:20])
    assert content_hash([file]) == first


def test_two_that_build_the_same_at_once_get_one_whole_folder(root):
    both = threading.Barrier(2)
    found = []

    def build(folder: Path) -> None:
        both.wait()
        (folder / "meta.json").write_text("{}")

    threads = [
        threading.Thread(target=lambda: found.append(built_folder("f", build))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [root / "datasets" / "f"] * 2
    assert [path.name for path in (root / "datasets").iterdir()] == ["f"]


def test_what_a_killed_process_left_is_removed_after_a_day(root):
    for name, seconds in ((".old-1", 2 * 24 * 3600), (".new-1", 60)):
        (root / "datasets" / name).mkdir(parents=True)
        age(root / "datasets" / name, seconds)
    built_folder("f", lambda folder: (folder / "meta.json").touch())
    assert sorted(path.name for path in (root / "datasets").iterdir()) == [".new-1", "f"]


def test_a_full_disk_is_told(root):
    def build(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError) as error:
        built_folder("f", build)
    message = str(error.value)
    assert message.startswith(f"cannot write the prepared data to {root}/datasets/.f-")
    assert message.endswith(
        ": No space left on device; set TRIVIUM_CACHE to a folder with more room"
    )


def test_a_cache_that_cannot_be_made_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRIVIUM_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError) as error:
        built_folder("f", lambda folder: None)
    assert str(error.value) == (
        f"cannot write the data cache {tmp_path}/file/datasets: Not a directory; "
        "set TRIVIUM_CACHE to a folder that can be written"
    )
