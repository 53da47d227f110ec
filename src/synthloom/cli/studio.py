"""synthloom studio"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from synthloom.errors import UsageError


def run(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="Where to listen, on 127.0.0.1; 0: any.")
    ] = 8765,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where projects are kept; none: among the user's own data.")
    ] = None,
    keep_days: Annotated[
        float, typer.Option("--keep-days", min=0, help="Delete projects that nobody has worked on for so long.")
    ] = 30,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Open a page where all of this can be done by clicking. It listens on this machine alone."""
    missing = [name for name in ("fastapi", "uvicorn", "python_multipart") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f'the studio needs {", ".join(missing)}, however: not installed here; pip install "synthloom[studio]"'
        )
    from synthloom.studio.web.serving import serve

    serve(port, folder, keep_days, browser)
