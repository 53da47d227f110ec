"""What the user wants of every row: values, sets of values and ranges, column by column.

    {"ward": "surgery"}                     a value
    {"ward": ["surgery", "emergency"]}      one of these
    {"age": (30, 40)}                       from 30 to 40, both included
    {"age": (65, None)}                     65 or more
    {"tumour_marker": None}                 missing

Ranges may also be said as `slice(30, 40)`, and of whole numbers as `range(30, 41)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from synthloom.codecs.table import TableCodec, overwritten
from synthloom.errors import DataError, UsageError
from synthloom.schema import Name
from synthloom.spec import Limit, TableBatch

__all__ = ["Conditions", "Demand", "Demands", "NoGaps", "OneOf", "Span", "as_condition", "dealt", "shares_of"]


class Demand:
    """Something that rows must keep to: limits while they are drawn, and a look at what came out."""

    @property
    def first(self) -> list[int]:
        """Columns of which something is demanded: they are drawn before the others, by codes that suit them."""
        return []

    def __call__(self, c: int, written: TableBatch) -> Limit | None:
        """What column c may say where so much of the rows is written."""
        return None

    def finish(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Raw rows with the last touches."""
        return frame

    def holds(self, frame: pd.DataFrame) -> np.ndarray:
        """Which rows are as demanded."""
        return np.ones(len(frame), bool)

    def kept(self, frame: pd.DataFrame) -> None:
        """These rows will be given out."""

    def worst(self) -> str:
        """What it is that most rows break."""
        return ""


class Demands(Demand):
    """All that rows must keep to; what demands nothing is left out."""

    def __init__(self, *parts: Demand) -> None:
        self.parts = [part for part in parts if bool(part)]

    def __bool__(self) -> bool:
        return bool(self.parts)

    @property
    def first(self) -> list[int]:
        return sorted({c for part in self.parts for c in part.first})

    def __call__(self, c: int, written: TableBatch) -> Limit | None:
        limits = [limit for part in self.parts if (limit := part(c, written)) is not None]
        return reduce(Limit.__and__, limits).to(written.choice_BC.device) if limits else None

    def finish(self, frame: pd.DataFrame) -> pd.DataFrame:
        for part in self.parts:
            frame = part.finish(frame)
        return frame

    def holds(self, frame: pd.DataFrame) -> np.ndarray:
        return np.asarray(np.all([np.ones(len(frame), bool), *(part.holds(frame) for part in self.parts)], axis=0))

    def kept(self, frame: pd.DataFrame) -> None:
        for part in self.parts:
            part.kept(frame)

    def worst(self) -> str:
        return next((said for part in self.parts if (said := part.worst())), "")


class NoGaps(Demand):
    """Nothing may be missing."""

    def __init__(self, codec: TableCodec) -> None:
        self.limits = dict(codec.no_gaps())

    def __call__(self, c: int, written: TableBatch) -> Limit | None:
        return self.limits.get(c)


@dataclass(frozen=True)
class Span:
    """From `low` to `high`, both included; None leaves a side open."""

    low: Any = None
    high: Any = None

    def __str__(self) -> str:
        low, high = ("" if end is None else end for end in (self.low, self.high))
        return f"{low}..{high}"


@dataclass(frozen=True)
class OneOf:
    """One of these values; None is a gap."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.values))


Condition: TypeAlias = Span | OneOf


def as_condition(name: Name, said: Any) -> Condition:
    """What a user says of a column, as a range or as a set of values.

    >>> as_condition("age", (30, None)), as_condition("age", range(30, 41)), as_condition("ward", "surgery")
    (Span(low=30, high=None), Span(low=30, high=40), OneOf(values=('surgery',)))
    """
    if isinstance(said, tuple):
        if len(said) != 2:
            raise UsageError(f"a range of column {name!r} must have two ends, however: {said!r}; a set is a list")
        return Span(*said)
    if isinstance(said, (slice, range)) and said.step in (None, 1):
        return Span(said.start, said.stop - 1 if isinstance(said, range) else said.stop)
    if isinstance(said, (list, set, frozenset, range, np.ndarray, pd.Series, pd.Index)):
        values = tuple(said)
    else:
        values = (said,)
    if not values:
        raise UsageError(f"a set of values of column {name!r} must hold one at least, however: it is empty")
    return OneOf(tuple(None if pd.api.types.is_scalar(value) and pd.isna(value) else value for value in values))


class Conditions(Demand):
    """Conditions as a network can keep to them, and as finished rows are checked for them.

    `known` are the values that all rows share; `first` the columns that have limits, which are drawn before the others.
    """

    def __init__(self, codec: TableCodec, said: Mapping[Any, Any]) -> None:
        self.codec = codec
        self.known: dict[Name, Any] = {}
        self.others: dict[Name, Condition] = {}
        self.limits: dict[int, Limit] = {}
        for name, value in said.items():
            codec.assert_can_be_given(name)
            condition = as_condition(name, value)
            if isinstance(condition, OneOf) and len(condition.values) == 1 and condition.values[0] is not None:
                (self.known[name],) = condition.values
            else:
                self.others[name] = condition
                self._limit(name, condition)

    @property
    def first(self) -> list[int]:
        return sorted(self.limits)

    def __call__(self, c: int, written: TableBatch) -> Limit | None:
        return self.limits.get(c)

    def finish(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Numbers and times of a set stand there to the letter: the nearest of it."""
        for name, condition in self.others.items():
            if isinstance(condition, OneOf) and self.codec.column(name).numbered:
                wanted = pd.Series([value for value in condition.values if value is not None], name=name, dtype=object)
                if len(wanted):
                    place = list(frame.columns).index(name)
                    frame.isetitem(place, self._nearest(frame.iloc[:, place], wanted))
        return frame

    def holds(self, frame: pd.DataFrame) -> np.ndarray:
        """Which rows keep to the ranges: one in a great many lies a rounding error beyond."""
        good = np.ones(len(frame), bool)
        for name, condition in self.others.items():
            if isinstance(condition, Span):
                cells, column = frame[name], self.codec.column(name)
                present = cells.notna().to_numpy(bool)
                low, high = _ends(name, condition)
                measured = column.measure(cells[present]).to_numpy()
                good[~present] = False
                if condition.low is not None:
                    good[present] &= measured >= column.end(low, last=False).to_numpy()
                if condition.high is not None:
                    good[present] &= measured <= column.end(high, last=True).to_numpy()
        return good

    def _limit(self, name: Name, condition: Condition) -> None:
        own, gaps = None, False
        if isinstance(condition, Span):
            own = self.codec.column(name).between(*_ends(name, condition))
        else:
            gaps = None in condition.values
            if gaps and not self.codec.can_miss(name):
                raise DataError(
                    f"column {name!r} must have had gaps in training to be given as one, however: it had none"
                )
            values = [value for value in condition.values if value is not None]
            own = self.codec.column(name).among(pd.Series(values, name=name, dtype=object)) if values else None
        if own is not None and own.is_empty():
            raise DataError(f"some value of column {name!r} must be as asked for, however: none is {condition}")
        for k, limit in self.codec.limits(name, own, gaps=gaps):
            self.limits[k] = self.limits[k] & limit if k in self.limits else limit
            if self.limits[k].is_empty():
                raise DataError(f"conditions must leave something to draw, however: those on column {name!r} do not")

    def _nearest(self, cells: pd.Series, wanted: pd.Series) -> pd.Series:
        """Cells as the nearest of the values that were wanted; gaps stay."""
        column = self.codec.column(cells.name)
        present = cells.notna().to_numpy(bool)
        at, ends = column.measure(cells[present]).to_numpy(), column.end(wanted, last=False).to_numpy()
        nearest = np.abs(at[:, None] - ends).argmin(1)
        return overwritten(cells, present, wanted.iloc[nearest])


def shares_of(codec: TableCodec, name: Name, said: Any) -> dict[Any, float]:
    """What share of the rows each value of a column shall have: as said, or "even" for all that may be given out."""
    codec.assert_can_be_given(name)
    if isinstance(said, str) and said == "even":
        column = codec.column(name)
        values = getattr(column, "values", [True, False] if codec.schema_[name].type == "boolean" else [])
        if not values:
            raise DataError(
                f"only categories can be even, however: column {name!r} holds none; say the share of each value"
            )
        return {value: 1 / len(values) for value in values}
    if not isinstance(said, Mapping) or not said or any(not 0 <= share <= 1 for share in said.values()):
        raise UsageError(f'a balance of column {name!r} must be "even" or a share for each value, however: {said!r}')
    if abs(sum(said.values()) - 1) > 1e-6:
        raise UsageError(
            f"the shares of column {name!r} must add up to 1, however: they add up to {sum(said.values()):g}"
        )
    return dict(said)


def dealt(shares: Mapping[Any, float], rows: int, stream: np.random.Generator) -> list[Any]:
    """So many values in these shares, as near as whole rows allow, shuffled.

    >>> sorted(dealt({"a": 0.5, "b": 0.3, "c": 0.2}, 9, np.random.default_rng(0)))
    ['a', 'a', 'a', 'a', 'b', 'b', 'b', 'c', 'c']
    """
    wanted = np.array(list(shares.values())) * rows
    count = np.floor(wanted + 1e-9).astype(np.int64)
    left = rows - count.sum()
    # what is left goes to the largest remainders, equal ones by lot
    order = np.lexsort((stream.random(len(count)), -np.round(wanted - count, 9)))
    count[order[:left]] += 1
    values = [value for value, n in zip(shares, count.tolist(), strict=True) for _ in range(n)]
    return [values[i] for i in stream.permutation(rows)]


def _ends(name: Name, span: Span) -> tuple[pd.Series, pd.Series]:
    low, high = (pd.Series([end], name=name, dtype=object) for end in (span.low, span.high))
    return low, high
