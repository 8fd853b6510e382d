"""Where printed text goes: the terminal, log.txt, and from workers through a file to both."""

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from trivium.platform.redact import redact


@contextlib.contextmanager
def logged(log: Path) -> Iterator[None]:
    """Within, what is printed goes to `log` as well as to the terminal."""
    with log.open("a", encoding="utf-8", buffering=1) as file:
        out, err = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Tee(out, file), _Tee(err, file)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = out, err


class _Tee(io.TextIOBase):
    """Text stream that writes to a terminal and to a file."""

    def __init__(self, terminal: TextIO, file: TextIO) -> None:
        self._terminal, self._file = terminal, file

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):  # a full disk must not stop the printing
            self._file.write(redact(text))
        return self._terminal.write(text)

    def flush(self) -> None:
        self._terminal.flush()

    def isatty(self) -> bool:
        return self._terminal.isatty()

    def fileno(self) -> int:
        return self._terminal.fileno()

    @property
    def closed(self) -> bool:  # what a library asks at exit of a stream it once wrapped
        return self._terminal.closed

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._terminal.encoding


class _Redacted(io.TextIOBase):
    """Text stream that writes to a file what is no secret."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        self._file.write(redact(text))
        return len(text)

    def flush(self) -> None:
        self._file.flush()


@contextlib.contextmanager
def printing_to(file: Path) -> Iterator[None]:
    """Within, what is printed goes to `file` alone: a worker has no terminal."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with (
        file.open("a", encoding="utf-8", buffering=1) as stream,
        contextlib.redirect_stdout(_Redacted(stream)),
        contextlib.redirect_stderr(_Redacted(stream)),
    ):
        yield


class Echo:
    """Says the new whole lines of a file that another process writes."""

    def __init__(self, file: Path, say: Callable[[str], None]) -> None:
        self._file, self._say = file, say
        self._position = file.stat().st_size if file.exists() else 0

    def new_lines(self) -> None:
        """Say what was written since the last call."""
        if not self._file.exists():
            return
        with self._file.open("rb") as stream:
            stream.seek(self._position)
            text, newline, _torn = stream.read().rpartition(b"\n")
        if newline:
            self._position += len(text) + 1
            self._say(text.decode("utf-8", errors="replace"))
