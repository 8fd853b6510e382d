"""The store: the folder of all runs, where a run is found by its id, its number or `last`."""

import os
import re
from pathlib import Path

from trivium.platform.errors import UserError, nearest
from trivium.platform.run import RunFolder

_RUN = re.compile(r"(?P<name>.+)-(?P<number>\d+)")


def default_store() -> Path:
    """`TRIVIUM_STORE`, or `runs` in the working directory."""
    return Path(os.environ.get("TRIVIUM_STORE", "runs"))


class Store:
    """Runs under one folder. Numbers rise over the whole store, so ids sort by time."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root if root is not None else default_store()

    def create(self, name: str) -> RunFolder:
        """A new, empty run folder `name-N`."""
        self._make_root()
        number = max((n for n, _ in self._numbered()), default=0)
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

    def find(self, text: str) -> RunFolder:
        """The run that `text` names: an id, a child's id, a number, `last`, or a folder.

        Raises:
            UserError: there is none, or more than one.
        """
        if text in ("", ".", "..") or text.startswith(("../", "./..")):
            raise UserError(f"{text!r} names no run")
        parent, slash, child = text.rstrip("/").partition("/")
        run = self._find_top(parent) if not Path(text).is_absolute() else None
        if run is not None and slash:
            run = next((c for c in run.children() if c.path.name == child), None)
        if run is None and (Path(text) / "run.json").is_file():
            run = RunFolder(Path(text).resolve())
        if run is None:
            raise UserError(self._not_found(text))
        return run

    def _find_top(self, text: str) -> RunFolder | None:
        numbered = sorted(self._numbered())
        if text == "last":
            if not numbered:
                raise UserError(f"no runs in {self.root} yet; `trivium train JOB` makes one")
            return RunFolder(self.root / numbered[-1][1])
        matches = [n for number, n in numbered if text in (n, str(number))]
        if len(matches) > 1:
            raise UserError(f"{text!r} may be {' or '.join(matches)}: give the whole id")
        return RunFolder(self.root / matches[0]) if matches else None

    def _not_found(self, text: str) -> str:
        names = [name for _, name in self._numbered()]
        if not names:
            return f"no run {text!r}: {self.root} has no runs (--store names another store)"
        return f"no run {text!r} in {self.root}{nearest(text, names)} (`trivium runs` lists them)"

    def _numbered(self) -> list[tuple[int, str]]:
        try:
            with os.scandir(self.root) as entries:
                names = [e.name for e in entries]
        except (FileNotFoundError, NotADirectoryError):
            return []
        matches = (_RUN.fullmatch(n) for n in names if not n.startswith("."))
        return [(int(m["number"]), m.string) for m in matches if m]

    def _make_root(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"--store {self.root}: cannot be made: {error.strerror}") from None
