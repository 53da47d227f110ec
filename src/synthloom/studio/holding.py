"""One studio at a time in a folder of projects: two would start each other's work and delete what the other reads.

The system holds the lock, and lets go of it when the process ends, however it ends: none is ever left behind. The file
only says who it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from synthloom.errors import UsageError

__all__ = ["holding"]

_FAR = 1 << 20
"""The byte that is locked where locks are of bytes: nobody can read one that is."""


@contextmanager
def holding(folder: Path) -> Iterator[Callable[[str], None]]:
    """Hold the folder while the block lasts. What is handed out tells others the address to go to.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, holding(Path(folder)) as tell:
    ...     tell("http://127.0.0.1:8765/token/")
    ...     (Path(folder) / "studio.lock").read_text().startswith("the one at http://127.0.0.1:8765/token/ (process ")
    True
    """
    # the address holds the token: nobody else's to read
    descriptor = os.open(folder / "studio.lock", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a+", encoding="utf-8") as file:
        if not _is_ours(file):
            file.seek(0)
            raise UsageError(
                f"a folder of projects must be open in one studio at a time, however: {folder} is open in "
                f"{file.read().strip() or 'one that is just starting'}; use that one, end it, or name another folder "
                f"with --folder"
            )

        def tell(address: str) -> None:
            file.truncate(0)
            file.write(f"the one at {address} (process {os.getpid()})\n")
            file.flush()

        yield tell


def _is_ours(file: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
