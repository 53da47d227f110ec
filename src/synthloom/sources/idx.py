"""The idx files that MNIST and its kin come in: four bytes of magic, the sizes, the levels; packed by gzip or not.

What is not packed is mapped into memory rather than read, so that it may be larger than it.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthloom import devices
from synthloom.errors import FileError

__all__ = ["read_idx"]

_BYTES = 8
"""The type number of unsigned bytes."""


def read_idx(path: Path) -> NDArray[Any]:
    """The array of bytes in an idx file."""
    packed = path.name.lower().endswith(".gz")
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != _BYTES or not 1 <= magic[3] <= 4:
                raise FileError(
                    f"{path} must be an idx file of unsigned bytes, however: it begins with {magic.hex()!r}; "
                    f"convert it, or rename it if it is something else"
                )
            sizes = file.read(4 * magic[3])
            shape = struct.unpack(f">{magic[3]}I", sizes) if len(sizes) == 4 * magic[3] else (0,)
            wanted = math.prod(shape)
            if not packed:
                found = path.stat().st_size - 4 - len(sizes)
                _assert_whole(path, wanted, found, len(sizes) == 4 * magic[3])
                if not wanted:
                    return np.zeros(shape, np.uint8)
                return np.memmap(path, np.uint8, "r", 4 + len(sizes), shape)
            if wanted > devices.free_memory():
                raise FileError(f"{path} must fit into memory, however: it says that it holds {wanted:,} bytes")
            content = file.read(wanted + 1)
            _assert_whole(path, wanted, len(content), len(sizes) == 4 * magic[3])
            return np.frombuffer(content, np.uint8).reshape(shape)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileError(f"cannot unpack {path}: it is cut off or damaged; copy or download it again") from error
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def _assert_whole(path: Path, wanted: int, found: int, has_sizes: bool) -> None:
    if not has_sizes or wanted != found:
        more = "more" if found > wanted else f"{found:,}"
        raise FileError(
            f"{path} must hold the {wanted:,} bytes that it announces, however: it holds {more}; copy it again"
        )
