"""Writing files so that a reader only ever sees a whole one: the old or the new, never half of either."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synthloom.errors import FileError

__all__ = ["atomic", "sweep"]


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Write to the path that is handed out; when the block ends well, it becomes `path` in one step.

    Survives a kill, a full disk and a power cut: until the rename the old file stands, and a later write sweeps away
    what a killed process has left.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileError(f"the folder of an output file must exist, however: there is no {path.parent}; make it first")
    sweep(path)
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def sweep(path: Path | str) -> None:
    """Remove what processes that no longer live have left of unfinished writes to `path`."""
    path = Path(path)
    for part in path.parent.glob(f".{_escape(path.name)}.*.part"):
        pid = part.name.rsplit(".", 2)[1].split("-")[0]
        if pid.isdigit() and int(pid) != os.getpid() and not _alive(int(pid)):
            part.unlink(missing_ok=True)


def _escape(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
