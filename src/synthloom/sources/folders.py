"""Folders of files, written whole or not at all; a folder for each label, where there are labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from synthloom.errors import FileError

__all__ = ["write_folder"]


def write_folder(
    parts: Iterable[tuple[Iterable[Any], Sequence[Hashable] | None]],
    path: Path,
    ending: str,
    write: Callable[[Any, Path], object],
) -> int:
    """Items and their labels, part by part, as files 000000, 000001, ... with this ending; says how many there were."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileError(f"an output folder must be new or empty, however: {path} is not; use another name")
    count = 0
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as place:
        folder = Path(place) / "whole"
        folder.mkdir()
        for items, labels in parts:
            for i, item in enumerate(items):
                home = folder if labels is None else folder / re.sub(r"[^\w .-]|^\.", "_", str(labels[i]))
                home.mkdir(exist_ok=True)
                write(item, home / f"{count:06}{ending}")
                count += 1
        if path.exists():
            path.rmdir()
        folder.replace(path)
    return count
