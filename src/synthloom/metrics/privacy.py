"""Alarms that ring when a synthetic table repeats its training rows. Silence proves nothing.

Legend: S synthetic rows, M rows that they are compared with.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthloom.metrics.columns import Table, joint_codes
from synthloom.metrics.score import Context, Score, wilson
from synthloom.rng import generator

__all__ = ["copy_rate", "dcr_share"]

Coordinate: TypeAlias = NDArray[Any]
"""float32: a place on a line; int32: the code of a category."""

_FEWEST_ROWS = 200
"""Below this many rows chance decides, so no number is given."""

_MOST_SYNTHETIC = 5_000
_MOST_COMPARED = 20_000

_FAR = 1e6
"""Numbers lie this many training ranges away at most, where float32 still tells categories apart."""

_BLOCK = 1 << 17
"""Distances that are worked on at a time: as many as stay in a processor's cache."""


def copy_rate(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """The share of synthetic rows that equal a training row in every column, missing cells included.

    The reference is the share of held-out rows that do, by nature: in a table of few, coarse columns it may be high.
    """
    if (few := min(len(real), len(synthetic))) < _FEWEST_ROWS:
        return Score("copy_rate", None, None, "lower", None, f"not available below {_FEWEST_ROWS} rows, however: {few}")

    def of(table: Table) -> float:
        row_N = _row_codes(real, table)
        return float(np.isin(row_N[len(real) :], row_N[: len(real)]).mean())

    rate = of(synthetic)
    reference = None if holdout is None else of(holdout)
    interval = wilson(rate * len(synthetic), len(synthetic))
    about = "share of synthetic rows that equal a training row exactly; held-out rows do so by chance"
    return Score("copy_rate", rate, reference, "lower", interval, about)


def _row_codes(first: Table, second: Table) -> NDArray[np.int64]:
    columns = {name: np.concatenate([first.columns[name], second.columns[name]]) for name in first.columns}
    return joint_codes([1 + pd.factorize(column_N)[0] for column_N in columns.values()])


def dcr_share(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """The share of synthetic rows that lie nearer to a training row than to any held-out row; ties count one half.

    Distance: the sum over columns of the difference of numbers, in units of the training range, and of 2 for differing
    categories (both entries of a one-hot code). A missing number lies at the training median, and 1 away from all that
    are there. Both sides have equally many rows, at most 20,000, so 1/2 is what a generator earns that has not looked
    at its training rows more than at others; at most 5,000 synthetic rows are measured. The reference puts one half
    of the holdout in the synthetic's place. An alarm for memorisation, not a proof of privacy: tables that pass have
    been attacked with success.

    References:
        Mixed-Type Tabular Data Synthesis with Score-based Diffusion in Latent Space (Zhang et al., 2023),
        https://arxiv.org/abs/2310.09656, for the share
        The DCR Delusion: Measuring the Privacy Risk of Synthetic Data (Yao et al., 2025),
        https://arxiv.org/abs/2505.01524, for what it does not show
    """
    if holdout is None:
        return Score("dcr_share", None, None, "lower", None, "not available: it needs a holdout")
    if (few := min(len(real), len(synthetic), len(holdout))) < _FEWEST_ROWS:
        return Score("dcr_share", None, None, "lower", None, f"not available below {_FEWEST_ROWS} rows, however: {few}")
    rng = generator(context.seed, "dcr")
    share, rows, effective = _nearer_share(real, synthetic, holdout, rng)
    shuffled = holdout.sample(len(holdout), rng)
    half = len(holdout) // 2
    halves = shuffled.take(np.arange(half)), shuffled.take(np.arange(half, 2 * half))
    reference, *_ = _nearer_share(real, *halves, rng)
    about = f"share of {rows:,} synthetic rows nearer to training than to held-out rows; 0.5 is ideal, more is memory"
    return Score("dcr_share", share, reference, "lower", wilson(share * effective, effective), about)


def _nearer_share(real: Table, synthetic: Table, holdout: Table, rng: np.random.Generator) -> tuple[float, int, float]:
    """The share, of how many rows, and to how many independent ones they amount.

    Rows that have the same nearest neighbour turn out alike, so they say less than so many independent ones: with c
    rows to a neighbour, (sum c)^2 / sum c^2.
    """
    m = min(len(real), len(holdout), _MOST_COMPARED)
    tables = synthetic.sample(_MOST_SYNTHETIC, rng), real.sample(m, rng), holdout.sample(m, rng)
    source, train, held = (_coordinates(table, real) for table in tables)
    (to_train_S, train_S), (to_held_S, held_S) = _nearest(source, train), _nearest(source, held)
    share = float(((to_train_S < to_held_S) + 0.5 * (to_train_S == to_held_S)).mean())
    shared_M = np.bincount(np.where(to_train_S <= to_held_S, train_S, m + held_S))
    return share, len(to_train_S), len(to_train_S) ** 2 / float((shared_M**2).sum())


def _coordinates(table: Table, real: Table) -> list[Coordinate]:
    """Columns to measure distances with, halved: the sum of a != b over int32 ones and of |a - b| over the others."""
    columns: list[Coordinate] = [code_N.astype(np.int32) for code_N in table.categories.values()]
    for name, value_N in table.numbers.items():
        known_N = real.numbers[name][~np.isnan(real.numbers[name])]
        low, middle, high = np.quantile(known_N, [0, 0.5, 1]) if len(known_N) else (0.0, 0.0, 0.0)
        missing_N = np.isnan(value_N)
        scaled_N = (np.where(missing_N, middle, value_N) - low) / ((high - low) or 1.0)
        columns += [(scaled_N.clip(-_FAR, _FAR) / 2).astype(np.float32), (missing_N / 2).astype(np.float32)]
    return columns


def _nearest(source: list[Coordinate], target: list[Coordinate]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Each source row's nearest target row: half the distance to it, and which. Never all distances at once."""
    size, rows = len(source[0]), max(1, _BLOCK // len(target[0]))
    nearest_S, index_S = np.empty(size, np.float32), np.empty(size, np.int64)
    for start in range(0, size, rows):
        block = slice(start, start + rows)
        distance_SM = np.zeros((len(source[0][block]), len(target[0])), np.float32)
        part_SM = np.empty_like(distance_SM)
        for from_S, to_M in zip(source, target, strict=True):
            if to_M.dtype == np.int32:
                np.not_equal(from_S[block, None], to_M, out=part_SM)
            else:
                np.abs(np.subtract(from_S[block, None], to_M, out=part_SM), out=part_SM)
            distance_SM += part_SM
        index_S[block] = distance_SM.argmin(axis=1)
        nearest_S[block] = np.take_along_axis(distance_SM, index_S[block, None], axis=1)[:, 0]
    return nearest_S, index_S
