"""Columns that say one thing, or nothing at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from synthloom.codecs.columns.base import Cells, Column, Options
from synthloom.codecs.columns.category import CategoryColumn
from synthloom.schema import Field

__all__ = ["ConstantColumn"]


@dataclass(frozen=True)
class ConstantColumn(Column):
    """No choice to make: the one value, or nothing where every cell is missing or too few rows hold it."""

    type: ClassVar[str] = "constant"

    value: CategoryColumn | None

    @classmethod
    def detect(cls, cells: Cells, field: Field) -> dict[str, Any] | None:
        if field.type == cls.type or len(cells) == 0:
            return {}
        first = cells.present.iloc[0]
        plain = isinstance(first, (str, int, np.integer)) or (
            isinstance(first, (float, np.floating)) and first % 1 == 0
        )
        return {} if plain and not isinstance(first, bool) and len(cells.counts) == 1 else None

    @classmethod
    def fit(cls, present: pd.Series, field: Field, options: Options, rng: np.random.Generator) -> Self:
        return cls(CategoryColumn.fit(present, field, options, rng) if len(present) else None)

    def decode(
        self, choice: np.ndarray, value: np.ndarray, row: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray | pd.Categorical:
        if self.value is None:
            return np.full(len(choice), None, dtype=object)
        return self.value.decode(np.zeros(len(choice), np.int64), value, row, rng)

    def state(self) -> dict[str, Any]:
        return {"value": self.value.state() if self.value else None}

    @classmethod
    def load(cls, state: dict[str, Any]) -> Self:
        return cls(CategoryColumn.load(state["value"]) if state["value"] else None)
