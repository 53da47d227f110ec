"""Alarms that ring when a synthetic table repeats its training rows. Silence proves nothing.

Legend: S synthetic rows, M rows that they are compared with.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synthloom.devices import usable_cores
from synthloom.metrics.score import Context, Score, wilson
from synthloom.metrics.table.data import Table
from synthloom.rng import generator, scrambled

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
        print_S, place_N = np.unique(_prints(table), return_inverse=True)
        there_S = np.zeros(len(print_S), bool)
        for part in real.parts():
            there_S |= np.isin(print_S, _prints(part))
        return float(there_S[place_N].mean())

    rate = of(synthetic)
    reference = None if holdout is None else of(holdout)
    interval = wilson(rate * len(synthetic), len(synthetic))
    about = (
        "share of synthetic rows that equal a training row exactly; held-out rows do so by chance; blind to rows that "
        "are almost copies, and to quality: noise passes"
    )
    return Score("copy_rate", rate, reference, "lower", interval, about)


def _prints(table: Table) -> NDArray[np.uint64]:
    """64 bits for each row, equal for equal rows, and for two others about once in 10^19."""
    print_N = np.zeros(len(table), np.uint64)
    for name, column_N in table.columns.items():
        # all that is missing is missing alike, and zero is zero whatever its sign
        cell_N = np.where(np.isnan(column_N), np.nan, column_N + 0.0) if table.is_number(name) else column_N
        print_N = scrambled(np.ascontiguousarray(cell_N).view(np.uint64), print_N)
    return print_N


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
        cells = (real.rows + len(holdout)) * len(real.columns)
        n = min(_MOST_SYNTHETIC, max(FEWEST_ROWS, int(_MOST_CELLS / cells)))
        shuffled = real.sample(len(real), rng)
        like_holdout, others = shuffled.take(slice(len(holdout))), shuffled.take(slice(len(holdout), None))
        to_source = _Nearest(synthetic.sample(n, rng), real)
        self.to_train_S, train_S = to_source.among(like_holdout)
        self.to_held_S, held_S = to_source.among(holdout.take(slice(None)))  # of a larger one, the rows that are held
        to_all_S = self.to_train_S
        if real.rows > len(holdout):
            # where more rows are than are held, some are looked at twice, which does no harm
            to_rest_S, rest_S = to_source.among(others if real.rows == len(real) else real)
            train_S = np.where(to_rest_S < to_all_S, rest_S + len(holdout), train_S)
            to_all_S = np.minimum(to_all_S, to_rest_S)
        self.rows = len(self.to_held_S)
        self.chance = real.rows / (real.rows + len(holdout))
        tie_S = to_all_S == self.to_held_S
        self.share = float(np.where(tie_S, self.chance, to_all_S < self.to_held_S).mean())
        neighbour_S = np.where(to_all_S <= self.to_held_S, train_S, real.rows + len(holdout) + held_S)
        _, shared_M = np.unique(neighbour_S, return_counts=True)
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


class _Nearest:
    """Looks for the nearest rows of other tables to those of one, in units of the training table."""

    def __init__(self, source: Table, real: Table) -> None:
        self._ranges = {name: _range(value_N) for name, value_N in real.numbers.items()}
        self._source = self._coordinates(source)

    def among(self, table: Table) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Each row's nearest of the table: half the distance to it, and which it is; part by part."""
        nearest_S = np.full(len(self._source[0]), np.inf, np.float32)
        index_S, before = np.zeros(len(nearest_S), np.int64), 0
        for part in table.parts():
            distance_S, found_S = _nearest(self._source, self._coordinates(part))
            index_S = np.where(distance_S < nearest_S, before + found_S, index_S)
            nearest_S = np.minimum(distance_S, nearest_S)
            before += len(part)
        return nearest_S, index_S

    def _coordinates(self, table: Table) -> list[Coordinate]:
        """Columns to measure distances with, halved: the sum of a != b over int32 ones and of |a - b| over others."""
        columns: list[Coordinate] = [code_N.astype(np.int32) for code_N in table.categories.values()]
        for name, value_N in table.numbers.items():
            low, middle, span = self._ranges[name]
            missing_N = np.isnan(value_N)
            scaled_N = (np.where(missing_N, middle, value_N) - low) / span
            columns += [(scaled_N.clip(-_FAR, _FAR) / 2).astype(np.float32), (missing_N / 2).astype(np.float32)]
        return columns


def _range(real_N: NDArray[np.float64]) -> tuple[float, float, float]:
    """Where the numbers that are there begin, their median, and how far they reach."""
    known_N = real_N[~np.isnan(real_N)]
    low, middle, high = np.quantile(known_N, [0, 0.5, 1]) if len(known_N) else (0.0, 0.0, 0.0)
    return low, middle, (high - low) or 1.0


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
