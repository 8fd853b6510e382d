"""Passes TCP connections on: `python door.py PORT_FILE PORT TARGET_PORT`; PORT 0 takes a free one.

Killing this process is what a client sees of a server that dies; the server keeps what it has.
"""

import contextlib
import socket
import sys
import threading
from pathlib import Path


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Bytes from one to the other until either ends."""
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def main() -> None:
    """Serve until killed."""
    port_file, port, target_port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    listener = socket.create_server(("127.0.0.1", port), backlog=64)
    temporary = port_file.with_suffix(".new")
    temporary.write_text(str(listener.getsockname()[1]))
    temporary.replace(port_file)
    while True:
        client, _ = listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", target_port))
        except OSError:
            client.close()
            continue
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=pass_on, args=(source, target), daemon=True).start()


if __name__ == "__main__":
    main()
