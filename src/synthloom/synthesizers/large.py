"""Tables that are larger than memory: what is learnt of the columns, and where the encoded rows lie.

The file is read twice, in frames: once for a uniform sample of rows, from which the codec learns as from any table, and
once more to encode every row into a file, from which training takes them in a new order each epoch. Of what a sample
cannot tell, gaps are followed through the whole table, and identifiers, which must avoid every real one, are learnt
from the whole of their column, one at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from synthloom import sources
from synthloom.codecs.store import StoredRows
from synthloom.codecs.table import Gaps, TableCodec
from synthloom.sources import HELD, RowSample, evenly
from synthloom.spec import TableBatch

__all__ = ["LargeTable", "read"]

_FRAME = 1 << 16
"""Rows that are encoded at once: the noise that spreads whole numbers depends on it."""

_SHOWN = 100_000
"""Encoded rows that are held for all but steps: first biases, a prior, calibration."""


@dataclass(frozen=True)
class LargeTable:
    """A table on disk, and a uniform sample of its rows."""

    path: str | Path
    rows: int
    sample: pd.DataFrame
    gaps: Gaps

    def fit(self, codec: TableCodec) -> None:
        """Let the codec learn."""
        codec.fit(self.sample, gaps=self.gaps, whole=self._column)

    def encode(self, codec: TableCodec) -> StoredRows:
        """Every row, as the network sees it."""
        frames = evenly(sources.chunks(self.path), _FRAME)
        return StoredRows.write(codec.encode(frame, start=i * _FRAME) for i, frame in enumerate(frames))

    def shown(self, codec: TableCodec) -> TableBatch:
        """Some of them, each as likely as any other, in memory."""
        some = np.linspace(0, len(self.sample) - 1, min(_SHOWN, len(self.sample))).astype(np.int64)
        return codec.encode(self.sample.iloc[some])

    @property
    def note(self) -> str:
        """What the user should know of it."""
        off = math.sqrt(math.log(2 / 0.001) / (2 * len(self.sample)))
        return (
            f"the columns were learnt from {len(self.sample):,} of {self.rows:,} rows, drawn evenly: the share of rows "
            f"below any value is off by {off:.2%} at most, but for a chance of one in a thousand"
        )

    def _column(self, i: int) -> pd.Series:
        # copies: a view would keep the columns that lie beside it
        return pd.concat([frame.iloc[:, i].copy() for frame in sources.chunks(self.path)], ignore_index=True)


def read(data: Any, seed: int) -> Any:
    """The table at a path: a data frame if it may be held, or else a `LargeTable`; all else as it is."""
    if not isinstance(data, (str, Path)) or str(data) == "-":  # a pipe can be read once
        return data
    sample, gaps = RowSample(HELD, seed), Gaps()
    for frame in sources.chunks(data):
        sample.add(frame)
        gaps.add(frame)
    return sample.frame() if sample.rows <= HELD else LargeTable(data, sample.rows, sample.frame(), gaps)
