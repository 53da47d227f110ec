"""Where texts come from and go to, and the labels that may go with them.

a line of a .txt file          a text
a line of a .jsonl file        a text: {"text": ..., "label": ...}, or just "..."
a row of a table               a text in one of its columns, and perhaps a label in another
a .txt or .md file in a folder a text; where folders lie in the folder, their names are the labels
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pandas as pd

from synthloom.errors import DataError, FileError, UsageError
from synthloom.files import atomic
from synthloom.sources.encodings import encoding_of, opened_text
from synthloom.sources.folders import write_folder
from synthloom.sources.tables import FORMATS, chunks, opened, write_table

__all__ = ["TextFile", "Texts", "corpus_of", "read_texts", "take_texts", "texts_of", "write_texts"]

_DOCUMENTS = (".txt", ".md")
_FORMS = {".txt": "lines", ".jsonl": "json", ".md": "document"}
_AT_ONCE = 1_000
"""Texts that are read at once."""


class Texts(list[str]):
    """Texts, with a label for each where there are labels: a list of str that knows a little more.

    >>> texts = Texts(["so it goes", "never"], labels=["prose", None])
    >>> texts[0], texts.labels
    ('so it goes', ['prose', None])
    """

    def __init__(self, texts: Iterable[str] = (), labels: Iterable[Any] | None = None) -> None:
        super().__init__(texts)
        self.labels = None if labels is None else list(labels)
        if self.labels is not None and len(self.labels) != len(self):
            raise UsageError(f"there must be a label for each text, however: {len(self.labels)} for {len(self)} texts")

    def to_frame(self) -> pd.DataFrame:
        """A table with the column "text", and "label" if there are labels."""
        columns: dict[str, Any] = {"text": pd.Series(list(self), dtype="str")}
        return pd.DataFrame(columns | ({} if self.labels is None else {"label": self.labels}))


def texts_of(data: Any, *, column: str | None = None, labels: Sequence[Any] | str | None = None) -> Texts:
    """Texts from whatever may stand for them: a list or another iterable of them, a data frame, a path.

    `labels` are one for each, or the name of the column that holds them.
    """
    named = labels if isinstance(labels, str) else None
    if isinstance(data, (str, Path)):
        texts = read_texts(data, column=column, labels=named)
    elif isinstance(data, pd.DataFrame):
        (texts,) = _from_frames("the data frame", [data], column, named)
    elif isinstance(data, Iterable):
        texts = data if isinstance(data, Texts) else Texts(data)
    else:
        raise DataError(f"texts must be a list, a data frame or a path, however: it is a {type(data).__name__}")
    return texts if labels is None or named is not None else Texts(texts, labels)


def take_texts(texts: Texts, index: Sequence[int]) -> Texts:
    """The texts with these numbers, labels and all."""
    labels = None if texts.labels is None else [texts.labels[i] for i in index]
    return Texts([texts[i] for i in index], labels)


# -- reading ----------------------------------------------------------------------------------------------------------


class TextFile:
    """The texts behind a path, read anew each time that they are gone through: memory need not hold them.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "lines.txt").write_text("so it goes\\nnever\\n")
    ...     file = TextFile(Path(folder, "lines.txt"))
    ...     list(file), list(file), file.labels
    (['so it goes', 'never'], ['so it goes', 'never'], None)
    """

    def __init__(self, path: Path, column: str | None = None, labels: str | None = None) -> None:
        self._path, self._named = path, (column, labels)

    def __iter__(self) -> Iterator[str]:
        return (text for part in self.parts() for text in part)

    @cached_property
    def labels(self) -> list[Any] | None:
        """A label for each text, where there are labels."""
        found: list[Any] = []
        for part in self.parts():
            if part.labels is None:
                return None
            found += part.labels
        return found

    def parts(self) -> Iterator[Texts]:
        """The texts and their labels, some at a time."""
        if self._path.is_dir() and (documents := _documents(self._path)):
            return _read_folder(self._path, documents)
        if _is_table(self._path):
            return _from_frames(str(self._path), chunks(self._path), *self._named)
        return self._read_lines()

    def _read_lines(self) -> Iterator[Texts]:
        with opened(self._path, _FORMS, ".txt") as (form, parts):
            for name, file in parts.items():
                if form == "document":
                    yield Texts([_document(file)])
                    continue
                with opened_text(file, encoding_of(name, file)) as lines:
                    if form == "json":
                        yield from _from_frames(name, _json_frames(name, lines), *self._named)
                        continue
                    full = (line.rstrip("\r\n") for line in lines if line.strip())
                    while part := Texts(islice(full, _AT_ONCE)):
                        yield part


def read_texts(path: Path | str, *, column: str | None = None, labels: str | None = None) -> Texts:
    """The texts in a file or folder, or, for "-", in the lines of standard input.

    In a table and in JSON, texts are in `column`, or else in "text", or else in the column whose texts are longest, and
    labels are in the column `labels`, or else in "label" if there is one. Blank lines are no texts.
    """
    parts = list(TextFile(Path(path), column, labels).parts())
    known = [label for part in parts for label in part.labels or []]
    return Texts((text for part in parts for text in part), known if parts and parts[0].labels is not None else None)


def corpus_of(data: Any, *, column: str | None = None, labels: Sequence[Any] | str | None = None) -> Texts | TextFile:
    """Texts to be learnt from, as `texts_of` takes them; those behind a path stay there."""
    if isinstance(data, (str, Path)) and str(data) != "-" and (labels is None or isinstance(labels, str)):
        return TextFile(Path(data), column, labels)
    return texts_of(data, column=column, labels=labels)


def _is_table(path: Path) -> bool:
    if path.is_dir():
        return not any(file.suffix.lower() == ".jsonl" for file in path.iterdir())
    return path.name.lower().endswith(tuple(FORMATS))


def _documents(folder: Path) -> list[Path]:
    """Files of text in class folders, or else right in the folder, by name."""
    for place in ("*/*", "*"):
        found = [file for file in folder.glob(place) if file.name.lower().endswith(_DOCUMENTS)]
        found = [file for file in found if not any(p.startswith((".", "_")) for p in file.relative_to(folder).parts)]
        if found:
            return sorted(found)
    return []


def _read_folder(folder: Path, documents: list[Path]) -> Iterator[Texts]:
    for start in range(0, len(documents), _AT_ONCE):
        some = documents[start : start + _AT_ONCE]
        try:
            yield Texts(map(_document, some), None if some[0].parent == folder else [file.parent.name for file in some])
        except OSError as error:
            raise FileError(f"cannot read {folder}: {error.strerror or error}") from error


def _document(path: Path) -> str:
    with opened_text(path, encoding_of(str(path), path)) as file:
        text: str = file.read()
    return text.strip()


def _json_frames(name: str, lines: Iterable[str]) -> Iterator[pd.DataFrame]:
    rows = _json_rows(name, lines)
    while some := list(islice(rows, _AT_ONCE)):
        yield pd.DataFrame(some, dtype=object)


def _json_rows(name: str, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise FileError(f"{name}, line {number}: every line must be JSON, however: {error}; mend it") from error
        if not isinstance(row, (str, dict)):
            raise FileError(f'{name}, line {number}: every line must be a text or {{"text": ...}}, however: {row!r}')
        yield {"text": row} if isinstance(row, str) else row


def _from_frames(name: str, frames: Iterable[pd.DataFrame], column: str | None, labels: str | None) -> Iterator[Texts]:
    """The texts of a table that comes in frames; the first one says which columns are meant, if nobody does."""
    for number, frame in enumerate(frames):
        if number == 0:
            for asked in (column, labels):
                if asked is not None and asked not in frame:
                    raise DataError(
                        f"{name} must have the column {asked!r}, however: it has {', '.join(map(str, frame))}"
                    )
            column = column if column is not None else _longest(name, frame)
            labels = labels or ("label" if "label" in frame and column != "label" else None)
        text = frame.get(column, pd.Series(None, frame.index, dtype=object))
        texts = ["" if missing else str(cell) for cell, missing in zip(text, text.isna(), strict=True)]
        if labels is None:
            yield Texts(texts)
            continue
        label = frame.get(labels, pd.Series(None, frame.index, dtype=object))
        yield Texts(texts, [None if m else cell for cell, m in zip(label.tolist(), label.isna(), strict=True)])


def _longest(name: str, frame: pd.DataFrame) -> str:
    """The column that holds the texts, if nobody says which: "text", or the wordiest."""
    if "text" in frame:
        return "text"
    wordy = {c: frame[c] for c in frame if pd.api.types.is_string_dtype(frame[c]) or frame[c].dtype == object}
    if not wordy:
        raise DataError(f"{name} must have a column of text, however: it has {', '.join(map(str, frame)) or 'none'}")
    return str(max(wordy, key=lambda c: wordy[c].dropna().head(1000).astype(str).str.len().mean()))


# -- writing ----------------------------------------------------------------------------------------------------------


def write_texts(texts: Texts | Iterable[Texts], path: Path | str, *, excel_safe: bool = False) -> int:
    """Write texts, given whole or in parts, and return their number.

    A .txt file takes a text a line, and no labels; a .jsonl or table file also labels; "-" is lines on standard output;
    anything without an ending is a folder with a file for each text, in a folder for each label.
    """
    parts: Iterable[Texts] = [texts] if isinstance(texts, Texts) else texts
    path = Path(path)
    if path.name.lower().endswith(tuple(FORMATS)):
        return write_table((part.to_frame() for part in parts), path, excel_safe=excel_safe)
    if path.suffix == "" and str(path) != "-":
        sides = ((part, part.labels) for part in parts)
        return write_folder(sides, path, ".txt", lambda text, file: file.write_text(text + "\n", "utf-8"))
    if path.suffix.lower() not in (".txt", ".jsonl", ""):
        raise FileError(
            f"texts must go to a file of a known kind (.txt, .jsonl, {', '.join(FORMATS)}) or a folder, however: {path}"
        )
    lines = _json_lines if path.suffix.lower() == ".jsonl" else _plain_lines
    if str(path) == "-":
        return _write_lines(lines(parts), sys.stdout.buffer)
    with atomic(path) as part, part.open("wb") as file:
        return _write_lines(lines(parts), file)


def _plain_lines(parts: Iterable[Texts]) -> Iterator[str]:
    for text in (text for part in parts for text in part):
        if "\n" in text or "\r" in text:
            raise DataError(
                f"a .txt file takes a text a line, however: {text[:40]!r} has several; write .jsonl, .csv or a folder"
            )
        yield text


def _json_lines(parts: Iterable[Texts]) -> Iterator[str]:
    for part in parts:
        for i, text in enumerate(part):
            yield json.dumps({"text": text} | ({} if part.labels is None else {"label": part.labels[i]}))


def _write_lines(lines: Iterable[str], file: IO[bytes]) -> int:
    count = 0
    try:
        for line in lines:
            file.write(line.encode("utf-8", "replace") + b"\n")
            count += 1
        file.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileError(f"cannot write: {error.strerror or error}") from error
    return count
