"""Counting: what scores are made of that look at all rows, one column or two at a time.

A table may come in parts (`Table.parts`). What is counted of two parts, added up, is what is counted of both together,
so it does not matter who counts which part, nor whether memory holds them all.

Legend: N rows, K known values, C columns, S cells.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synthloom.metrics.table.data import Column, Table

__all__ = ["Cells", "Coding", "counted", "joint_counts"]

_DENSE = 1 << 18
"""Pairs of values are numbered through while at most so many of them are possible."""

_AT_ONCE = 1 << 24
"""Cells that are counted in one go through the parts, or a little more."""


class Cells:
    """The cells that numbers are counted in: one for each value that is known, one for each gap between two of them.

    So every number has a cell, and where all values are known each is counted by itself. The known ones are those of
    the rows that are held: of a table that is held, all.

    >>> cells = Cells(np.array([1.0, 1.0, 5.0]))
    >>> cells.of(np.array([0.0, 1.0, 3.0, 5.0, 7.0])).tolist()
    [0, 1, 2, 3, 4]
    """

    def __init__(self, *held: Column) -> None:
        sorted_N = np.sort(np.concatenate(held))
        self.known_K = np.concatenate([sorted_N[:1], sorted_N[1:][sorted_N[1:] != sorted_N[:-1]]])

    def __len__(self) -> int:
        return 2 * len(self.known_K) + 1

    def of(self, value_N: Column) -> NDArray[np.int64]:
        """The number of each value's cell."""
        return self.known_K.searchsorted(value_N, "left") + self.known_K.searchsorted(value_N, "right")

    def count(self, value_N: Column) -> NDArray[np.int64]:
        """How many values lie in each cell: to look few known ones up among the sorted takes less than the reverse."""
        sorted_N = np.sort(value_N)
        below_K, upto_K = (sorted_N.searchsorted(self.known_K, side) for side in ("left", "right"))
        count_S = np.empty(len(self), np.int64)
        count_S[1::2] = upto_K - below_K
        count_S[::2] = np.append(below_K, len(sorted_N)) - np.append(0, upto_K)
        return count_S


@dataclass(frozen=True)
class Coding:
    """How the cells of a column become whole numbers, from 0 to below `size`."""

    size: int
    code: Callable[[Column], NDArray[np.int64]]


Codings: TypeAlias = Mapping[Hashable, Coding]
Pair: TypeAlias = tuple[Any, Any]


def counted(table: Table, count: Callable[[Table], Any]) -> Any:
    """What is counted of each part, added up."""
    return sum(map(count, table.parts()))


def joint_counts(
    sides: Sequence[tuple[Table, Codings]], pairs: Sequence[Pair]
) -> Iterator[tuple[Pair, list[NDArray[np.int64]]]]:
    """For each pair of columns, in how many rows of each table which two codes stand together; the cells are the same
    for all of the tables, whose columns are coded to the same sizes."""
    (_, codings), *_ = sides
    for block in _blocks(pairs, codings):
        cells = {pair: _sparse(sides, pair) for pair in block if _size(codings, pair) > _DENSE}
        totals = []
        for table, coding in sides:
            total: dict[Pair, NDArray[np.int64]] = {}
            for part in table.parts():
                for pair, count_S in _of_part(part, coding, block, cells):
                    total[pair] = total[pair] + count_S if pair in total else count_S
            totals.append(total)
        for pair in block:
            yield pair, [total.pop(pair) for total in totals]


def _of_part(
    part: Table, codings: Codings, pairs: Sequence[Pair], cells: Mapping[Pair, Cells]
) -> Iterator[tuple[Pair, NDArray[np.int64]]]:
    code = {name: codings[name].code(part.columns[name]) for name in {name for pair in pairs for name in pair}}
    for pair in pairs:
        key_N = code[pair[0]] * codings[pair[1]].size + code[pair[1]]
        known = cells.get(pair)
        yield pair, np.bincount(key_N, minlength=_size(codings, pair)) if known is None else known.count(key_N)


def _sparse(sides: Sequence[tuple[Table, Codings]], pair: Pair) -> Cells:
    """The cells of a pair of which most possible values are never there."""
    a, b = pair
    return Cells(
        *(
            coding[a].code(table.columns[a]) * coding[b].size + coding[b].code(table.columns[b])
            for table, coding in sides
        )
    )


def _size(codings: Codings, pair: Pair) -> int:
    return codings[pair[0]].size * codings[pair[1]].size


def _blocks(pairs: Sequence[Pair], codings: Codings) -> Iterator[list[Pair]]:
    """Pairs in their order, as many at a time as are counted in one go."""
    block, size = list[Pair](), 0
    for pair in pairs:
        block.append(pair)
        size += min(_size(codings, pair), _DENSE)
        if size > _AT_ONCE:
            yield block
            block, size = [], 0
    if block:
        yield block
