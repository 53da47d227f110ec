"""What every column type is: something that detects, fits, encodes, decodes and remembers in plain data.

Missing cells never reach a column type: the table codec keeps them apart and hands over the present ones only.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch

from synthloom.errors import DataError, UsageError
from synthloom.rng import NO_CHANCE
from synthloom.schema import Field
from synthloom.spec import Limit

__all__ = ["RARE", "Cells", "Column", "Encoded", "Options", "example", "tell_apart"]

RARE = 5
"""What fewer rows than this hold is rare, and not given out while protection is on."""


@dataclass(frozen=True)
class Options:
    """What the user may say about encoding."""

    protect: bool = True
    numbers: str = "quantile"
    cells: int = 64
    common: int | None = None

    def __post_init__(self) -> None:
        if self.numbers not in ("quantile", "gmm"):
            raise UsageError(f'numbers must be "quantile" or "gmm", however: numbers={self.numbers!r}')
        if self.cells < 1:
            raise UsageError(f"cells must be a positive integer, however: cells={self.cells}")

    @property
    def fewest(self) -> int:
        """How many rows must hold a value before it may be given out."""
        return RARE if self.protect else 1


def example(present: pd.Series, where: np.ndarray | slice = slice(None)) -> str:
    """The first of the cells there, as a message shows it."""
    return repr(present[where].head(1).astype(object).iloc[0])


def tell_apart(cells: Iterable[str]) -> tuple[np.ndarray, list[str]]:
    """Which of the distinct texts each cell is, and these; pandas 2 confuses those that differ after a NUL only.

    >>> tell_apart(["b", "a", "b"])
    (array([0, 1, 0]), ['b', 'a'])
    """
    cells = list(cells)
    distinct = list(dict.fromkeys(cells))
    place = {cell: i for i, cell in enumerate(distinct)}
    return np.fromiter(map(place.__getitem__, cells), np.int64, len(cells)), distinct


@dataclass(frozen=True)
class Cells:
    """The present cells of a column, with what several types ask about them, worked out once."""

    present: pd.Series

    def __len__(self) -> int:
        return len(self.present)

    @cached_property
    def kinds(self) -> set[type]:
        """The Python types of the cells."""
        if isinstance(self.present.dtype, pd.StringDtype):
            return {str} if len(self) else set()
        if self.present.dtype == object:
            return set(map(type, self.present))
        return {type(self.present.iloc[0])} if len(self) else set()

    @cached_property
    def counts(self) -> pd.Series:
        """How many rows hold each distinct value."""
        counts = self.present.value_counts(sort=False)
        return counts[counts > 0]

    @cached_property
    def distinct(self) -> pd.Series:
        """The distinct values, as objects."""
        return pd.Series(self.counts.index.astype(object), dtype=object)

    @property
    def is_text(self) -> bool:
        return self.kinds == {str} and not isinstance(self.present.dtype, pd.CategoricalDtype)

    @property
    def all_differ(self) -> bool:
        return len(self.counts) == len(self)


@dataclass(frozen=True)
class Encoded:
    """Present cells as the network sees them: a choice, perhaps a number, and whether the cell could be encoded."""

    choice: np.ndarray  # int64
    value: np.ndarray  # float32
    known: np.ndarray  # bool

    @classmethod
    def choices(cls, choice: np.ndarray) -> Encoded:
        """Choices alone, where -1 stands for what was never learnt."""
        known = choice >= 0
        return cls(np.where(known, choice, 0).astype(np.int64), np.zeros(len(choice), np.float32), known)


@dataclass(frozen=True)
class Column(ABC):
    """One column type. The dataclass fields are all that it has learnt: JSON values, numpy arrays, or a `Scale`."""

    type: ClassVar[str]

    @classmethod
    @abstractmethod
    def detect(cls, cells: Cells, field: Field) -> dict[str, Any] | None:
        """Facts about the column if it is of this type, None if it is not.

        `field.type` is empty or this type, as the user said, and `field.facts` what else the user said.
        """

    @classmethod
    @abstractmethod
    def fit(cls, present: pd.Series, field: Field, options: Options, rng: np.random.Generator) -> Self:
        """Learn from the present cells."""

    @property
    @abstractmethod
    def choices(self) -> int:
        """How many ways there are: 1 if there is nothing to choose, 0 if nothing may be given out at all."""

    @property
    def numbered(self) -> int:
        """How many of them, from the first, carry a number."""
        return 0

    def encode(self, present: pd.Series, rng: np.random.Generator, *, strict: bool) -> Encoded:
        """Present cells to choices and numbers; what was never learnt is unknown, or an error if `strict`."""
        return Encoded.choices(np.zeros(len(present), np.int64))

    @abstractmethod
    def decode(self, choice: np.ndarray, value: np.ndarray, row: np.ndarray, seed: int) -> np.ndarray | pd.Categorical:
        """Back to raw values, one per entry of `choice`; `row` numbers the rows, for what must be unique.

        Pure: the same arguments give the same values, in whatever parts and order the rows are decoded.
        """

    def between(self, low: pd.Series, high: pd.Series, *, beyond: bool = False) -> Limit:
        """What leads to a value from `low` to `high`, or `beyond` these two and between them: a row for each pair.

        Ends are raw values; a missing one leaves that side open. A column whose values have no order has no such limit.
        """
        raise DataError(
            f"a range must be of numbers, times, or categories in order, however: column {low.name!r} holds none of "
            f"these; list its values instead"
        )

    def among(self, values: pd.Series) -> Limit:
        """What leads to one of these raw values; all must be such as the model may give out."""
        encoded = self.encode(values, NO_CHANCE, strict=True)
        open_1K = torch.zeros(1, self.choices, dtype=torch.bool)
        open_1K[0, torch.from_numpy(encoded.choice)] = True
        return Limit.of(open_1K)

    def best(self, cells: pd.Series, draws: int) -> np.ndarray | pd.Categorical:
        """The best guess of each raw value, of which so many draws lie one after the other: the commonest."""
        code = pd.factorize(cells)[0].reshape(-1, draws)
        commonest = (code[:, :, None] == code[:, None, :]).sum(2).argmax(1)
        guess = cells.iloc[np.arange(len(code)) * draws + commonest]
        return guess.array if isinstance(cells.dtype, pd.CategoricalDtype) else guess.to_numpy(object)

    def measure(self, present: pd.Series) -> pd.Series:
        """Cells as what they are compared by: numbers, times, and otherwise themselves."""
        return present

    def end(self, end: pd.Series, *, last: bool) -> pd.Series:
        """Ends of ranges as what `measure` makes of cells; of a day or a year its `last` moment, or its first."""
        return end

    def notice(self) -> str | None:
        """One sentence about what was kept back, if anything was."""
        return None

    def state(self) -> dict[str, Any]:
        """All that was learnt, as plain data."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def load(cls, state: dict[str, Any]) -> Self:
        return cls(**state)
