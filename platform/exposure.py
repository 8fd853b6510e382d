"""A server that other machines can reach: allowed when asked for, never without naming the risk."""

import ipaddress

LOOPBACK = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def warning_of(host: str, what: str, risk: str) -> str | None:
    """What to say before `what` is bound to `host`; None when nobody else can reach it."""
    if is_loopback(host):
        return None
    return (
        f"warning: {what} on {host} can be reached from other machines and asks for no password: "
        f"{risk}. Safer: leave --host out and tunnel, ssh -L PORT:localhost:PORT THIS_MACHINE"
    )
