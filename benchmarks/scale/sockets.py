"""Bytes that went through a process's TCP connections, as the kernel counts them (Linux)."""

import os
import socket
import struct
from typing import NamedTuple

# Of struct tcp_info in linux/tcp.h: bytes_acked, bytes_received; segs_out, segs_in.
_BYTES_AT, _BYTES = 120, struct.Struct("QQII")
_ended: dict[int, "TcpBytes"] = {}


class TcpBytes(NamedTuple):
    """Over all connections so far, those that were seen and have ended included."""

    sent: int
    """What the other side has acknowledged."""
    received: int
    segments: int
    """Both ways; those without data, which only acknowledge, too."""


def tcp_bytes() -> TcpBytes:
    """Of this process. Connections that came and went between two calls are not seen."""
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{descriptor}")
            if name.startswith("socket:"):
                _ended[int(name[8:-1])] = _of(int(descriptor))
        except OSError:
            continue  # closed meanwhile, no TCP, or not connected
    return TcpBytes(*map(sum, zip(*_ended.values(), strict=True))) if _ended else TcpBytes(0, 0, 0)


def _of(descriptor: int) -> TcpBytes:
    copy = os.dup(descriptor)  # so that a socket object's end closes no connection of others
    with socket.socket(fileno=copy) as connection:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    sent, received, segments_out, segments_in = _BYTES.unpack_from(info, _BYTES_AT)
    return TcpBytes(sent, received, segments_out + segments_in)
