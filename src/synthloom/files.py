"""Writing files so that a reader only ever sees a whole one, the old or the new, never half of either; and files that
nobody sees, in place of memory."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from synthloom.errors import FileError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["atomic", "mapped", "sweep"]


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


def mapped(parts: Iterable[np.ndarray], dtype: Any) -> np.ndarray:
    """Arrays of this type, one after the other, in a file without a name that is mapped into memory: what nobody looks
    at need not be there. The file goes with the last who holds the array.

    >>> import numpy as np
    >>> mapped((np.full(n, n, np.int32) for n in (1, 2)), np.int32).tolist()
    [1, 2, 2]
    """
    import numpy as np

    with TemporaryFile(prefix="synthloom-") as file:
        try:
            for part in parts:
                file.write(part.data)  # unlike `tofile`, says so when the disk is full
            file.flush()
        except OSError as error:
            if isinstance(error, FileError):
                raise
            raise FileError(
                f"cannot write to the folder for temporary files: {error}; set TMPDIR to another"
            ) from error
        if not file.tell():  # of nothing there is no map
            return np.zeros(0, dtype)
        return np.memmap(file, dtype, "c")  # "c": what nobody writes to, but torch wants to be able to
