"""Free text: kept out of tables for now, and said so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from synthloom.codecs.columns.base import Cells, Column, Options
from synthloom.schema import Field

__all__ = ["WITHHELD", "TextColumn"]

WITHHELD = "<text>"
"""What stands where a text stood."""


@dataclass(frozen=True)
class TextColumn(Column):
    """Learns only where the gaps are; every text is replaced by a mark."""

    type: ClassVar[str] = "text"

    @classmethod
    def detect(cls, cells: Cells, field: Field) -> dict[str, Any] | None:
        if not cells.is_text:
            return None
        if field.type == cls.type:
            return {}
        if len(cells) < 20 or len(cells.counts) < 0.5 * len(cells):
            return None
        length, words = cells.distinct.str.len().mean(), cells.distinct.str.count(r"\s+").mean() + 1
        return {} if words >= 6 or length >= 80 else None

    @classmethod
    def fit(cls, present: pd.Series, field: Field, options: Options, rng: np.random.Generator) -> Self:
        return cls()

    @property
    def choices(self) -> int:
        return 1

    def decode(self, choice: np.ndarray, value: np.ndarray, row: np.ndarray, seed: int) -> np.ndarray:
        return np.full(len(choice), WITHHELD, dtype=object)

    def notice(self) -> str | None:
        return f"free text is kept out of tables: {WITHHELD!r} stands in its place"
