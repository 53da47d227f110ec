"""Tables as the metrics see them: numbers and categories, and nothing else.

Legend: N rows, C columns.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Column", "Facts", "Table", "plain"]

Column: TypeAlias = NDArray[Any]
"""float64: numbers, missing ones NaN; int64: codes of categories, missing ones 0."""


@dataclass(frozen=True)
class Facts:
    """What a column is besides its cells: "number", "datetime" or "duration" (microseconds), or "category"."""

    type: str
    labels: tuple[Any, ...] = ()
    """What code 1 stands for, code 2, ..."""


@dataclass(frozen=True)
class Table:
    """Columns by name, in order; the dtype of each says what it is.

    Dates and durations are numbers (microseconds). Codes mean the same in all tables that were read together.
    """

    columns: Mapping[Hashable, Column]
    facts: Mapping[Hashable, Facts] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        """How many rows are held."""
        return len(next(iter(self.columns.values())))

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self)

    def parts(self) -> Iterator[Table]:
        """All rows, a part at a time; those of a table that is held are one part."""
        yield self

    def is_number(self, name: Hashable) -> bool:
        return bool(self.columns[name].dtype == np.float64)

    @property
    def numbers(self) -> dict[Hashable, NDArray[np.float64]]:
        return {name: value_N for name, value_N in self.columns.items() if self.is_number(name)}

    @property
    def categories(self) -> dict[Hashable, NDArray[np.int64]]:
        return {name: code_N for name, code_N in self.columns.items() if not self.is_number(name)}

    @property
    def missing(self) -> dict[Hashable, NDArray[np.bool_]]:
        """Which cells are."""
        return {
            name: np.isnan(column_N) if column_N.dtype == np.float64 else column_N == 0
            for name, column_N in self.columns.items()
        }

    def each(self, change: Callable[[Column], Column]) -> Table:
        """The table with every column changed."""
        return Table({name: change(column_N) for name, column_N in self.columns.items()}, self.facts)

    def take(self, index_N: NDArray[Any] | slice) -> Table:
        """The rows at `index_N` (positions, a mask, or a slice)."""
        return self.each(lambda column_N: column_N[index_N])

    def sample(self, n: int, rng: np.random.Generator) -> Table:
        """n of the rows (all of them, if there are fewer), in random order."""
        return self.take(rng.permutation(len(self))[:n])

    def shuffled(self, rng: np.random.Generator) -> Table:
        """The same columns, each in an order of its own: what is left of the table without any dependence."""
        return self.each(rng.permutation)

    def without(self, name: Hashable) -> Table:
        return Table({other: column_N for other, column_N in self.columns.items() if other != name}, self.facts)


def plain(name: Hashable) -> Any:
    """A column's name as JSON can say it."""
    return name if isinstance(name, (str, int, float)) else str(name)
