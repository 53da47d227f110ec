"""The server: on 127.0.0.1 and nowhere else."""

from __future__ import annotations

import socket
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import uvicorn

from synthloom.errors import UsageError
from synthloom.studio.holding import holding
from synthloom.studio.projects import Projects, home
from synthloom.studio.web.app import application
from synthloom.studio.web.state import Studio

__all__ = ["serve"]


def serve(port: int, folder: Path | None = None, days: float = 30, browser: bool = True) -> None:
    """Serve until Ctrl-C. Port 0 is any that is free."""
    projects = Projects(folder or home(), days)
    with holding(projects.folder) as tell, _listening(port) as door:
        port = door.getsockname()[1]
        studio = Studio(projects, (f"127.0.0.1:{port}", f"localhost:{port}"))
        address = f"http://127.0.0.1:{port}{studio.base}/"
        tell(address)
        print(address, flush=True)
        print(f"projects are kept in {projects.folder}; Ctrl-C ends the studio", file=sys.stderr)
        if browser:
            timer = Timer(0.3, webbrowser.open, [address])
            timer.daemon = True
            timer.start()
        config = uvicorn.Config(
            application(studio),
            log_level="error",
            access_log=False,  # addresses hold the token
            server_header=False,
            date_header=False,
            ws="none",
            proxy_headers=False,
            timeout_graceful_shutdown=2,
        )
        uvicorn.Server(config).run(sockets=[door])


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("127.0.0.1", port))
            door.listen()  # who is quick with the address waits for the first answer, and is not turned away
        except OSError as error:
            raise UsageError(f"--port must be free, however: {port}: {error.strerror}; try --port 0") from error
        yield door
