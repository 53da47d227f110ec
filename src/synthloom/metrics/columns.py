"""Data frames as the metrics see them: numbers, categories, and columns on which nothing is judged.

Legend: N rows, C columns.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from synthloom.errors import DataError, UsageError

__all__ = ["Column", "Roles", "Table", "joint_codes", "read_tables"]

Column: TypeAlias = NDArray[Any]
"""float64: numbers, missing ones NaN; int64: codes of categories, missing ones 0."""

Roles: TypeAlias = Mapping[str, Sequence[Hashable]]
"""What the user says of columns: {"categorical": [...], "numerical": [...], "ignore": [...]}."""

_ROLES = ("categorical", "numerical", "ignore")

_IDENTIFIER_ROWS = 50
"""In this many rows or fewer, values that are all distinct may well be so by chance."""

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


@dataclass(frozen=True)
class Table:
    """Columns by name, in order; the dtype of each says what it is.

    Dates and durations are numbers (microseconds). Codes mean the same in all tables that were read together.
    """

    columns: Mapping[Hashable, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def numbers(self) -> dict[Hashable, NDArray[np.float64]]:
        return {name: value_N for name, value_N in self.columns.items() if value_N.dtype == np.float64}

    @property
    def categories(self) -> dict[Hashable, NDArray[np.int64]]:
        return {name: code_N for name, code_N in self.columns.items() if code_N.dtype == np.int64}

    def take(self, index_N: NDArray[Any]) -> Table:
        """The rows at `index_N` (positions, or a mask)."""
        return Table({name: column_N[index_N] for name, column_N in self.columns.items()})

    def sample(self, n: int, rng: np.random.Generator) -> Table:
        """n of the rows (all of them, if there are fewer), in random order."""
        return self.take(rng.permutation(len(self))[:n])

    def shuffled(self, rng: np.random.Generator) -> Table:
        """The same columns, each in an order of its own: what is left of the table without any dependence."""
        return Table({name: rng.permutation(column_N) for name, column_N in self.columns.items()})

    def without(self, name: Hashable) -> Table:
        return Table({other: column_N for other, column_N in self.columns.items() if other != name})


def read_tables(frames: Mapping[str, pd.DataFrame], columns: Roles | None = None) -> tuple[list[Table], list[str]]:
    """The frames, each named for messages and the real one first, as tables; and notes on what is not judged.

    By dtype: numbers, dates and durations are numbers, everything else is a category. Identifiers (text or whole
    numbers, every real value distinct, in more than 50 rows) are left out. `columns` overrules both.

    >>> (table,), notes = read_tables({"real": pd.DataFrame({"age": [20, 30], "sex": ["f", None]})})
    >>> {name: column_N.tolist() for name, column_N in table.columns.items()}
    {'age': [20.0, 30.0], 'sex': [1, 0]}
    """
    real = frames["real"]
    _check_frames(frames)
    said = _said(columns or {}, list(real.columns))
    identifiers = [name for name in real.columns if name not in said and _is_identifier(real[name])]

    read: list[dict[Hashable, Column]] = [{} for _ in frames]
    cuts = np.cumsum([len(frame) for frame in frames.values()])[:-1]
    for name in real.columns:
        if name in identifiers or said.get(name) == "ignore":
            continue
        parts = {where: frame[name] for where, frame in frames.items()}
        _check_families(name, parts)
        as_number = (said.get(name) or _role(parts)) == "numerical"
        column_N = _as_numbers(name, parts) if as_number else _as_codes(name, parts)
        for table, part_N in zip(read, np.split(column_N, cuts), strict=True):
            table[name] = part_N

    named = ", ".join(map(repr, identifiers))
    if not read[0]:
        raise DataError(f"a table must have a column to judge, however: there are only identifiers ({named or 'none'})")
    notes = [
        f"not judged, because every value is distinct, as in an identifier: {named}; "
        'columns={"categorical": [...]} or {"numerical": [...]} brings a column back'
    ]
    return [Table(table) for table in read], notes if identifiers else []


def joint_codes(code_CN: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """One code per row, equal where, and only where, all its codes are; codes are not negative.

    >>> joint_codes([np.array([5, 5, 9]), np.array([1, 1, 1])]).tolist()
    [0, 0, 1]
    """
    joint_N = code_CN[0]
    for code_N in code_CN[1:]:
        joint_N = pd.factorize(joint_N * (code_N.max() + 1) + code_N)[0]
    return joint_N


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


def _is_identifier(column: pd.Series) -> bool:
    values = column.dropna()
    if len(values) <= _IDENTIFIER_ROWS or types.is_float_dtype(values) or not _is_text_or_whole(values):
        return False
    try:
        return bool(values.is_unique)
    except TypeError:  # values that cannot be told apart: read as categories, they are refused by name
        return False


def _is_text_or_whole(values: pd.Series) -> bool:
    whole_or_text = types.is_integer_dtype(values) or types.is_object_dtype(values) or types.is_string_dtype(values)
    return bool(whole_or_text or isinstance(values.dtype, pd.CategoricalDtype))


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


def _role(parts: Mapping[str, pd.Series]) -> str:
    """What the first column that holds anything is, the real one before all."""
    column = next((part for part in parts.values() if part.notna().any()), parts["real"])
    number = types.is_numeric_dtype(column) and not types.is_bool_dtype(column) and not types.is_complex_dtype(column)
    time = types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(column)
    return "numerical" if number or time else "categorical"


def _as_numbers(name: Hashable, parts: Mapping[str, pd.Series]) -> NDArray[np.float64]:
    values = []
    for where, column in parts.items():
        try:
            values.append(_floats(column))
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


def _floats(column: pd.Series) -> NDArray[np.float64]:
    if types.is_datetime64_any_dtype(column):
        column = pd.to_datetime(column, utc=True).dt.tz_localize(None)
        return _microseconds(column.to_numpy(dtype="datetime64[us]"))
    if types.is_timedelta64_dtype(column):
        return _microseconds(column.to_numpy(dtype="timedelta64[us]"))
    return column.to_numpy(dtype=np.float64, na_value=np.nan)  # type: ignore[no-any-return]


def _microseconds(time_N: NDArray[Any]) -> NDArray[np.float64]:
    return np.where(np.isnat(time_N), np.nan, time_N.astype(np.int64))


def _as_codes(name: Hashable, parts: Mapping[str, pd.Series]) -> NDArray[np.int64]:
    values = np.concatenate([part.astype(object).to_numpy() for part in parts.values()])
    try:
        code_N: NDArray[np.int64] = pd.factorize(values)[0] + 1
    except TypeError as error:
        raise DataError(f"cells must hold single values, however: column {name!r} holds lists or the like") from error
    return code_N
