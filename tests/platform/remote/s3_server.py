"""An S3 server in a process of its own: `python s3_server.py PORT_FILE FAULT_FILE`.

It writes its port to PORT_FILE. While FAULT_FILE exists, every request is answered with the HTTP
status that the file holds, as by a store that has trouble of its own.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.server import create_backend_app
from werkzeug.serving import make_server


class Faulty:
    """A WSGI application that fails as it is told."""

    def __init__(self, application: Callable[..., Any], fault: Path) -> None:
        self._application, self._fault = application, fault

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if self._fault.exists():
            status = self._fault.read_text().strip()
            start(f"{status} Told", [("Content-Length", "0")])
            return []
        answer: Iterable[bytes] = self._application(environ, start)
        return answer


def main() -> None:
    """Serve until killed."""
    port_file, fault_file = map(Path, sys.argv[1:3])
    application = Faulty(create_backend_app("s3"), fault_file)
    server = make_server("127.0.0.1", 0, application, threaded=True)
    temporary = port_file.with_suffix(".new")
    temporary.write_text(str(server.server_port))
    temporary.replace(port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
