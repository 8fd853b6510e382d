"""Who answers Ctrl-C and SIGTERM while Ray starts."""

import signal

from trivium.platform.interrupt import kept_handlers, listening


def test_a_library_that_takes_the_signals_gives_them_back() -> None:
    """Ray's handler of SIGTERM ends the process: a stopped job on a cluster lost its last steps."""
    with listening(lambda: None) as stop:
        with kept_handlers():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested
