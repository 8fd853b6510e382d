"""Who else reaches a server is said before it is started."""

import pytest

from trivium.platform.exposure import is_loopback, warning_of


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_on_loopback_there_is_nothing_to_say(host: str) -> None:
    assert is_loopback(host)
    assert warning_of(host, "the dashboard", "anybody may look") is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "node-1.example.org"])
def test_elsewhere_the_risk_is_named(host: str) -> None:
    assert warning_of(host, "the dashboard", "who reaches it reads the study") == (
        f"warning: the dashboard on {host} can be reached from other machines and asks for no "
        "password: who reaches it reads the study. Safer: leave --host out and tunnel, ssh -L "
        "PORT:localhost:PORT THIS_MACHINE"
    )
