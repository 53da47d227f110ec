"""Points in time: datetime dtypes with or without a timezone, date and time objects, and text in a steady format."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa

from synthloom.codecs.columns.base import Cells
from synthloom.codecs.columns.ticks import TicksColumn
from synthloom.errors import DataError
from synthloom.schema import Field

__all__ = ["FORMATS", "DatetimeColumn"]

FORMATS = [
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

_STRETCH = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")


@dataclass(frozen=True)
class DatetimeColumn(TicksColumn):
    """Ticks of the clock; text is parsed, and written again in its own format."""

    type: ClassVar[str] = "datetime"

    @classmethod
    def detect(cls, cells: Cells, field: Field) -> dict[str, Any] | None:
        if not len(cells):
            return None
        if cells.present.dtype.kind == "M":
            return {"form": "dtype"}
        if cells.kinds == {dt.time}:
            return {"form": "time"} if all(cell.tzinfo is None for cell in cells.present) else None
        if field.dtype == "object" and cells.kinds == {dt.date}:
            return {"form": "date"}
        if field.dtype == "object" and cells.kinds <= {dt.datetime, pd.Timestamp}:
            form = "datetime" if cells.kinds == {dt.datetime} else "Timestamp"
            return {"form": form} if all(cell.tzinfo is None for cell in cells.present) else None
        return _find_format(cells.distinct, field) if cells.is_text else None

    @classmethod
    def read(cls, present: pd.Series, form: str) -> np.ndarray:
        if form == "dtype":
            if isinstance(present.dtype, pd.ArrowDtype):  # a timestamp, or a date, which has no unit
                naive = pa.timestamp(getattr(present.dtype.pyarrow_dtype, "unit", "ms"))
                return np.asarray(pa.chunked_array(pa.array(present.array)).cast(naive).to_numpy())
            if present.dtype.kind != "M":
                present = pd.to_datetime(present.astype(object))
            if present.dt.tz is not None:
                present = present.dt.tz_convert("UTC").dt.tz_localize(None)
            return np.asarray(present.to_numpy())
        if form == "date":
            return np.asarray(present.to_numpy().astype("datetime64[D]").astype("datetime64[s]"))
        if form == "time":
            micro = [((t.hour * 60 + t.minute) * 60 + t.second) * 10**6 + t.microsecond for t in present]
            return np.array(micro, np.int64).view("datetime64[us]")
        if form in ("datetime", "Timestamp"):
            return np.asarray(present.to_numpy().astype("datetime64[us]"))
        return np.asarray(pd.to_datetime(present.astype(object), format=form, exact=True).to_numpy())

    def _moments(self, ends: pd.Series, last: bool) -> np.ndarray:
        """Whole years, months and days are said as in 2023, 2023-06, 2023-06-30, whatever the column's own form."""
        if ends.dtype.kind == "M" or not any(isinstance(end, str) for end in ends):
            return super()._moments(ends, last)
        return np.array([self._moment(end, last) for end in ends], dtype="datetime64[ns]")

    def _moment(self, end: Any, last: bool) -> Any:
        if isinstance(end, str) and _STRETCH.fullmatch(end):
            stretch = pd.Period(end)
            return (stretch.end_time if last else stretch.start_time).to_datetime64()
        if isinstance(end, str) and self.form == "time":
            end = dt.time.fromisoformat(end)
        elif isinstance(end, str) and self.form in ("date", "datetime", "Timestamp"):
            end = pd.Timestamp(end)
        return self.read(pd.Series([end], dtype=object), self.form)[0]

    def _write(self, ticks: np.ndarray) -> np.ndarray:
        stamps = ticks.view(f"datetime64[{self.unit}]")
        if self.form == "dtype":
            return stamps
        if self.form == "date":
            return stamps.astype("datetime64[D]").astype(object)
        if self.form == "datetime":
            return stamps.astype(object)
        if self.form == "time":
            return np.array([stamp.time() for stamp in stamps.astype(object)], dtype=object)
        unique, place = np.unique(stamps, return_inverse=True)  # writing is slow, and moments repeat
        written = pd.Series(unique) if self.form == "Timestamp" else pd.Series(unique).dt.strftime(self.form)
        return np.asarray(written.astype(object), dtype=object)[place]

    @property
    def _dtype(self) -> str:
        return "datetime64"


def _find_format(distinct: pd.Series, field: Field) -> dict[str, Any] | None:
    asked = field.type == DatetimeColumn.type
    head = distinct.head(100)
    if not asked and not all(any(letter.isdigit() for letter in text) for text in head.head(10)):
        return None
    said = field.facts.get("form")
    for form in FORMATS if said is None else [str(said)]:
        if form == "%Y%m%d" and not asked:
            continue  # eight digits are more often a code than a date
        if _writes_back(head, form) and _writes_back(distinct, form):
            return {"form": form}
    if asked:
        raise DataError(
            f"column {field.name!r} was called a datetime, so every cell must be written in one known format, however: "
            f'{head.iloc[0]!r}; say which with "form", or parse it with pandas.to_datetime first'
        )
    return None


def _writes_back(text: pd.Series, form: str) -> bool:
    parsed = pd.to_datetime(text, format=form, exact=True, errors="coerce")
    if parsed.isna().any():
        return False
    return bool((parsed.dt.strftime(form).astype(object) == text).all())
