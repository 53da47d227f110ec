"""All that a network may know of the data: widths, cardinalities, masks. No names, no units, no raw values.

Legend for tensor names: B rows, C columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["WIDE", "Batch", "Block", "Digit", "TableBatch", "TableSpec"]

WIDE = 1024
"""A column of more choices than this is spelled with two digits, so that nobody ever holds a logit for each."""


class Batch(Protocol):
    """Encoded items: what training, models and codecs hand to each other, whatever the kind of data."""

    def __len__(self) -> int: ...

    def take(self, index: Tensor) -> Self:
        """The items at `index`, in that order."""
        ...

    def to(self, device: torch.device) -> Self: ...


@dataclass(frozen=True)
class Block:
    """One column: a choice among `choices`; the first `numbered` of them each carry a number as well.

    A category is `Block(7)`. A number cut into 32 cells, with two inflated values and a slot for "missing", is
    `Block(35, numbered=32)`: choose a cell and say where in it, or choose one of the rest and say nothing more.
    """

    choices: int
    numbered: int = 0

    def __post_init__(self) -> None:
        assert 0 <= self.numbered <= self.choices, self
        assert self.choices >= 1, self

    @property
    def digits(self) -> list[tuple[int, int]]:
        """How a choice is spelled, as (divisor, base) of each digit: with one, or with two where there are many.

        >>> Block(7).digits, Block(300_000).digits
        ([(1, 7)], [(548, 548), (1, 548)])
        """
        if self.choices <= WIDE:
            return [(1, self.choices)]
        base = math.isqrt(self.choices - 1) + 1
        return [(base, -(-self.choices // base)), (1, base)]


class Digit(NamedTuple):
    """One of the one or two digits of a column's choices: choice // divisor % base."""

    column: int
    divisor: int
    base: int


@dataclass(frozen=True)
class TableSpec:
    """The columns of a table, in order; `bounded` if every number lies in [-1, 1]."""

    blocks: tuple[Block, ...]
    bounded: bool = False

    @cached_property
    def digits(self) -> tuple[Digit, ...]:
        """The digits of all columns, in order."""
        return tuple(Digit(c, *digit) for c, block in enumerate(self.blocks) for digit in block.digits)

    def follows(self, d: int) -> bool:
        """Whether digit d is the second of its column."""
        return self.digits[d].column == self.digits[d - 1].column and d > 0


@dataclass(frozen=True)
class TableBatch:
    """Rows of an encoded table.

    A cell that is not `known` has nothing to say: it adds nothing to a likelihood, and an encoder is told so. `value`
    counts only where the choice carries a number, and is 0 elsewhere.
    """

    choice_BC: Tensor  # int64
    value_BC: Tensor  # float32
    known_BC: Tensor  # bool

    def __len__(self) -> int:
        return self.choice_BC.shape[0]

    def take(self, index: Tensor) -> TableBatch:
        return TableBatch(*(getattr(self, f.name).index_select(0, index) for f in fields(self)))

    def spelled(self, spec: TableSpec) -> tuple[Tensor, Tensor]:
        """Choices in digits, and which of them are known: both [B, D]."""
        if len(spec.digits) == len(spec.blocks):  # all columns have one digit
            return self.choice_BC, self.known_BC
        import torch

        digit_DB = [self.choice_BC[:, digit.column] // digit.divisor % digit.base for digit in spec.digits]
        return torch.stack(digit_DB, 1), self.known_BC[:, [digit.column for digit in spec.digits]]

    def to(self, device: torch.device) -> TableBatch:
        return TableBatch(*(getattr(self, f.name).to(device) for f in fields(self)))

    @staticmethod
    def cat(batches: Sequence[TableBatch]) -> TableBatch:
        import torch

        return TableBatch(*(torch.cat([getattr(b, f.name) for b in batches]) for f in fields(TableBatch)))
