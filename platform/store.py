"""The store: the place of all runs, where a run is found by its id, its number or `last`.

A local store is a folder. A remote one (`s3://bucket/path`, `gs://`, any `pyarrow.fs` URI) is seen
through a folder in the cache, into which is fetched what is asked for; see
`trivium.platform.remote`.
"""

import os
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from trivium.platform.errors import UserError, nearest
from trivium.platform.remote.bucket import Bucket, explain, is_uri
from trivium.platform.remote.copies import open_store
from trivium.platform.remote.reading import listed, refreshed
from trivium.platform.run import RunFolder

_RUN = re.compile(r"(?P<name>[^/]+)-(?P<number>\d+)")
_NUMBERS = ".numbers"
_AT_ONCE = 8


def default_store() -> str:
    """`TRIVIUM_STORE`, or `runs` in the working directory."""
    return os.environ.get("TRIVIUM_STORE") or "runs"


class Store:
    """Runs in one place. Numbers rise over the whole store, so ids sort by time."""

    def __init__(self, place: Path | str | None = None) -> None:
        """`place` is a folder or a URI; None is `default_store()`."""
        text = str(place) if place is not None else default_store()
        self._bucket: Bucket | None = None
        if is_uri(text):
            self.root, self._bucket = open_store(text)
        else:
            self.root = Path(text)

    @property
    def shown(self) -> str:
        """The store as messages name it; without the keys that a URI may have."""
        return str(self.root) if self._bucket is None else self._bucket.shown

    def create(self, name: str) -> RunFolder:
        """A new, empty run folder `name-N`."""
        number = max((n for n, _ in self._numbered()), default=0)
        if self._bucket is not None:
            number = _claim(self._bucket, number)
            path = self.root / f"{name}-{number}"
            try:
                self._bucket.announce(path.name)
            except OSError as error:
                raise explain(error, self._bucket) from None
            path.mkdir()
            return RunFolder(path)
        self._make_root()
        while True:
            number += 1
            path = self.root / f"{name}-{number}"
            try:
                path.mkdir()
            except FileExistsError:
                continue  # another process took the number between the look and the making
            return RunFolder(path)

    def runs(self) -> list[RunFolder]:
        """All runs, oldest first; children of runs are inside their parents."""
        return [RunFolder(self.root / name) for _, name in sorted(self._numbered())]

    def newest(self, limit: int | None = None) -> list[RunFolder]:
        """The newest runs, newest first, with what a list of runs says of them; None is all."""
        runs = reversed(self.runs())
        if self._bucket is not None:
            chosen = list(islice(runs, limit))
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(lambda run: listed(run.path), chosen))
            runs = iter(chosen)
        return list(islice((r for r in runs if (r.path / "run.json").is_file()), limit))

    def find(self, text: str) -> RunFolder:
        """The run that `text` names: an id, a child's id, a number, `last`, or a folder.

        Raises:
            UserError: there is none, or more than one.
        """
        if text in ("", ".", "..") or text.startswith(("../", "./..")):
            raise UserError(f"{text!r} names no run")
        parent, slash, child = text.rstrip("/").partition("/")
        run = self._find_top(parent) if not Path(text).is_absolute() else None
        if run is not None:
            refreshed(run.path)
        if run is not None and slash:
            run = next((c for c in run.children() if c.path.name == child), None)
        if run is None and (Path(text) / "run.json").is_file():
            run = RunFolder(Path(text).resolve())
        if run is None:
            raise UserError(self._not_found(text))
        return run

    def find_here(self, text: str) -> RunFolder:
        """The same among the runs of a remote store that this machine has a copy of.

        Raises:
            UserError: there is none, or the store is a folder, which has no copies.
        """
        if self._bucket is None:
            raise UserError(f"{self.shown} is a local store: what is written there is there")
        run = Store(self.root)._find_top(text)
        if run is None:
            raise UserError(f"no copy of a run {text!r} of {self.shown} on this machine")
        return run

    def _find_top(self, text: str) -> RunFolder | None:
        numbered = sorted(self._numbered())
        if text == "last":
            if not numbered:
                raise UserError(f"no runs in {self.shown} yet; `trivium train JOB` makes one")
            return RunFolder(self.root / numbered[-1][1])
        matches = [n for number, n in numbered if text in (n, str(number))]
        if len(matches) > 1:
            raise UserError(f"{text!r} may be {' or '.join(matches)}: give the whole id")
        return RunFolder(self.root / matches[0]) if matches else None

    def _not_found(self, text: str) -> str:
        names = [name for _, name in self._numbered()]
        if not names:
            return f"no run {text!r}: {self.shown} has no runs (--store names another store)"
        return f"no run {text!r} in {self.shown}{nearest(text, names)} (`trivium runs` lists them)"

    def _numbered(self) -> list[tuple[int, str]]:
        matches = (_RUN.fullmatch(n) for n in self._names() if not n.startswith("."))
        return [(int(m["number"]), m.string) for m in matches if m]

    def _names(self) -> list[str]:
        if self._bucket is not None:
            try:
                return self._bucket.names()
            except OSError as error:
                raise explain(error, self._bucket) from None
        try:
            with os.scandir(self.root) as entries:
                return [e.name for e in entries]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _make_root(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"--store {self.root}: cannot be made: {error.strerror}") from None


def _claim(bucket: Bucket, highest: int) -> int:
    """A number above `highest` that no other run has or had.

    An object store cannot make a name exclusively. So everybody marks the number first and then
    looks: who sees only the own mark has it, since whoever marks later sees both.
    """
    mark = secrets.token_hex(8)
    try:
        while True:
            highest += 1
            bucket.put(f"{_NUMBERS}/{highest}/{mark}", b"1")
            if set(bucket.files(f"{_NUMBERS}/{highest}")) == {mark}:
                return highest
    except OSError as error:
        raise explain(error, bucket) from None
