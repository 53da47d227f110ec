"""Categories: any value that plain JSON can say, the commonest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch

from synthloom.codecs.columns.base import Cells, Column, Encoded, Options, example, tell_apart
from synthloom.codecs.dtypes import cast, dtype_name, holds_text
from synthloom.errors import DataError
from synthloom.schema import Field
from synthloom.spec import Limit

__all__ = ["OTHER", "CategoryColumn", "factorize", "is_plain", "key_of", "levels_of", "value_of"]

OTHER = "<other>"
"""What stands in a column of text for the values that too few rows hold."""


def is_plain(kinds: set[type]) -> bool:
    """Whether cells of these Python types can be categories."""
    return all(issubclass(kind, (str, int, float, np.integer, np.floating, np.bool_)) for kind in kinds)


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
        return {} if is_plain(cells.kinds) else None

    @classmethod
    def fit(cls, present: pd.Series, field: Field, options: Options, rng: np.random.Generator) -> Self:
        code, keys = factorize(present)
        counts = np.bincount(code, minlength=len(keys)).tolist()
        ranked = sorted(range(len(keys)), key=lambda i: (-counts[i], keys[i]))
        kept = [keys[i] for i in ranked if counts[i] >= options.fewest]
        rare = [i for i in ranked if counts[i] < options.fewest]
        if present.dtype.kind in "iub" and isinstance(present.dtype, np.dtype) and not kept:
            raise DataError(
                f"some value of column {field.name!r} must be held by at least {options.fewest} rows to be given out, "
                f"however: none is; call it a number or an identifier, or set protect=False"
            )
        levels = levels_of(present.dtype, kept, hide=bool(rare)) if field.dtype == "category" else None
        other = holds_text(field.dtype) and bool(rare)
        return cls([value_of(key) for key in kept], other, len(rare), sum(counts[i] for i in rare), levels)

    @property
    def choices(self) -> int:
        return len(self.values) + self.other

    def encode(self, present: pd.Series, rng: np.random.Generator, *, strict: bool) -> Encoded:
        code, keys = factorize(present)
        exact = {key_of(value): i for i, value in enumerate(self.values)}
        place = np.array([exact.get(key, -1) for key in keys], np.int64)
        strange = np.flatnonzero(place < 0).tolist()
        if strange:  # 3 is also found as 3.0, which it becomes beside a gap, and as "3", which it is on a command line
            loose = {_text(value): i for i, value in reversed(list(enumerate(self.values)))}
            place[strange] = [loose.get(_text(value_of(keys[i])), -1) for i in strange]
        choice = place[code]
        if strict and (choice < 0).any():
            shown = ", ".join(map(repr, self.values[:8])) + (", ..." if len(self.values) > 8 else "")
            raise DataError(
                f"column {present.name!r} must be given a value that the model may give out, "
                f"however: {example(present, choice < 0)}; known are {shown}"
            )
        return Encoded.choices(np.where(choice < 0, len(self.values), choice) if self.other else choice)

    def decode(self, choice: np.ndarray, value: np.ndarray, row: np.ndarray, seed: int) -> np.ndarray | pd.Categorical:
        table = np.empty(max(1, self.choices), dtype=object)
        table[: self.choices] = self.values + [OTHER] * self.other
        if self.levels is None:
            return table[choice]
        shown = np.array(self.levels["values"], dtype=object)
        categories = pd.Index(cast(shown, np.zeros(len(shown), bool), self.levels["dtype"]))
        place = {key_of(level): i for i, level in enumerate(self.levels["values"])}
        code = np.array([place.get(key_of(entry), -1) for entry in table], np.int64)
        return pd.Categorical.from_codes(code[choice], categories=categories, ordered=self.levels["ordered"])

    def between(self, low: pd.Series, high: pd.Series, *, beyond: bool = False) -> Limit:
        place = self._order()
        if not place:
            return super().between(low, high, beyond=beyond)
        own_K = np.array([place.get(_text(value), np.nan) for value in self.values] + [np.nan] * self.other)
        low_B1 = self.end(low, last=False).fillna(-np.inf).to_numpy()[:, None]
        high_B1 = self.end(high, last=True).fillna(np.inf).to_numpy()[:, None]
        inside_BK = (own_K > low_B1) & (own_K < high_B1) if beyond else (own_K >= low_B1) & (own_K <= high_B1)
        return Limit.of(torch.from_numpy(inside_BK))

    def measure(self, present: pd.Series) -> pd.Series:
        if self.levels is not None and self.levels["ordered"]:
            return present.astype(object).map(lambda cell: self._order().get(_text(cell), np.nan)).astype(np.float64)
        return present.astype(object).infer_objects()

    def end(self, end: pd.Series, *, last: bool) -> pd.Series:
        place = self._order()
        try:  # a level where levels have places, and any number at itself
            return end.astype(object).map(lambda cell: place.get(_text(cell), cell)).astype(np.float64)
        except ValueError:
            raise DataError(
                f"an end of a range of column {end.name!r} must be one of {', '.join(place)}, however: {example(end)}"
            ) from None

    def _order(self) -> dict[str, float]:
        """Where each value stands: among the levels, if these have an order, or as the number that it is."""
        if self.levels is not None and self.levels["ordered"]:
            return {_text(value): float(i) for i, value in enumerate(self.levels["values"])}
        if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in self.values):
            return {_text(value): float(value) for value in self.values}
        return {}

    def notice(self) -> str | None:
        if not self.rare_values:
            return None
        fate = f"stand together as {OTHER!r}" if self.other else "are left out"
        return f"{self.rare_values} rare values ({self.rare_rows} rows) {fate}"

    def state(self) -> dict[str, Any]:
        """Values as keys, because JSON has no infinity."""
        levels = self.levels and self.levels | {"values": [key_of(value) for value in self.levels["values"]]}
        return super().state() | {"values": [key_of(value) for value in self.values], "levels": levels}

    @classmethod
    def load(cls, state: dict[str, Any]) -> Self:
        levels = state["levels"] and state["levels"] | {"values": [value_of(key) for key in state["levels"]["values"]]}
        return cls(**state | {"values": [value_of(key) for key in state["values"]], "levels": levels})


def levels_of(dtype: pd.CategoricalDtype, kept: list[str], hide: bool) -> dict[str, Any]:
    """The levels in their order. Those that no row holds stay too, unless others had to be hidden for being rare.

    Unheld levels are a scale's ("strongly agree") or the names of people who were filtered out, and a column that has
    rare levels looks like the latter.
    """
    shown = set(kept)
    values = [value_of(key) for level in dtype.categories if (key := key_of(level)) in shown or not hide]
    return {"values": values, "ordered": bool(dtype.ordered), "dtype": dtype_name(dtype.categories.dtype)}


def factorize(present: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Which distinct value each cell holds, and the keys of the distinct values."""
    if present.dtype != object and getattr(present.dtype, "storage", "") != "python":
        code, distinct = pd.factorize(present)
    elif set(map(type, cells := present.tolist())) - {str}:
        return tell_apart(map(key_of, cells))  # 1, 1.0 and True are equal, and not the same
    else:
        code, distinct = tell_apart(cells)
    return code.astype(np.int64), [key_of(value) for value in distinct]


def key_of(value: Any) -> str:
    """A value as text that tells 1, 1.0, True and "1" apart."""
    if isinstance(value, str):
        return "s" + value
    if isinstance(value, (bool, np.bool_)):
        return f"b{bool(value)}"
    if isinstance(value, (int, np.integer)):
        return f"i{int(value)}"
    if isinstance(value, (float, np.floating)):
        return f"f{float(value)!r}"
    return f"o{value}"  # too rare to be given out, whatever it is


def value_of(key: str) -> Any:
    kind, text = key[0], key[1:]
    if kind == "b":
        return text == "True"
    return int(text) if kind == "i" else float(text) if kind == "f" else text


def _text(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value)
