"""Tables as Parquet, through pyarrow: columns keep their types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from synthloom.errors import DataError, FileError

__all__ = ["Parquet"]

_WITH_GAPS = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}
_READ_ROWS = 1 << 20
_UNFIT = (pa.ArrowException, OverflowError, UnicodeEncodeError)


class Parquet:
    """Whole columns of plain values, without pandas' index, which is not data: a `Format`."""

    def read(self, parts: Mapping[str, Path]) -> pd.DataFrame:
        schema = _schema(parts)
        table = pa.Table.from_batches(list(_batches(parts, schema, schema.names, _READ_ROWS)), schema)
        columns = _Columns(schema)
        columns.scan(table.to_batches())
        return columns.frame(table)

    def chunks(self, parts: Mapping[str, Path], rows: int) -> Iterator[pd.DataFrame]:
        schema = _schema(parts)
        columns = _Columns(schema)
        columns.scan(_batches(parts, schema, columns.open, rows))
        empty = True
        for batch in _batches(parts, schema, schema.names, rows):
            empty = False
            yield columns.frame(pa.Table.from_batches([batch], schema))
        if empty:
            yield columns.frame(schema.empty_table())

    def write(self, frames: Iterable[pd.DataFrame], file: IO[bytes], excel_safe: bool) -> None:
        """`excel_safe` asks nothing of a file that no spreadsheet opens as text."""
        writer: pq.ParquetWriter | None = None
        try:
            for frame in frames:
                table = _table(frame, writer.schema if writer else None)
                writer = writer or pq.ParquetWriter(file, table.schema)
                writer.write_table(table)
        finally:
            if writer:
                writer.close()


# -- reading ----------------------------------------------------------------------------------------------------------


def _schema(parts: Mapping[str, Path]) -> pa.Schema:
    """The columns that all parts have, in the order of the first, each in a type that holds every part's."""
    found: pa.Schema | None = None
    for name, path in parts.items():
        schema = _part_schema(name, path)
        if found is None:
            found = schema
            continue
        if sorted(schema.names) != sorted(found.names):
            odd = sorted(set(schema.names) ^ set(found.names))
            raise DataError(
                f"all parts of a table must have the same columns, however: {name} and {next(iter(parts))} "
                f"differ in {', '.join(map(repr, odd))}"
            )
        try:
            found = pa.unify_schemas([found, schema], promote_options="permissive")
        except pa.ArrowException as error:
            raise DataError(
                f"all parts of a table must have the same types, however: in {name}: {_line(error)}"
            ) from error
    assert found is not None, "a table has at least one part"
    return found


def _part_schema(name: str, path: Path) -> pa.Schema:
    with _opened(name, path) as file:
        schema = file.schema_arrow
    pandas = (schema.metadata or {}).get(b"pandas")
    if pandas:
        about = json.loads(pandas)
        index = [column for column in about["index_columns"] if isinstance(column, str)]
        schema = pa.schema([field for field in schema if field.name not in index])
        schema = schema.with_metadata({b"pandas": json.dumps(about | {"index_columns": [], "column_indexes": []})})
    if len(set(schema.names)) < len(schema.names):
        twice = next(column for column in schema.names if schema.names.count(column) > 1)
        raise DataError(f"{name}: column names must differ, however: {twice!r} is there more than once; rename one")
    _refuse_nested(schema, name)
    return schema


def _refuse_nested(schema: pa.Schema, name: str) -> None:
    for field in schema:
        inner = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        inner = inner.storage_type if isinstance(inner, pa.BaseExtensionType) else inner
        if pa.types.is_nested(inner):
            raise DataError(
                f"{name}: a table must hold one plain value per cell, however: column {field.name!r} holds "
                f"{field.type}; take it apart (pandas: explode, json_normalize) or leave it out"
            )


def _opened(name: str, path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise FileError(f"{name} is not a Parquet file, or a damaged one ({_line(error)}); write it again") from error


def _batches(parts: Mapping[str, Path], schema: pa.Schema, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """The columns `names` of all parts, in the types of `schema`."""
    target = pa.schema([schema.field(name) for name in names])
    for name, path in parts.items():
        with _opened(name, path) as file:
            try:
                for batch in file.iter_batches(rows, columns=list(names)):
                    yield from pa.Table.from_batches([batch]).select(names).cast(target).to_batches()
            except (pa.ArrowException, OSError) as error:
                raise FileError(f"{name} is a damaged Parquet file ({_line(error)}); write it again") from error


class _Columns:
    """What the whole of a column says about each stretch of it: has it gaps, and between what does it choose?"""

    def __init__(self, schema: pa.Schema) -> None:
        about = json.loads((schema.metadata or {}).get(b"pandas", b'{"columns": []}'))
        nullable = {column["field_name"] for column in about["columns"] if column["numpy_type"][:1] in "IUb"}
        self._schema = schema
        self._gaps: set[str] = set()
        self._levels: dict[str, dict[object, None]] = {
            field.name: {} for field in schema if pa.types.is_dictionary(field.type)
        }
        whole = [field.name for field in schema if field.type in _WITH_GAPS and field.name not in nullable]
        self.open = [*self._levels, *whole]

    def scan(self, batches: Iterable[pa.RecordBatch]) -> None:
        for batch in batches if self.open else ():
            for name in self.open:
                if name in self._levels:
                    self._levels[name] |= dict.fromkeys(batch[name].dictionary.to_pylist())
                elif batch[name].null_count:
                    self._gaps.add(name)

    def frame(self, table: pa.Table) -> pd.DataFrame:
        plain = [name for name in table.column_names if name not in self._levels and name not in self._gaps]
        series = dict(table.select(plain).to_pandas().items())
        for name in self._gaps:
            series[name] = table[name].to_pandas(types_mapper=_WITH_GAPS.get)
        for name, levels in self._levels.items():
            kind = self._schema.field(name).type
            categories = pa.array(levels, kind.value_type).to_pandas()
            dtype = pd.CategoricalDtype(categories, kind.ordered)
            series[name] = table[name].cast(kind.value_type).to_pandas().astype(dtype)
        return pd.DataFrame({name: series[name] for name in table.column_names}, copy=False)


# -- writing ----------------------------------------------------------------------------------------------------------


def _table(frame: pd.DataFrame, schema: pa.Schema | None) -> pa.Table:
    try:
        table = pa.Table.from_pandas(frame, schema, preserve_index=False)
    except _UNFIT as error:
        for name in frame.columns:
            try:
                pa.array(frame[name], schema and schema.field(name).type, from_pandas=True)
            except _UNFIT as reason:
                raise DataError(
                    f"a Parquet column must hold values of one type, however: column {name!r} does not "
                    f"({_line(reason)}); convert it first"
                ) from error
        raise
    _refuse_nested(table.schema, "the frame to write")
    return table


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
