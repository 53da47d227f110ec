"""Where data comes from and goes to: a table of kinds, each with its way to read, write and pick out items.

    frame = read_table("people.csv")
    texts = read_texts("headlines.jsonl")
    images = read_images("train-images-idx3-ubyte.gz")
    write_table(frame, "people.parquet")

A new kind of data is a file here and a line in `SOURCES`; a new kind of table file, a line in `FORMATS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synthloom.sources.images import IMAGES, Images, images_of, read_images, take_images, write_images
from synthloom.sources.pictures import Frame
from synthloom.sources.sampling import HELD, RowSample, evenly
from synthloom.sources.tables import FORMATS, Format, chunks, read_table, take_rows, write_table
from synthloom.sources.texts import TextFile, Texts, corpus_of, read_texts, take_texts, texts_of, write_texts

__all__ = [
    "FORMATS",
    "HELD",
    "SOURCES",
    "Format",
    "Frame",
    "Images",
    "RowSample",
    "Source",
    "TextFile",
    "Texts",
    "chunks",
    "corpus_of",
    "evenly",
    "images_of",
    "kind_of",
    "looks_like",
    "read_images",
    "read_table",
    "read_texts",
    "take_texts",
    "texts_of",
    "write_images",
    "write_table",
    "write_texts",
]


@dataclass(frozen=True)
class Source:
    """How one kind of data comes and goes. `things` is what people call its items."""

    things: str
    endings: tuple[str, ...]
    """Files that are of this kind unless one says otherwise."""
    read: Callable[..., Any]
    """(path, ...) -> items."""
    write: Callable[..., int]
    """(items or an iterable of them in parts, path) -> how many were written."""
    take: Callable[[Any, Any], Any]
    """(items, numbers) -> those items."""
    parts: str
    """The kind of file that a folder of parts is made of."""
    apart: bool
    """Whether a folder that is written holds a file for each item, unless parts are asked for."""


SOURCES: dict[str, Source] = {
    "table": Source("rows", tuple(FORMATS), read_table, write_table, take_rows, ".parquet", apart=False),
    "text": Source("texts", (".txt", ".md", ".jsonl"), read_texts, write_texts, take_texts, ".jsonl", apart=True),
    "image": Source("images", IMAGES, read_images, write_images, take_images, ".npz", apart=True),
}
"""Kind of data -> how it comes and goes."""


def kind_of(path: Path | str) -> str:
    """The kind of data that a file or folder looks like, by the endings of its files; a table if that says nothing.

    >>> kind_of("people.csv"), kind_of("headlines.txt"), kind_of("faces.npz")
    ('table', 'text', 'image')
    """
    path = Path(path)
    files = [path]
    if path.is_dir():  # and class folders in it
        files = [file for place in ("*", "*/*") for file in path.glob(place) if not file.name.startswith((".", "_"))]
    found = Counter(
        kind for file in files for kind, source in SOURCES.items() if file.name.lower().endswith(source.endings)
    )
    return found.most_common(1)[0][0] if found else "table"


def looks_like(data: Any) -> str:
    """The kind of data that something looks like: strings are texts, arrays images, all else in memory is a table; and
    a path is of the kind that its files are.

    >>> looks_like(["so it goes"]), looks_like("people.csv")
    ('text', 'table')
    """
    if isinstance(data, str | Path):
        return kind_of(data)
    if isinstance(data, Texts) or (isinstance(data, list) and all(isinstance(item, str) for item in data[:100])):
        return "text"
    return "image" if isinstance(data, np.ndarray | Images) else "table"
