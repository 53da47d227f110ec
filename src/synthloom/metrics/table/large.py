"""Tables that memory does not hold, as the metrics see them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO

import numpy as np

from synthloom.metrics.table.data import Column, Table

__all__ = ["LargeTable", "StoredColumns"]


@dataclass(frozen=True)
class StoredColumns:
    """Columns in a file without a name, which goes with the process, eight bytes a cell; part by part.

    >>> stored = StoredColumns.write([{"x": np.array([1.0, 2.0])}, {"x": np.array([3.0])}])
    >>> [part["x"].tolist() for part in stored.parts()]
    [[1.0, 2.0], [3.0]]
    """

    file: IO[bytes]
    dtypes: Mapping[Hashable, np.dtype]
    rows: tuple[int, ...]
    """Of each part."""

    @classmethod
    def write(cls, parts: Iterable[Mapping[Hashable, Column]]) -> StoredColumns:
        """Put these parts, at least one, into a file, one after the other."""
        file, dtypes, rows = TemporaryFile(prefix="synthloom-"), {}, []  # noqa: SIM115 (closed when forgotten)
        for part in parts:
            dtypes = {name: column_N.dtype for name, column_N in part.items()}
            for column_N in part.values():
                column_N.tofile(file)
            rows.append(len(column_N))
        file.flush()
        return cls(file, dtypes, tuple(rows))

    def parts(self) -> Iterator[dict[Hashable, Column]]:
        """The parts, mapped: of a column that nobody asks for nothing is read."""
        place = 0
        for rows in self.rows:
            part: dict[Hashable, Column] = {}
            for name, dtype in self.dtypes.items():
                part[name] = np.asarray(np.memmap(self.file, dtype, "r", place, (rows,)))
                place += rows * dtype.itemsize
            yield part


@dataclass(frozen=True)
class LargeTable(Table):
    """A table of which `columns` hold an even sample of the rows, and `parts` all of them.

    What takes rows looks at the sample, what counts goes through the parts. A category that the sample lacks has the
    code that comes after those of all labels.
    """

    stored: StoredColumns = field(kw_only=True)

    @property
    def rows(self) -> int:
        return sum(self.stored.rows)

    def parts(self) -> Iterator[Table]:
        return (Table(columns, self.facts) for columns in self.stored.parts())
