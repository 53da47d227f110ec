"""A uniform sample of the rows of a table that is too large to be held, drawn while its frames pass by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from synthloom import rng

__all__ = ["HELD", "RowSample", "evenly"]

HELD = 1 << 19
"""Rows of a table that are held in memory; of a larger one, so many stand for all where not all are counted."""


class RowSample:
    """`most` rows, any as likely as any other, in their order; all of them where there are no more.

    A row stays if the key that is drawn for its number is among the `most` smallest. So the sample depends on the rows
    and their order alone, not on the frames in which they come, and the samples of two stretches of a table make that
    of the whole. The share of sampled rows below any value is off by at most sqrt(ln(2 / p) / (2 most)), but for a
    chance of p: The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality (Massart, 1990),
    https://doi.org/10.1214/aop/1176990746

    >>> whole, parts = RowSample(3, seed=0), RowSample(3, seed=0)
    >>> frame = pd.DataFrame({"n": range(100)})
    >>> whole.add(frame)
    >>> for start in range(0, 100, 7):
    ...     parts.add(frame[start : start + 7])
    >>> whole.frame().equals(parts.frame()), len(whole.frame()), whole.rows
    (True, 3, 100)
    """

    def __init__(self, most: int, seed: int) -> None:
        self.most, self._key = most, rng.mix(seed, "rows")
        self.rows = 0  # seen so far
        self._frames: list[pd.DataFrame] = []
        self._keys = np.zeros(0, np.uint64)
        self._limit = np.uint64(2**64 - 1)

    def add(self, frame: pd.DataFrame) -> None:
        """Take the next rows into account."""
        key = rng.scrambled(np.arange(self.rows, self.rows + len(frame)), self._key)
        self.rows += len(frame)
        stays = key <= self._limit
        self._frames.append(frame if stays.all() else frame[stays])
        self._keys = np.concatenate([self._keys, key[stays]])
        if len(self._keys) >= 2 * self.most:
            self._thin()

    def frame(self) -> pd.DataFrame:
        """The rows that are sampled by now, numbered anew."""
        self._thin()
        return self._frames[0].reset_index(drop=True)

    def _thin(self) -> None:
        if len(self._keys) > self.most:
            self._limit = np.partition(self._keys, self.most - 1)[self.most - 1]
        stays = self._keys <= self._limit
        self._frames = [pd.concat(self._frames)[stays]]
        self._keys = self._keys[stays]


def evenly(frames: Iterable[pd.DataFrame], rows: int) -> Iterator[pd.DataFrame]:
    """The same rows in frames of `rows`, the last one of what is left: so that parts and files leave no trace.

    >>> [len(frame) for frame in evenly([pd.DataFrame({"n": range(n)}) for n in (2, 5, 1)], 3)]
    [3, 3, 2]
    """
    held: list[pd.DataFrame] = []
    for frame in frames:
        held.append(frame)
        if sum(map(len, held)) >= rows:
            whole = pd.concat(held, ignore_index=True)
            cut = len(whole) // rows * rows
            for start in range(0, cut, rows):
                yield whole[start : start + rows].reset_index(drop=True)
            held = [whole[cut:]]
    if held and len(whole := pd.concat(held, ignore_index=True)):
        yield whole
