"""Tables as text: CSV and its kin, read so that nothing changes in silence.

Delimiter, encoding and packing are seen from the file itself, and the type of a column from the whole of it. A fast
parser reads (pyarrow's); where it fails, or would be lenient, a strict and slow one (the standard library's) looks
again and names the line.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, open_csv

from synthloom.errors import DataError, FileError
from synthloom.sources.encodings import LONGEST, encoding_of, opened_text, opened_utf8
from synthloom.sources.fields import DELIMITERS, MISSING, Kind, enclose, field_text

__all__ = ["Csv"]

_HELD = 1 << 26  # bytes of text that are kept between finding the types and applying them; more is read twice


@dataclass(frozen=True)
class Csv:
    """Reads any delimiter and packing, writes its own: a `Format`."""

    delimiter: str = ","
    gzip: bool = False

    def read(self, parts: Mapping[str, Path]) -> pd.DataFrame:
        schema, batches = _text_of(parts)
        table = pa.Table.from_batches(list(batches()), schema)
        kinds = {name: Kind() for name in schema.names}
        return pd.DataFrame({name: kind.series(kind.narrow(table[name])) for name, kind in kinds.items()}, copy=False)

    def chunks(self, parts: Mapping[str, Path], rows: int) -> Iterator[pd.DataFrame]:
        schema, batches = _text_of(parts)
        kinds = {name: Kind() for name in schema.names}
        held: list[pa.RecordBatch] = []
        total = size = 0
        for batch in batches():
            for name, kind in kinds.items():
                kind.narrow(batch[name])
            total += len(batch)
            size += batch.nbytes
            held = [*held, batch] if size <= _HELD else []
        if not total:
            yield self.read(parts)
        for batch in held if size <= _HELD else batches():
            for start in range(0, len(batch), rows):
                text = batch.slice(start, rows)
                series = {name: kind.series(kind.values(text[name])) for name, kind in kinds.items()}
                yield pd.DataFrame(series, copy=False)

    def write(self, frames: Iterable[pd.DataFrame], file: IO[bytes], excel_safe: bool) -> None:
        packed = gzip.GzipFile("", "wb", 6, file, mtime=0) if self.gzip else nullcontext(file)
        with packed as out:
            for count, frame in enumerate(frames):
                if count == 0:
                    header = [field_text(pd.Series([name], name=name, dtype=object), excel_safe) for name in frame]
                    out.write(_lines(header, self.delimiter))
                step = max(1, 1_000_000 // frame.shape[1])  # rows of so many cells are held as text at a time
                for start in range(0, len(frame), step):
                    rows = frame.iloc[start : start + step]
                    fields = [field_text(rows[name], excel_safe) for name in rows]
                    out.write(_lines(fields, self.delimiter))


# -- from bytes to text -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _File:
    """One file and how it is written."""

    name: str  # what messages call it
    path: Path
    encoding: str
    delimiter: str
    names: tuple[str, ...]
    header: int  # bytes of UTF-8 up to the end of the header line

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows as text, in the columns of `schema`; unquoted marks of missing values are null."""
        with opened_utf8(self.path, self.encoding) as file:
            file.read(self.header)
            watched = _Watched(file, self.delimiter)
            try:
                reader = open_csv(
                    watched,
                    read_options=ReadOptions(column_names=self.names, block_size=LONGEST),
                    parse_options=ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
                    convert_options=ConvertOptions(
                        column_types=schema,
                        include_columns=schema.names,
                        null_values=MISSING,
                        strings_can_be_null=True,
                        quoted_strings_can_be_null=False,
                    ),
                )
                yield from reader
            except pa.ArrowInvalid as error:
                if self.check():
                    why = " ".join(str(error).split())
                    raise FileError(f"{self.name} is not a table that can be read: {why}; save it again") from error
                return  # a header and nothing below it
        if watched.doubtful:
            self.check()

    def check(self) -> int:
        """The number of rows, counted the strict way: whatever is wrong with the file is said with its line."""
        count = -1
        with opened_text(self.path, self.encoding) as text:
            for line, raw, record in _records(self.name, text, self.delimiter):
                if record and len(record) != len(self.names):
                    raise FileError(
                        f"{self.name}, line {line}: a row must have as many fields as the header, {len(self.names)}, "
                        f"however: this one has {len(record)}; complete it, or quote the fields that hold "
                        f"{self.delimiter!r}"
                    )
                for field in record:
                    if "\0" in field and _quote(field) not in raw:
                        raise _not_text(self.name, line)
                count += bool(record)
        return count


class _Watched:
    """Hands bytes on to the parser, and is `doubtful` of those that it would take without a word.

    That is NULs, and quotes that do not stand at the edges of a field: `1,"ab` and `2,"cd` on two lines, both unclosed,
    would be glued together into one row.
    """

    closed = False

    def __init__(self, file: IO[bytes], delimiter: str) -> None:
        self._file = file
        self._edge = np.zeros(256, bool)
        self._edge[[ord(c) for c in f'{delimiter}\r\n"']] = True  # a quote beside a quote is one that is doubled
        self._inside = False
        self._tail = b"\n\n"  # the last two bytes seen: the very last is not judged before its neighbour is known
        self.doubtful = False

    def readable(self) -> bool:
        return True

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        if not self.doubtful:
            self._judge(block or b"\n")
            self.doubtful |= self._inside and not block
        return block

    def close(self) -> None:
        pass

    def _judge(self, block: bytes) -> None:
        text = self._tail + block
        self._tail = text[-2:]
        self.doubtful = b"\0" in block
        if b'"' in text:
            byte = np.frombuffer(text, np.uint8)
            quotes = np.flatnonzero(byte[1:-1] == ord('"')) + 1
            before, after = quotes[self._inside :: 2] - 1, quotes[not self._inside :: 2] + 1
            self.doubtful |= not (self._edge[byte[before]].all() and self._edge[byte[after]].all())
            self._inside ^= len(quotes) % 2 == 1


def _text_of(parts: Mapping[str, Path]) -> tuple[pa.Schema, Callable[[], Iterator[pa.RecordBatch]]]:
    """The columns that all parts have, and a way to read them as text, as often as needed."""
    files = [_sniff(name, path) for name, path in parts.items()]
    for file in files[1:]:
        if sorted(file.names) != sorted(files[0].names):
            odd = sorted(set(file.names) ^ set(files[0].names))
            raise DataError(
                f"all parts of a table must have the same columns, however: {file.name} and {files[0].name} "
                f"differ in {', '.join(map(repr, odd))}"
            )
    schema = pa.schema([(name, pa.string()) for name in files[0].names])
    return schema, lambda: (batch for file in files for batch in file.batches(schema))


def _sniff(name: str, path: Path) -> _File:
    encoding = encoding_of(name, path)
    delimiter = _delimiter(name, path, encoding)
    size = 0
    with opened_text(path, encoding) as text:
        for line, raw, record in _records(name, text, delimiter):
            size += len(raw.encode())
            if record:
                return _File(name, path, encoding, delimiter, _header(name, line, record), size)
    raise FileError(f"{name} is empty: the first line of a table must name its columns")


def _header(name: str, line: int, names: list[str]) -> tuple[str, ...]:
    where = f"{name}, line {line}"
    for position, column in enumerate(names, 1):
        if any(character < " " and not character.isspace() for character in column):
            raise _not_text(name, line)
        if not column.strip():
            raise FileError(
                f"{where}: every column must have a name, however: column {position} of {len(names)} has none; "
                f"name it, or take it out (pandas writes its index so: use to_csv(index=False))"
            )
    if len(set(names)) < len(names):
        twice = next(column for column in names if names.count(column) > 1)
        raise FileError(
            f"{where}: column names must differ, however: {twice!r} is there more than once; rename one, "
            f"or add a line of names above if this is the first row of the data"
        )
    return tuple(names)


def _not_text(name: str, line: int) -> FileError:
    return FileError(
        f"{name}, line {line}: there are control characters, so the file is no text, is damaged, or is UTF-16 without "
        f"its mark; save it again as UTF-8"
    )


def _delimiter(name: str, path: Path, encoding: str) -> str:
    """What cuts the first rows into equally many fields, the most if several do; else the header's commonest."""
    fields = dict.fromkeys(DELIMITERS, 0)
    for delimiter in DELIMITERS:
        with opened_text(path, encoding) as text, suppress(FileError):
            widths = [len(record) for _, _, record in islice(_records(name, text, delimiter), 50) if record]
            fields[delimiter] = widths[0] if len(set(widths)) == 1 else 0
    if max(fields.values()) > 1:
        return max(DELIMITERS, key=lambda delimiter: fields[delimiter])
    with opened_text(path, encoding) as text:
        return max(DELIMITERS, key=text.readline(LONGEST).count)


def _records(name: str, text: io.TextIOWrapper, delimiter: str) -> Iterator[tuple[int, str, list[str]]]:
    """Each record: the line that it begins on, its text as it stands, its fields."""
    raw: list[str] = []
    start = 1

    def lines() -> Iterator[str]:
        while line := text.readline(LONGEST):
            if len(line) == LONGEST:
                raise FileError(
                    f"{name}, line {start}: a row must be shorter than {LONGEST} characters, however: this one "
                    f"is not; look for a missing quote or line end"
                )
            raw.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    limit = csv.field_size_limit(LONGEST)
    try:
        for record in reader:
            yield start, "".join(raw), record
            raw.clear()
            start = reader.line_num + 1
    except csv.Error as error:
        raise FileError(
            f"{name}, line {start}: quotes must close before the next {delimiter!r} or line end, and be doubled within "
            f"a field, however: {error}; mend the row that begins here"
        ) from error
    finally:
        csv.field_size_limit(limit)


def _quote(field: str) -> str:
    return '"' + field.replace('"', '""') + '"'


def _lines(fields: list[pa.Array], delimiter: str) -> pa.Buffer:
    """The fields, column by column, as lines. A lone missing value is NA: an empty line would be no row at all."""
    missing = "NA" if len(fields) == 1 else ""
    between = pa.scalar(delimiter, pa.large_string())
    rows = pc.binary_join_element_wise(*fields, between, null_handling="replace", null_replacement=missing)
    return enclose("", rows, "\n").buffers()[2]
