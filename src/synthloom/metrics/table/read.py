"""From data frames to tables that can be judged: what each column is, and which are left out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from synthloom.codecs.columns import detect
from synthloom.errors import DataError, UsageError
from synthloom.metrics.score import Context, Roles
from synthloom.metrics.table.data import Column, Facts, Table

__all__ = ["read", "read_tables"]

_ROLES = ("categorical", "numerical", "ignore")

_UNJUDGED = {
    "identifier": "not judged, because the values hardly ever repeat, as in an identifier",
    "text": "not judged, because they hold free text",
}
"""Column types that are left out, and what is said of them."""

_NUMERICAL = ("number", "datetime", "duration")

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
    """`read_tables` for whoever does not know what kind of data it is; the target must be a column that is judged."""
    for where, frame in data.items():
        if not isinstance(frame, pd.DataFrame):
            raise UsageError(f"the {where} table must be a DataFrame, however: {type(frame).__name__}; read it first")
    tables, notes = read_tables(data, context.columns)
    judged = tables[0].columns
    if context.target is not None and context.target not in judged:
        close = get_close_matches(str(context.target), map(str, judged), n=1)
        hint = f"did you mean {close[0]!r}?" if close else "name one that is judged"
        raise DataError(f"the target must be a column of the real table, however: {context.target!r}; {hint}")
    return tables, notes


def read_tables(frames: Mapping[str, pd.DataFrame], columns: Roles | None = None) -> tuple[list[Table], list[str]]:
    """The frames, each named for messages and the real one first, as tables; and notes on what is not judged.

    Numbers, dates and durations are numbers, also where text spells them; everything else is a category. Identifiers
    and free text, as the table codec knows them, are left out. `columns` overrules both.

    >>> (table,), notes = read_tables({"real": pd.DataFrame({"age": [20, 30], "sex": ["f", None]})})
    >>> {name: column_N.tolist() for name, column_N in table.columns.items()}
    {'age': [20.0, 30.0], 'sex': [1, 0]}
    """
    real = frames["real"]
    _check_frames(frames)
    said = _said(columns or {}, list(real.columns))
    kinds = {name: _kind(name, {where: frame[name] for where, frame in frames.items()}, said) for name in real.columns}

    read: list[dict[Hashable, Column]] = [{} for _ in frames]
    facts: dict[Hashable, Facts] = {}
    unread: dict[str, int] = {}
    cuts = np.cumsum([len(frame) for frame in frames.values()])[:-1]
    for name, (kind, form) in kinds.items():
        if kind in (*_UNJUDGED, "ignore"):
            continue
        parts = {where: frame[name] for where, frame in frames.items()}
        _check_families(name, parts)
        column_N: Column
        labels: tuple[Any, ...] = ()
        if kind in _NUMERICAL:
            column_N = _as_numbers(name, parts, form)
            unread[repr(name)] = int(np.isnan(column_N).sum()) - sum(int(part.isna().sum()) for part in parts.values())
        else:
            column_N, labels = _as_codes(name, parts)
        facts[name] = Facts(kind, labels)
        for table, part_N in zip(read, np.split(column_N, cuts), strict=True):
            table[name] = part_N

    notes = []
    for kind, why in _UNJUDGED.items():
        if named := ", ".join(repr(name) for name, (found, _) in kinds.items() if found == kind):
            notes.append(f'{why}: {named}; columns={{"categorical": [...]}} or {{"numerical": [...]}} brings one back')
    if not facts:
        raise DataError(f"a table must have a column to judge, however: {'; '.join(notes) or 'all are ignored'}")
    notes += [f"{n:,} cells of {name} are no numbers or dates, and count as missing" for name, n in unread.items() if n]
    return [Table(table, facts) for table in read], notes


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


def _as_numbers(name: Hashable, parts: Mapping[str, pd.Series], form: str) -> NDArray[np.float64]:
    values = []
    for where, column in parts.items():
        try:
            values.append(_floats(column, form))
        except (TypeError, ValueError) as error:
            raise DataError(
                f"a column must hold numbers to be judged as one, however: {name!r} of the {where} table holds "
                f'{column.dtype}; put it under columns={{"categorical": [...]}}'
            ) from error
        largest = np.fmax.reduce(np.abs(values[-1]))
        if largest > _LARGEST:
            raise DataError(
                f"numbers must lie within {_LARGEST:g} of zero, however: {name!r} of the {where} table holds "
                f"{largest:g}; clear it"
            )
    return np.concatenate(values)


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


def _as_codes(name: Hashable, parts: Mapping[str, pd.Series]) -> tuple[NDArray[np.int64], tuple[Any, ...]]:
    values = np.concatenate([part.astype(object).to_numpy() for part in parts.values()])
    try:
        code_N, labels = pd.factorize(values)
    except TypeError as error:
        raise DataError(f"cells must hold single values, however: column {name!r} holds lists or the like") from error
    return code_N + 1, tuple(labels)
