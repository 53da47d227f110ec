"""Alarms that ring when a synthetic table repeats its training rows. Silence proves nothing.

Legend: S synthetic rows, M rows that they are compared with.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthloom.devices import usable_cores
from synthloom.metrics.score import Context, Score, wilson
from synthloom.metrics.table.data import Table, joint_codes
from synthloom.rng import generator

__all__ = ["FEWEST_ROWS", "copy_rate", "dcr_share", "too_few"]

Coordinate: TypeAlias = NDArray[Any]
"""float32: a place on a line; int32: the code of a category."""

FEWEST_ROWS = 200
"""Below this many rows chance decides, so no number is given."""

_MOST_SYNTHETIC = 5_000
_MOST_CELLS = 3e10
"""Cells that are compared at most; it bounds how many synthetic rows are measured where tables are large."""

_FAR = 1e6
"""Numbers lie this many training ranges away at most, where float32 still tells categories apart."""

_BLOCK = 1 << 17
"""Distances that are worked on at a time: as many as stay in a processor's cache."""

_CURVE = np.arange(0.05, 1, 0.05)
"""The quantiles at which distances are told. None of them is the distance of one record alone."""


def too_few(*tables: Table) -> str | None:
    """Why an attack says nothing about these tables, if it does not."""
    few = min(map(len, tables))
    return f"below {FEWEST_ROWS} rows chance decides, however: {few}" if few < FEWEST_ROWS else None


def copy_rate(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """The share of synthetic rows that equal a training row in every column, missing cells included.

    The reference is the share of held-out rows that do, by nature: in a table of few, coarse columns it may be high.
    """
    if why := too_few(real, synthetic):
        return Score.unavailable("copy_rate", "lower", why)

    def of(table: Table) -> float:
        row_N = _row_codes(real, table)
        return float(np.isin(row_N[len(real) :], row_N[: len(real)]).mean())

    rate = of(synthetic)
    reference = None if holdout is None else of(holdout)
    interval = wilson(rate * len(synthetic), len(synthetic))
    about = (
        "share of synthetic rows that equal a training row exactly; held-out rows do so by chance; blind to rows that "
        "are almost copies, and to quality: noise passes"
    )
    return Score("copy_rate", rate, reference, "lower", interval, about)


def _row_codes(first: Table, second: Table) -> NDArray[np.int64]:
    columns = {name: np.concatenate([first.columns[name], second.columns[name]]) for name in first.columns}
    return joint_codes([1 + pd.factorize(column_N)[0] for column_N in columns.values()])


def dcr_share(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """The share of synthetic rows that lie nearer to a training row than to any held-out row; ties count one half.

    Distance: the sum over columns of the difference of numbers, in units of the training range, and of 2 for differing
    categories (both entries of a one-hot code). A missing number lies at the training median, and 1 away from all that
    are there. 1/2 is what a generator earns that has not looked at its training rows more than at others. Where there
    are more training rows than held-out ones, chance alone would favour them (the nearest of all is one of them with
    the probability of their share c): what the share p exceeds chance by, (p - c) / (1 - c), is then put on the same
    scale, half of it above 1/2; so copies earn 1 whatever the sizes. At most 5,000 synthetic rows are measured. The
    reference puts one half of the holdout in the synthetic's place, and compares with the other half and as many
    training rows. The detail holds quantiles of the distances to equally many training and held-out rows.

    An alarm for memorisation, not a proof of privacy: tables that pass have been attacked with success.

    References:
        Mixed-Type Tabular Data Synthesis with Score-based Diffusion in Latent Space (Zhang et al., 2023),
        https://arxiv.org/abs/2310.09656, for the share
        The DCR Delusion: Measuring the Privacy Risk of Synthetic Data (Yao et al., 2025),
        https://arxiv.org/abs/2505.01524, for what it does not show
    """
    if holdout is None:
        return Score.unavailable("dcr_share", "lower", "it needs a holdout")
    if why := too_few(real, synthetic, holdout):
        return Score.unavailable("dcr_share", "lower", why)
    rng = generator(context.seed, "dcr")
    near = _Nearness(real, synthetic, holdout, rng)
    shuffled = holdout.sample(len(holdout), rng)
    half = len(holdout) // 2
    control = _Nearness(real.sample(half, rng), shuffled.take(slice(half)), shuffled.take(slice(half, 2 * half)), rng)
    about = (
        f"share of {near.rows:,} synthetic rows nearer to training than to held-out rows: 0.5 is ideal, more is "
        "memory; an alarm, not a proof: blind to a few leaks among many rows, and to quality"
    )
    low, high = wilson(near.share * near.effective, near.effective)
    interval = near.beyond_chance(low), near.beyond_chance(high)
    reference = control.beyond_chance(control.share)
    value = near.beyond_chance(near.share)
    return Score("dcr_share", value, reference, "lower", interval, about, None, near.curves())


class _Nearness:
    """How far synthetic rows lie from training and from held-out rows."""

    def __init__(self, real: Table, synthetic: Table, holdout: Table, rng: np.random.Generator) -> None:
        cells = (len(real) + len(holdout)) * len(real.columns)
        n = min(_MOST_SYNTHETIC, max(FEWEST_ROWS, int(_MOST_CELLS / cells)))
        real = real.sample(len(real), rng)
        like_holdout, others = real.take(slice(len(holdout))), real.take(slice(len(holdout), None))
        tables = synthetic.sample(n, rng), like_holdout, others, holdout
        source, train, rest, held = (_coordinates(table, real) for table in tables)
        self.to_train_S, train_S = _nearest(source, train)
        self.to_held_S, held_S = _nearest(source, held)
        to_all_S = self.to_train_S
        if len(real) > len(holdout):
            to_rest_S, rest_S = _nearest(source, rest)
            train_S = np.where(to_rest_S < to_all_S, rest_S + len(holdout), train_S)
            to_all_S = np.minimum(to_all_S, to_rest_S)
        self.rows = len(self.to_held_S)
        self.chance = len(real) / (len(real) + len(holdout))
        tie_S = to_all_S == self.to_held_S
        self.share = float(np.where(tie_S, self.chance, to_all_S < self.to_held_S).mean())
        shared_M = np.bincount(np.where(to_all_S <= self.to_held_S, train_S, len(real) + held_S))
        self.effective = self.rows**2 / float((shared_M.astype(float) ** 2).sum())
        """To how many independent rows they amount: those that share a nearest neighbour turn out alike, so with c rows
        to a neighbour it is (sum c)^2 / sum c^2."""

    def beyond_chance(self, share: float) -> float:
        """1/2 where the share is what chance gives, 1 where it is 1."""
        return min(max(0.5 + 0.5 * (share - self.chance) / (1 - self.chance), 0.0), 1.0)

    def curves(self) -> dict[str, list[float]]:
        """Quantiles of the distances: whoever remembers lies nearer to training rows."""
        distances = {"to_training": self.to_train_S, "to_heldout": self.to_held_S}
        return {"quantiles": np.round(_CURVE, 2).tolist()} | {
            name: np.round(2 * np.quantile(distance_S, _CURVE), 4).tolist() for name, distance_S in distances.items()
        }


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

    def work(start: int) -> None:
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

    with ThreadPoolExecutor(usable_cores()) as threads:  # numpy lets go of the interpreter while it calculates
        list(threads.map(work, range(0, size, rows)))
    return nearest_S, index_S
