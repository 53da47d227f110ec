"""Encoded rows in a file, for tables that are too large to be held: a batch like any other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import IO

import numpy as np
import torch
from torch import Tensor

from synthloom.spec import TableBatch

__all__ = ["StoredRows"]


@dataclass(frozen=True)
class StoredRows:
    """Rows of a file, by their numbers; `to` reads them.

    Rows lie one after the other, nine bytes a cell, so that any few of them are read with as few pages. The file has no
    name: it goes with the process, whatever ends it.

    >>> some = TableBatch.unknown(4, 2)
    >>> stored = StoredRows.write([some, some])
    >>> len(stored), stored.take(torch.tensor([7, 1])).to(torch.device("cpu")).choice_BC.shape
    (8, torch.Size([2, 2]))
    """

    file: IO[bytes]
    layout: np.dtype
    row_B: Tensor  # int64

    @classmethod
    def write(cls, batches: Iterable[TableBatch]) -> StoredRows:
        """Put these batches, at least one row in all, into a file, one after the other."""
        file, rows, layout = TemporaryFile(prefix="synthloom-"), 0, np.dtype([])  # noqa: SIM115 (closed when forgotten)
        for batch in batches:
            columns = (batch.choice_BC.shape[1],)
            layout = np.dtype([("choice", np.int32, columns), ("value", np.float32, columns), ("known", bool, columns)])
            record_B = np.empty(len(batch), layout)
            record_B["choice"], record_B["value"] = batch.choice_BC.numpy(), batch.value_BC.numpy()
            record_B["known"] = batch.known_BC.numpy()
            record_B.tofile(file)
            rows += len(batch)
        file.flush()
        return cls(file, layout, torch.arange(rows))

    def __len__(self) -> int:
        return len(self.row_B)

    def take(self, index: Tensor) -> StoredRows:
        return replace(self, row_B=self.row_B[index])

    def to(self, device: torch.device) -> TableBatch:
        # read, not mapped: what lies around a row would come into memory with it, and soon be the whole file
        records = bytearray()
        for row in self.row_B.tolist():
            self.file.seek(self.layout.itemsize * row)
            records += self.file.read(self.layout.itemsize)
        record_B = np.frombuffer(records, self.layout)
        choice_BC = torch.from_numpy(record_B["choice"].astype(np.int64))
        value_BC, known_BC = (torch.from_numpy(np.ascontiguousarray(record_B[name])) for name in ("value", "known"))
        return TableBatch(choice_BC, value_BC, known_BC).to(device)
