"""Booleans, in any of the dtypes that hold them; both values are public."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from synthloom.codecs.columns.base import Cells, Column, Encoded, Options
from synthloom.schema import Field

__all__ = ["BooleanColumn"]


@dataclass(frozen=True)
class BooleanColumn(Column):
    """Choice 0 is False, choice 1 is True."""

    type: ClassVar[str] = "boolean"

    @classmethod
    def detect(cls, cells: Cells, field: Field) -> dict[str, Any] | None:
        plainly = pd.api.types.is_bool_dtype(cells.present.dtype) and field.dtype not in ("object", "category")
        return {} if plainly or (field.dtype == "object" and cells.kinds and cells.kinds <= {bool, np.bool_}) else None

    @classmethod
    def fit(cls, present: pd.Series, field: Field, options: Options, rng: np.random.Generator) -> Self:
        return cls()

    @property
    def choices(self) -> int:
        return 2

    def encode(self, present: pd.Series, rng: np.random.Generator, *, strict: bool) -> Encoded:
        return Encoded.choices(present.astype(object).map(bool).to_numpy(bool).astype(np.int64))

    def decode(self, choice: np.ndarray, value: np.ndarray, row: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return choice == 1
