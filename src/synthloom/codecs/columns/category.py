"""Categories: any value that plain JSON can say, the commonest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from synthloom.codecs.columns.base import Cells, Column, Encoded, Options
from synthloom.codecs.dtypes import cast, dtype_name
from synthloom.errors import DataError
from synthloom.schema import Field

__all__ = ["OTHER", "CategoryColumn"]

OTHER = "<other>"
"""What stands in a column of text for the values that too few rows hold."""


@dataclass(frozen=True)
class CategoryColumn(Column):
    """One choice per value that may be given out; in text one more for all the rest together."""

    type: ClassVar[str] = "category"

    values: list[Any]
    other: bool  # whether the last choice is OTHER
    rare_values: int
    rare_rows: int
    levels: dict[str, Any] | None  # of a pandas categorical: {"values": [...], "ordered": bool, "dtype": str}

    @classmethod
    def detect(cls, cells: Cells, field: Field) -> dict[str, Any] | None:
        kinds = set(map(type, cells.present.dtype.categories)) if field.dtype == "category" else cells.kinds
        allowed = (str, int, float, bool, np.integer, np.floating, np.bool_)
        if not all(issubclass(kind, allowed) for kind in kinds):
            if field.dtype == "category":
                raise DataError(
                    f"the levels of column {field.name!r} must be text, numbers or booleans, however: they are "
                    f"{sorted(k.__name__ for k in kinds)}; use df[column].astype(str)"
                )
            return None
        return {}

    @classmethod
    def fit(cls, present: pd.Series, field: Field, options: Options, rng: np.random.Generator) -> Self:
        keys = _keys(present)
        counts = keys.value_counts()
        counts = counts[counts > 0].sort_index().sort_values(ascending=False, kind="stable")
        kept = counts[counts >= options.fewest]
        rare = counts[counts < options.fewest]
        is_text = field.dtype == "object" or field.dtype.startswith(("str", "string", "large_string"))
        if not is_text and not len(kept) and field.dtype != "category":
            raise DataError(
                f"some value of column {field.name!r} must be held by at least {options.fewest} rows to be given out, "
                f"however: none is; call it a number or an identifier, or set protect=False"
            )
        levels = None
        if field.dtype == "category":
            dtype = present.dtype
            hidden = set(rare.index) if options.protect else set()
            shown = [
                v
                for v, key in zip(dtype.categories, _keys(pd.Series(dtype.categories)), strict=True)
                if key not in hidden
            ]
            levels = {
                "values": [_plain(v) for v in shown],
                "ordered": bool(dtype.ordered),
                "dtype": dtype_name(dtype.categories.dtype),
            }
        values = [_value(key) for key in kept.index]
        return cls(values, is_text and len(rare) > 0, len(rare), int(rare.sum()), levels)

    @property
    def choices(self) -> int:
        return max(1, len(self.values) + self.other)

    def encode(self, present: pd.Series, rng: np.random.Generator, *, strict: bool) -> Encoded:
        place = {_key(value): i for i, value in enumerate(self.values)}
        keys = _keys(present)
        known = keys.map(place)
        if strict and known.isna().any():
            wrong = present[known.isna().to_numpy()].iloc[0]
            shown = ", ".join(map(repr, self.values[:8])) + (", ..." if len(self.values) > 8 else "")
            raise DataError(
                f"column {present.name!r} must be given a value that the model may give out, however: {wrong!r}; "
                f"known are {shown}"
            )
        rest = len(self.values) if self.other else -1
        return Encoded.choices(known.astype(np.float64).fillna(rest).to_numpy(np.int64))

    def decode(
        self, choice: np.ndarray, value: np.ndarray, row: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray | pd.Categorical:
        table = np.empty(self.choices, dtype=object)
        table[:] = (self.values + [OTHER] * self.other) or [None]
        if self.levels is None:
            return table[choice]
        shown = np.array(self.levels["values"], dtype=object)
        categories = pd.Index(cast(shown, np.zeros(len(shown), bool), self.levels["dtype"]))
        return pd.Categorical(table[choice], categories=categories, ordered=self.levels["ordered"])

    def notice(self) -> str | None:
        if not self.rare_values:
            return None
        fate = f"stand together as {OTHER!r}" if self.other else "are left out"
        return f"{self.rare_values} rare values ({self.rare_rows} rows) {fate}"


def _keys(present: pd.Series) -> pd.Series:
    """Values as text that tells 1, 1.0, True and "1" apart; plain text stays as it is, which is fast."""
    if isinstance(present.dtype, pd.CategoricalDtype):
        codes = {level: _key(level) for level in present.dtype.categories}
        return present.astype(object).map(codes)
    if isinstance(present.dtype, pd.StringDtype):
        return "s" + present.astype(object)
    return present.astype(object).map(_key)


def _key(value: Any) -> str:
    if isinstance(value, str):
        return "s" + value
    if isinstance(value, (bool, np.bool_)):
        return f"b{bool(value)}"
    if isinstance(value, (int, np.integer)):
        return f"i{int(value)}"
    return f"f{float(value)!r}"


def _value(key: str) -> Any:
    kind, text = key[0], key[1:]
    return {"s": str, "b": lambda t: t == "True", "i": int, "f": float}[kind](text)


def _plain(value: Any) -> Any:
    return _value(_key(value))
