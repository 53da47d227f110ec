"""From data frames to tables that can be judged: what each column is, and which are left out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from synthloom.codecs.columns import detect
from synthloom.errors import DataError, UsageError
from synthloom.metrics.score import Context, Roles
from synthloom.metrics.table.data import Column, Facts, Table
from synthloom.metrics.table.large import LargeTable, StoredColumns
from synthloom.sources import HELD, RowSample, chunks, evenly, read_table

__all__ = ["read", "read_tables"]

_ROLES = ("categorical", "numerical", "ignore")

_UNJUDGED = {
    "identifier": "not judged, because the values hardly ever repeat, as in an identifier",
    "text": "not judged, because they hold free text",
}
"""Column types that are left out, and what is said of them."""

_NUMERICAL = ("number", "datetime", "duration")

_PART = 1 << 16
"""Rows of a part of a table that is not held."""

_OF_ALL = (
    "shape_error, missing_error, trend_error and wnmi_error count all rows, copy_rate and dcr_share look through all "
    "real ones, and all else sees those that are held"
)

_LARGEST = 1e150
"""Beyond this, squares overflow."""

_FAMILIES = {
    "boolean": "true or false",
    "date": "calendar days",
    "datetime": "dates and times",
    "datetime64": "dates and times",
    "decimal": "numbers",
    "floating": "numbers",
    "integer": "numbers",
    "mixed-integer-float": "numbers",
    "string": "text",
    "timedelta": "durations",
    "timedelta64": "durations",
}
"""pandas' word for what a column holds -> ours. Mixed columns have none, and agree with everything."""


def read(data: Mapping[str, Any], context: Context) -> tuple[list[Table], list[str]]:
    """`read_tables` of data frames or of paths, tables larger than memory among them; the target must be a column that
    is judged."""
    held = {where: _held(where, table, context.seed) for where, table in data.items()}
    reader = _Reader.of({where: frame for where, (frame, _) in held.items()}, context.columns)
    tables, notes = reader.tables()
    for i, (where, (frame, rows)) in enumerate(held.items()):
        if rows > len(frame):
            parts = evenly(chunks(data[where]), _PART)
            stored = StoredColumns.write(reader.columns(where, part) for part in parts)
            tables[i] = LargeTable(tables[i].columns, tables[i].facts, stored=stored)
            notes.append(f"{len(frame):,} of the {rows:,} {where} rows are held, drawn evenly; {_OF_ALL}")
    judged = tables[0].columns
    if context.target is not None and context.target not in judged:
        close = get_close_matches(str(context.target), map(str, judged), n=1)
        hint = f"did you mean {close[0]!r}?" if close else "name one that is judged"
        raise DataError(f"the target must be a column of the real table, however: {context.target!r}; {hint}")
    return tables, notes


def _held(where: str, data: Any, seed: int) -> tuple[pd.DataFrame, int]:
    """The rows of a table that are held, and how many there are."""
    if isinstance(data, pd.DataFrame):
        return data, len(data)
    if not isinstance(data, (str, Path)):
        raise UsageError(f"the {where} table must be a DataFrame or a path, however: it is a {type(data).__name__}")
    if str(data) == "-":  # a pipe can be read once
        frame = read_table(data)
        return frame, len(frame)
    sample = RowSample(HELD, seed)
    for frame in chunks(data):
        sample.add(frame)
    return sample.frame(), sample.rows


def read_tables(frames: Mapping[str, pd.DataFrame], columns: Roles | None = None) -> tuple[list[Table], list[str]]:
    """The frames, each named for messages and the real one first, as tables; and notes on what is not judged.

    Numbers, dates and durations are numbers, also where text spells them; everything else is a category. Identifiers
    and free text, as the table codec knows them, are left out. `columns` overrules both.

    >>> (table,), notes = read_tables({"real": pd.DataFrame({"age": [20, 30], "sex": ["f", None]})})
    >>> {name: column_N.tolist() for name, column_N in table.columns.items()}
    {'age': [20.0, 30.0], 'sex': [1, 0]}
    """
    return _Reader.of(frames, columns).tables()


@dataclass(frozen=True)
class _Reader:
    """What the columns of some frames are, and so how they are read."""

    frames: Mapping[str, pd.DataFrame]
    kinds: Mapping[Hashable, tuple[str, str]]
    """What a column is, and the form that it is written in."""
    labels: dict[Hashable, np.ndarray] = field(default_factory=dict)
    """Of the categories, as objects: code 1, code 2, ..."""

    @classmethod
    def of(cls, frames: Mapping[str, pd.DataFrame], columns: Roles | None) -> _Reader:
        _check_frames(frames)
        names = list(frames["real"].columns)
        said = _said(columns or {}, names)
        kinds = {name: _kind(name, {where: frame[name] for where, frame in frames.items()}, said) for name in names}
        reader = cls(frames, kinds)
        for name in reader.judged:
            parts = {where: frame[name] for where, frame in frames.items()}
            _check_families(name, parts)
            if kinds[name][0] not in _NUMERICAL:
                reader.labels[name] = _labels(name, parts)
        return reader

    @property
    def judged(self) -> list[Hashable]:
        return [name for name, (kind, _) in self.kinds.items() if kind not in (*_UNJUDGED, "ignore")]

    def columns(self, where: str, frame: pd.DataFrame) -> dict[Hashable, Column]:
        """A frame, or any part of one, as the metrics see it."""
        return {
            name: _as_codes(frame[name], self.labels[name])
            if name in self.labels
            else _as_numbers(name, where, frame[name], self.kinds[name][1])
            for name in self.judged
        }

    def tables(self) -> tuple[list[Table], list[str]]:
        """The frames, and notes on what is not judged."""
        notes = []
        for kind, why in _UNJUDGED.items():
            if named := ", ".join(repr(name) for name, (found, _) in self.kinds.items() if found == kind):
                notes.append(
                    f'{why}: {named}; columns={{"categorical": [...]}} or {{"numerical": [...]}} brings one back'
                )
        if not self.judged:
            raise DataError(f"a table must have a column to judge, however: {'; '.join(notes) or 'all are ignored'}")
        facts = {name: Facts(self.kinds[name][0], tuple(self.labels.get(name, ()))) for name in self.judged}
        tables = [Table(self.columns(where, frame), facts) for where, frame in self.frames.items()]
        for name in self.judged:
            gaps = sum(int(table.missing[name].sum()) for table in tables)
            if unread := gaps - sum(int(frame[name].isna().sum()) for frame in self.frames.values()):
                notes.append(f"{unread:,} cells of {name!r} are no numbers or dates, and count as missing")
        return tables, notes


def _check_frames(frames: Mapping[str, pd.DataFrame]) -> None:
    names = list(frames["real"].columns)
    for where, frame in frames.items():
        if not len(frame) or not len(frame.columns):
            raise DataError(f"the {where} table must have rows and columns, however: its shape is {frame.shape}")
        if frame.columns.has_duplicates:
            name = frame.columns[frame.columns.duplicated()][0]
            raise DataError(f"column names must differ, however: the {where} table has {name!r} twice; rename one")
        for name in names:
            if name not in frame.columns:
                raise DataError(f"every table must have the real one's columns, however: the {where} lacks {name!r}")
        for name in frame.columns:
            if name not in names:
                raise DataError(
                    f"every table must have the real one's columns only, however: the {where} also has {name!r}; "
                    "drop it"
                )


def _said(columns: Roles, names: list[Hashable]) -> dict[Hashable, str]:
    for role, of_role in columns.items():
        if role not in _ROLES:
            raise UsageError(f"columns must be sorted under {', '.join(_ROLES)}, however: {role!r}")
        for name in of_role:
            if name not in names:
                raise DataError(f"columns may only name columns of the real table, however: {role!r} names {name!r}")
    return {name: role for role, of_role in columns.items() for name in of_role}


def _kind(name: Hashable, parts: Mapping[str, pd.Series], said: Mapping[Hashable, str]) -> tuple[str, str]:
    """What a column is, and the form that it is written in, by the first table that has anything in it."""
    column = next((part for part in parts.values() if part.notna().any()), parts["real"])
    by_dtype = _by_dtype(column)
    if name in said:
        numerical = by_dtype if by_dtype in _NUMERICAL else "number"
        return {"categorical": "category", "numerical": numerical}.get(said[name], said[name]), "dtype"
    try:
        field = detect(column, str(name), {})
    except (DataError, TypeError, ValueError):  # cells that cannot be told apart: read as categories, refused by name
        return by_dtype, "dtype"
    if by_dtype in _NUMERICAL:
        return (field.type if field.type == "identifier" else by_dtype), "dtype"
    if field.type in (*_NUMERICAL, *_UNJUDGED):
        return field.type, str(field.facts.get("form", "dtype"))
    return "category", "dtype"


def _by_dtype(column: pd.Series) -> str:
    if types.is_datetime64_any_dtype(column):
        return "datetime"
    if types.is_timedelta64_dtype(column):
        return "duration"
    number = types.is_numeric_dtype(column) and not types.is_bool_dtype(column) and not types.is_complex_dtype(column)
    return "number" if number else "category"


def _family(column: pd.Series) -> str | None:
    """What a column holds, in words; None where nothing can be said."""
    values = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
    if values.isna().all():
        return None
    family = _FAMILIES.get(types.infer_dtype(values, skipna=True))
    return f"{family} with a time zone" if family and getattr(values.dtype, "tz", None) is not None else family


def _check_families(name: Hashable, parts: Mapping[str, pd.Series]) -> None:
    families = {where: family for where, part in parts.items() if (family := _family(part))}
    if len(set(families.values())) > 1:
        found = ", ".join(f"{where}: {family}" for where, family in families.items())
        raise DataError(f"column {name!r} must hold the same in every table, however: {found}; convert one of them")


def _as_numbers(name: Hashable, where: str, column: pd.Series, form: str) -> NDArray[np.float64]:
    try:
        value_N = _floats(column, form)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"a column must hold numbers to be judged as one, however: {name!r} of the {where} table holds "
            f'{column.dtype}; put it under columns={{"categorical": [...]}}'
        ) from error
    largest = np.fmax.reduce(np.abs(value_N))
    if largest > _LARGEST:
        raise DataError(
            f"numbers must lie within {_LARGEST:g} of zero, however: {name!r} of the {where} table holds "
            f"{largest:g}; clear it"
        )
    return value_N


def _floats(column: pd.Series, form: str) -> NDArray[np.float64]:
    """A column as numbers; what is not written in its form is missing."""
    if types.is_datetime64_any_dtype(column):
        column = pd.to_datetime(column, utc=True).dt.tz_localize(None)
        return _microseconds(column.to_numpy(dtype="datetime64[us]"))
    if types.is_timedelta64_dtype(column):
        return _microseconds(column.to_numpy(dtype="timedelta64[us]"))
    if form in ("dtype", "number") or types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)  # type: ignore[no-any-return]
    if form in ("int", "Decimal", "fixed", "trimmed"):
        return np.asarray(pd.to_numeric(column.astype(object), errors="coerce"), np.float64)
    if form in ("date", "datetime", "Timestamp", "timedelta", "Timedelta", "time"):
        return _objects_to_microseconds(column, form)
    stamps = pd.to_datetime(column.astype(object), format=form, exact=True, errors="coerce")
    return _microseconds(stamps.to_numpy(dtype="datetime64[us]"))


def _microseconds(time_N: NDArray[Any]) -> NDArray[np.float64]:
    return np.where(np.isnat(time_N), np.nan, time_N.astype(np.int64))


def _objects_to_microseconds(column: pd.Series, form: str) -> NDArray[np.float64]:
    there_N = column.notna().to_numpy()
    cells = column[there_N].to_numpy(object)
    if form == "time":
        cells = np.array([dt.datetime.combine(dt.date(1970, 1, 1), cell) for cell in cells], dtype=object)
    unit = "timedelta64[us]" if form.lower() == "timedelta" else "datetime64[us]"
    out_N = np.full(len(column), np.nan)
    out_N[there_N] = _microseconds(cells.astype(unit))
    return out_N


def _labels(name: Hashable, parts: Mapping[str, pd.Series]) -> np.ndarray:
    """All values of a column, by their first appearance."""
    try:
        _, label_K = pd.factorize(np.concatenate([part.astype(object).to_numpy() for part in parts.values()]))
    except TypeError as error:
        raise DataError(f"cells must hold single values, however: column {name!r} holds lists or the like") from error
    return np.asarray(label_K)


def _as_codes(column: pd.Series, label_K: np.ndarray) -> NDArray[np.int64]:
    """1 for the first label and so on, 0 for a missing cell; whatever is no label comes after all that are."""
    code_N, _ = pd.factorize(np.concatenate([label_K, column.astype(object).to_numpy()]))
    return np.asarray(np.minimum(code_N[len(label_K) :], len(label_K)) + 1)
