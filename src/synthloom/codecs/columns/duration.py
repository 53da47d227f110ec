"""Spans of time: timedelta dtypes and timedelta objects."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa

from synthloom.codecs.columns.base import Cells
from synthloom.codecs.columns.ticks import TicksColumn
from synthloom.schema import Field

__all__ = ["DurationColumn"]


@dataclass(frozen=True)
class DurationColumn(TicksColumn):
    """Ticks of the clock."""

    type: ClassVar[str] = "duration"

    @classmethod
    def detect(cls, cells: Cells, field: Field) -> dict[str, Any] | None:
        if not len(cells):
            return None
        if cells.present.dtype.kind == "m":
            return {"form": "dtype"}
        if field.dtype == "object" and cells.kinds <= {dt.timedelta, pd.Timedelta}:
            return {"form": "timedelta" if cells.kinds == {dt.timedelta} else "Timedelta"}
        return None

    @classmethod
    def read(cls, present: pd.Series, form: str) -> np.ndarray:
        if isinstance(present.dtype, pd.ArrowDtype):
            return np.asarray(pa.chunked_array(pa.array(present.array)).to_numpy())
        if form == "timedelta" and present.dtype == object:  # spans of more than 292 years among them
            return np.asarray(present.to_numpy().astype("timedelta64[us]"))
        return np.asarray(pd.to_timedelta(present).to_numpy())

    def _write(self, ticks: np.ndarray) -> np.ndarray:
        spans = ticks.view(f"timedelta64[{self.unit}]")
        if self.form == "dtype":
            return spans
        return np.asarray(spans.astype(object) if self.form == "timedelta" else pd.Series(spans).astype(object))

    @property
    def _dtype(self) -> str:
        return "timedelta64"
