"""Booleans, in any of the dtypes that hold them; both values are public."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from synthloom.codecs.columns.base import Cells, Column, Encoded, Options, example
from synthloom.errors import DataError
from synthloom.schema import Field

__all__ = ["BooleanColumn"]

_WORDS = {"True": 1, "true": 1, "1": 1, "1.0": 1, "False": 0, "false": 0, "0": 0, "0.0": 0}


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
        if pd.api.types.is_bool_dtype(present.dtype):
            return Encoded.choices(present.to_numpy(bool).astype(np.int64))
        choice = present.astype(object).map(lambda cell: _WORDS.get(str(cell), -1)).to_numpy(np.int64)
        if strict and (choice < 0).any():
            wrong = example(present, choice < 0)
            raise DataError(f"column {present.name!r} must be given True or False, however: {wrong}")
        return Encoded.choices(choice)

    def measure(self, present: pd.Series) -> pd.Series:
        return present.astype(object).map(lambda cell: _WORDS.get(str(cell)) == 1).astype("boolean")

    def decode(self, choice: np.ndarray, value: np.ndarray, row: np.ndarray, seed: int) -> np.ndarray:
        return np.asarray(choice == 1)
