"""Points in time: datetime dtypes with or without a timezone, date and time objects, and text in a steady format."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from synthloom.codecs.columns.ticks import TicksColumn
from synthloom.errors import DataError
from synthloom.schema import Field

__all__ = ["DatetimeColumn"]

_FORMATS = [
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%Y%m%d",
    "%Y-%m",
    "%H:%M:%S",
    "%H:%M",
]
"""Ways to write a moment; one counts only if it writes every cell of the column back to the letter."""


@dataclass(frozen=True)
class DatetimeColumn(TicksColumn):
    """Ticks of the clock since the first moment; text is parsed, and written again in its own format."""

    type: ClassVar[str] = "datetime"

    @classmethod
    def detect(cls, cells: Cells, field: Field) -> dict[str, Any] | None:
        if not len(cells) or field.dtype == "category":
            return None
        present = cells.present
        if pd.api.types.is_datetime64_any_dtype(present.dtype) or field.dtype.startswith(("timestamp", "date")):
            return {"form": "dtype"}
        if present.dtype == object:
            if cells.kinds == {dt.date}:
                return {"form": "date"}
            if cells.kinds == {dt.time} and all(t.tzinfo is None for t in present):
                return {"form": "time"}
            if cells.kinds <= {dt.datetime, pd.Timestamp}:
                return {"form": "object"} if all(t.tzinfo is None for t in present) else None
        return _find_format(cells.distinct, field.type == cls.type, field.name) if cells.is_text else None

    @classmethod
    def _read(cls, present: pd.Series, form: str) -> np.ndarray:
        if form == "dtype":
            if not isinstance(present.dtype, (np.dtype, pd.DatetimeTZDtype)):
                present = pd.to_datetime(present.astype(object))
            if present.dt.tz is not None:
                present = present.dt.tz_convert("UTC").dt.tz_localize(None)
            return np.asarray(present.to_numpy())
        if form == "date":
            return present.to_numpy().astype("datetime64[D]").astype("datetime64[s]")
        if form == "time":
            micro = [((t.hour * 60 + t.minute) * 60 + t.second) * 10**6 + t.microsecond for t in present]
            return np.array(micro, np.int64).view("datetime64[us]")
        if form == "object":
            return present.to_numpy().astype("datetime64[us]")
        return np.asarray(pd.to_datetime(present.astype(object), format=form, exact=True).to_numpy())

    def _write(self, ticks: np.ndarray) -> np.ndarray:
        stamps = ticks.view(f"datetime64[{self.unit}]")
        if self.form == "dtype":
            return stamps
        if self.form == "date":
            return stamps.astype("datetime64[D]").astype(object)
        if self.form == "object":
            cells = np.empty(len(stamps), dtype=object)
            cells[:] = list(pd.Series(stamps))
            return cells
        if self.form == "time":
            return np.array([t.time() for t in stamps.astype(object)], dtype=object)
        unique, place = np.unique(stamps, return_inverse=True)  # writing is slow, and moments repeat
        return np.asarray(pd.Series(unique).dt.strftime(self.form).astype(object), dtype=object)[place]

    @property
    def _dtype(self) -> str:
        return "datetime64"


def _find_format(distinct: pd.Series, asked: bool, name: Any) -> dict[str, Any] | None:
    head = distinct.head(100)
    if not asked and not (head.head(10).str.contains(r"\d", regex=True)).all():
        return None
    for form in _FORMATS:
        if form == "%Y%m%d" and not asked:
            continue  # eight digits are more often a code than a date
        if _writes_back(head, form) and _writes_back(distinct, form):
            return {"form": form}
    if asked:
        raise DataError(
            f"column {name!r} was called a datetime, so every cell must be written in one known format, however: "
            f"{head.iloc[0]!r}; parse it with pandas.to_datetime first"
        )
    return None


def _writes_back(text: pd.Series, form: str) -> bool:
    parsed = pd.to_datetime(text, format=form, exact=True, errors="coerce")
    if parsed.isna().any():
        return False
    return bool((parsed.dt.strftime(form).astype(object) == text).all())
