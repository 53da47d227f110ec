"""Column types, in the order in which they are asked whether a column is theirs. One more is a file and a line here."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd

from synthloom.codecs.columns.base import RARE, Cells, Column, Encoded, Options, example
from synthloom.codecs.columns.boolean import BooleanColumn
from synthloom.codecs.columns.category import CategoryColumn
from synthloom.codecs.columns.constant import ConstantColumn
from synthloom.codecs.columns.datetime import DatetimeColumn
from synthloom.codecs.columns.duration import DurationColumn
from synthloom.codecs.columns.identifier import IdentifierColumn
from synthloom.codecs.columns.number import NumberColumn
from synthloom.codecs.columns.text import TextColumn
from synthloom.codecs.dtypes import dtype_name, hole_kind
from synthloom.errors import DataError, UsageError
from synthloom.schema import Field, Name

__all__ = ["COLUMNS", "RARE", "Column", "Encoded", "Options", "detect", "example"]

COLUMNS: dict[str, type[Column]] = {
    column.type: column
    for column in (
        ConstantColumn,
        BooleanColumn,
        DatetimeColumn,
        DurationColumn,
        TextColumn,
        IdentifierColumn,
        NumberColumn,
        CategoryColumn,
    )
}


def detect(series: pd.Series, name: Name, said: dict[str, Any]) -> Field:
    """What the column is: as the user said, else the first type that takes it."""
    cells = Cells(series[series.notna()])
    hints = {key: value for key, value in said.items() if key != "type"}
    field = Field(
        name, said.get("type", ""), dtype_name(series.dtype), len(cells) < len(series), hints, hole_kind(series)
    )
    for kind in [COLUMNS[field.type]] if field.type else COLUMNS.values():
        facts = kind.detect(cells, field)
        if facts is None:
            continue
        for key, value in hints.items():
            if facts.get(key, ...) != value:
                raise UsageError(f"of the {kind.type} column {name!r} one cannot say {key}={value!r}; it has {facts}")
        return dataclasses.replace(field, type=kind.type, facts=facts)
    kinds = ", ".join(sorted(kind.__name__ for kind in cells.kinds)) or "nothing"
    wanted = f"of type {field.type}, as was said" if field.type else "of one known kind"
    raise DataError(
        f"column {name!r} must be {wanted}, however: it holds {kinds} (dtype {field.dtype}); "
        f"convert it, or leave it out with df.drop(columns=[{name!r}])"
    )
