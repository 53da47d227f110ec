"""Columns that say one thing, or nothing at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from synthloom.codecs.columns.base import Cells, Column, Encoded, Options
from synthloom.codecs.columns.category import CategoryColumn
from synthloom.schema import Field
from synthloom.spec import Limit

__all__ = ["ConstantColumn"]


@dataclass(frozen=True)
class ConstantColumn(Column):
    """No choice to make: the commonest value, or nothing where every cell is missing or too few rows hold any."""

    type: ClassVar[str] = "constant"

    value: CategoryColumn

    @classmethod
    def detect(cls, cells: Cells, field: Field) -> dict[str, Any] | None:
        if field.type == cls.type or len(cells) == 0:
            return {}
        kind = next(iter(cells.kinds))
        plain = len(cells.kinds) == 1 and issubclass(kind, (str, int, np.integer)) and not issubclass(kind, bool)
        return {} if plain and len(cells.counts) == 1 else None

    @classmethod
    def fit(cls, present: pd.Series, field: Field, options: Options, rng: np.random.Generator) -> Self:
        return cls(CategoryColumn.fit(present, field, options, rng))

    @property
    def choices(self) -> int:
        return min(1, self.value.choices)

    def encode(self, present: pd.Series, rng: np.random.Generator, *, strict: bool) -> Encoded:
        encoded = self.value.encode(present, rng, strict=strict)
        return Encoded.choices(np.where(encoded.known & (encoded.choice == 0), 0, -1))

    def between(self, low: pd.Series, high: pd.Series, *, beyond: bool = False) -> Limit:
        return self.value.between(low, high, beyond=beyond)

    def measure(self, present: pd.Series) -> pd.Series:
        return self.value.measure(present)

    def end(self, end: pd.Series, *, last: bool) -> pd.Series:
        return self.value.end(end, last=last)

    def decode(self, choice: np.ndarray, value: np.ndarray, row: np.ndarray, seed: int) -> np.ndarray | pd.Categorical:
        return self.value.decode(choice, value, row, seed)

    def notice(self) -> str | None:
        return self.value.notice()

    def state(self) -> dict[str, Any]:
        return {"value": self.value.state()}

    @classmethod
    def load(cls, state: dict[str, Any]) -> Self:
        return cls(CategoryColumn.load(state["value"]))
