"""Who answers Ctrl-C and SIGTERM while Ray starts."""

import io
import signal
from typing import Any

from trivium.platform.interrupt import kept_handlers, listening


def test_a_library_that_takes_the_signals_gives_them_back() -> None:
    """Ray's handler of SIGTERM ends the process: a stopped job on a cluster lost its last steps."""
    with listening(lambda: None) as stop:
        with kept_handlers():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested


class SignalledAt(io.RawIOBase):
    """A file whose second write is interrupted by a signal."""

    def __init__(self) -> None:
        self.writes: list[str] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.writes.append(bytes(data).decode())
        if len(self.writes) == 2:
            signal.raise_signal(signal.SIGTERM)
        return len(data)


def test_a_signal_in_the_middle_of_a_write_is_told_after_it() -> None:
    """Python refuses to enter a file's writing twice in a thread: stopped runs failed with that."""
    raw = SignalledAt()
    log = io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", line_buffering=True)
    with listening(lambda: print("stopping", file=log)) as stop:
        print("one", file=log)
        print("two", file=log)
    assert stop.requested
    assert "".join(raw.writes) == "one\ntwo\nstopping\n"


def test_what_the_first_signal_says_is_said_before_the_run_goes_on(capsys) -> None:
    with listening(lambda: print("stopping")):
        signal.raise_signal(signal.SIGTERM)
    assert capsys.readouterr().out == "stopping\n"
