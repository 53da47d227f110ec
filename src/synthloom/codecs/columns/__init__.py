"""Column types, in the order in which they are asked whether a column is theirs. To add one: a file, and a line here."""

from __future__ import annotations

from typing import Any

import pandas as pd

from synthloom.codecs.columns.base import RARE, Cells, Column, Encoded, Options
from synthloom.codecs.columns.boolean import BooleanColumn
from synthloom.codecs.columns.category import CategoryColumn
from synthloom.codecs.columns.constant import ConstantColumn
from synthloom.codecs.columns.datetime import DatetimeColumn
from synthloom.codecs.columns.duration import DurationColumn
from synthloom.codecs.columns.identifier import IdentifierColumn
from synthloom.codecs.columns.number import NumberColumn
from synthloom.codecs.columns.text import TextColumn
from synthloom.codecs.dtypes import dtype_name
from synthloom.errors import DataError
from synthloom.schema import Field, Name

__all__ = ["COLUMNS", "RARE", "Column", "Encoded", "Options", "detect"]

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
    gap = series.isna()
    cells, missing = Cells(series[~gap]), series[gap]
    hole = type(missing.iloc[0]).__name__ if series.dtype == object and len(missing) else None
    field = Field(name, said.get("type", ""), dtype_name(series.dtype), len(missing) > 0)
    facts = {key: value for key, value in said.items() if key != "type"} | ({"hole": hole} if hole else {})
    for kind in [COLUMNS[field.type]] if field.type else COLUMNS.values():
        found = kind.detect(cells, field)
        if found is not None:
            return Field(name, kind.type, field.dtype, field.nullable, found | facts)
    kinds = sorted(kind.__name__ for kind in cells.kinds)
    wanted = f"hold what a {field.type} holds" if field.type else "be of one known kind"
    raise DataError(
        f"column {name!r} must {wanted}, however: it holds {', '.join(kinds) or 'nothing'} (dtype {field.dtype}); "
        f"convert it, or leave it out with df.drop(columns=[{name!r}])"
    )
