"""Spans of time: timedelta dtypes and timedelta objects."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from synthloom.codecs.columns.ticks import TicksColumn
from synthloom.schema import Field

__all__ = ["DurationColumn"]


@dataclass(frozen=True)
class DurationColumn(TicksColumn):
    """Ticks above the shortest span."""

    type: ClassVar[str] = "duration"

    @classmethod
    def detect(cls, cells: Cells, field: Field) -> dict[str, Any] | None:
        if not len(cells):
            return None
        if pd.api.types.is_timedelta64_dtype(cells.present.dtype) or field.dtype.startswith("duration"):
            return {"form": "dtype"}
        return {"form": "object"} if field.dtype == "object" and cells.kinds <= {dt.timedelta, pd.Timedelta} else None

    @classmethod
    def _read(cls, present: pd.Series, form: str) -> np.ndarray:
        if isinstance(present.dtype, np.dtype) and present.dtype.kind == "m":
            return np.asarray(present.to_numpy())
        return np.asarray(pd.to_timedelta(present.astype(object)).to_numpy())

    def _write(self, ticks: np.ndarray) -> np.ndarray:
        spans = ticks.view(f"timedelta64[{self.unit}]")
        if self.form == "dtype":
            return spans
        cells = np.empty(len(spans), dtype=object)
        cells[:] = list(pd.Series(spans))
        return cells

    @property
    def _dtype(self) -> str:
        return "timedelta64"
