"""Where tables come from and go to: files, folders of parts, standard input and output.

    frame = read_table("people.csv")
    for frame in chunks("people/", rows=10_000): ...      a folder of parts, in constant memory
    write_table(frame, "people.parquet")

A new kind of file is a new class with `read`, `chunks` and `write`, and one line in `FORMATS`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol, TypeVar

import pandas as pd

from synthloom.errors import DataError, FileError, UsageError
from synthloom.files import atomic
from synthloom.sources.csv import Csv
from synthloom.sources.parquet import Parquet

__all__ = ["FORMATS", "Format", "chunks", "opened", "read_table", "take_rows", "write_table"]


class Format(Protocol):
    """One kind of table file. `parts` are the files that make one table, under the names that messages call them by."""

    def read(self, parts: Mapping[str, Path]) -> pd.DataFrame:
        """The whole table."""
        ...

    def chunks(self, parts: Mapping[str, Path], rows: int) -> Iterator[pd.DataFrame]:
        """The table in frames of at most `rows` rows, at least one frame, each with the dtypes of the whole."""
        ...

    def write(self, frames: Iterable[pd.DataFrame], file: IO[bytes], excel_safe: bool) -> None:
        """Write frames that have the same columns."""
        ...


Form = TypeVar("Form")

FORMATS: dict[str, Format] = {
    ".csv": Csv(),
    ".csv.gz": Csv(gzip=True),
    ".tsv": Csv(delimiter="\t"),
    ".parquet": Parquet(),
}


def read_table(path: Path | str) -> pd.DataFrame:
    """The table in a file, in a folder of parts, or, for "-", in the CSV on standard input."""
    with opened(path, FORMATS, ".csv") as (form, parts):
        return form.read(parts)


def chunks(path: Path | str, rows: int = 100_000) -> Iterator[pd.DataFrame]:
    """What `read_table` gives, in frames of at most `rows` rows and in constant memory; an empty table is one frame."""
    if rows < 1:
        raise UsageError(f"rows must be at least 1, however: rows={rows}")
    with opened(path, FORMATS, ".csv") as (form, parts):
        yield from form.chunks(parts, rows)


def write_table(frames: pd.DataFrame | Iterable[pd.DataFrame], path: Path | str, *, excel_safe: bool = False) -> int:
    """Write one table, given whole or in frames, and return its number of rows.

    The index is not data and is not written. "-" is CSV on standard output. With `excel_safe`, text in a CSV file that
    a spreadsheet would run as a formula gets a leading apostrophe.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     rows = write_table(pd.DataFrame({"age": [31, None], "job": ["cook", "smith"]}), f"{folder}/people.csv")
    ...     print(rows, read_table(f"{folder}/people.csv")["job"].tolist())
    2 ['cook', 'smith']
    """
    sheet = _Sheet([frames] if isinstance(frames, pd.DataFrame) else frames)
    if str(path) == "-":
        try:
            FORMATS[".csv"].write(sheet, sys.stdout.buffer, excel_safe)
            sys.stdout.buffer.flush()
        except OSError as error:
            raise FileError(f"cannot write to standard output: {error.strerror or error}") from error
        return sheet.rows
    path = Path(path)
    if path.is_dir():
        raise FileError(f"an output file must not be a folder, however: {path} is one; name a file in it")
    form = FORMATS[_ending(path, FORMATS)]
    with atomic(path) as part, part.open("wb") as file:
        form.write(sheet, file, excel_safe)
    return sheet.rows


class _Sheet:
    """The frames on their way out: checked to make one table that can be read again, and counted."""

    def __init__(self, frames: Iterable[pd.DataFrame]) -> None:
        self._frames = frames
        self.rows = 0

    def __iter__(self) -> Iterator[pd.DataFrame]:
        names: list[str] = []
        for frame in self._frames:
            found = [str(name) for name in frame.columns]
            if not names:
                names = _checked(found)
            elif found != names:
                raise DataError(f"all frames of a table must have the columns {names}, however: one has {found}")
            self.rows += len(frame)
            yield frame.set_axis(names, axis=1)
        if not names:
            raise DataError("a table must have at least one column, however: no frame was given to write")


def _checked(names: list[str]) -> list[str]:
    if not names:
        raise DataError("a table must have at least one column, however: the frame to write has none")
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DataError(f"column names must differ, however: {twice[0]!r} is there more than once; rename one")
    odd = [name for name in names if not name.strip() or any(c < " " and not c.isspace() for c in name)]
    if odd:
        raise DataError(f"every column must have a name that can be read, however: one is {odd[0]!r}; rename it")
    return names


def take_rows(frame: pd.DataFrame, index: Sequence[int]) -> pd.DataFrame:
    """The rows with these numbers."""
    return frame.iloc[index]


def _ending(path: Path, endings: Iterable[str]) -> str:
    for ending in endings:
        if path.name.lower().endswith(ending):
            return ending
    raise FileError(
        f"data must be in a file of a known kind ({', '.join(endings)}), however: {path}; convert or rename it"
    )


@contextmanager
def opened(path: Path | str, forms: Mapping[str, Form], piped: str) -> Iterator[tuple[Form, dict[str, Path]]]:
    """The files behind a path, and which of `forms` (by their endings; `piped` for "-") they have; what the system
    says of them becomes one line."""
    try:
        if str(path) == "-":
            with tempfile.TemporaryDirectory() as folder:  # a pipe can be read once, and finding types takes two passes
                copy = Path(folder) / "input"
                with copy.open("wb") as file:
                    shutil.copyfileobj(sys.stdin.buffer, file)
                yield forms[piped], {"standard input": copy}
        else:
            parts = _parts(Path(path), forms)
            yield forms[_ending(parts[0], forms)], {str(part): part for part in parts}
    except (EOFError, zlib.error) as error:
        raise FileError(
            f"cannot unpack {path}: the gzip file is cut off or damaged; copy or download it again"
        ) from error
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def _parts(path: Path, endings: Iterable[str]) -> list[Path]:
    """The file itself, or a folder's files by name; what others leave beside them (_SUCCESS, .crc) is passed over."""
    if not path.exists():
        raise FileError(f"there is no file or folder {path}; look for a slip in the name")
    if not path.is_dir():
        return [path]
    parts = sorted(part for part in path.iterdir() if not part.name.startswith((".", "_")))
    if not parts:
        raise FileError(f"a folder must hold the parts of a table, however: {path} holds none")
    strange = [part for part in parts if part.is_dir() or _ending(part, endings) != _ending(parts[0], endings)]
    if strange:
        raise FileError(
            f"a folder of parts must hold files of one kind only, however: {path} holds {parts[0].name} "
            f"and {strange[0].name}; move one of them away"
        )
    return parts
