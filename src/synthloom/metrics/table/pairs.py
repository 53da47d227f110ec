"""Two columns at a time: dependence."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import partial
from itertools import combinations
from typing import cast

import numpy as np
from numpy.typing import NDArray

from synthloom.metrics.score import Context, Score
from synthloom.metrics.table.counts import Cells, Coding, counted, joint_counts
from synthloom.metrics.table.data import Table, plain
from synthloom.metrics.table.sides import known, mean, sides

__all__ = ["trend_error", "wnmi_error"]

_BINS = 10

_ROUNDING = 1e-12
"""What is left of a sum of squares when all that is there has been taken from it."""

_LISTED = 100
"""Tables of more columns than this have too many pairs to list each."""


def trend_error(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """How far the dependence of each pair of columns is from the real one, averaged over pairs, in %.

    Two numbers: half the difference of their Pearson correlations, over rows that hold both; a pair in which one is
    constant is passed over. Otherwise: the total variation between the tables of counts, in which a missing category
    is a category of its own, and a number is one of ten bins between its table's own minimum and maximum (the maximum
    itself and missing numbers share an eleventh); a number whose range is too narrow for that is passed over. This is
    100 (1 - "Column Pair Trends") of sdmetrics 0.24, except that all rows are used, where sdmetrics draws 50,000 at
    random from larger tables, and that float32 columns are binned in float64.

    The own-range bins are a weakness: one outlier moves all of them, and a synthetic table that misses the extremes of
    the real one is marked down for it (`wnmi_error` uses the same bins for both).

    References:
        SDMetrics, Column Pair Trends, https://docs.sdv.dev/sdmetrics
    """
    found = {side: _trends(real, table) for side, table in sides(real, synthetic, holdout, context).items()}
    values = {side: known(100 * mean(of_side.values())) for side, of_side in found.items()}
    if values["value"] is None:
        return Score.unavailable("trend_error", "lower", "no pair of columns varies")
    pairs = [
        {"columns": [plain(a), plain(b)]}
        | {side: known(100 * found[side][a, b]) for side in found if side != "baseline"}
        for a, b in combinations(real.columns, 2)
        if (a, b) in found["value"]
    ]
    return Score(
        "trend_error",
        values["value"],
        values.get("reference"),
        "lower",
        None,
        "mean distance between pairwise dependences, in %, as sdmetrics 0.24 defines it, over all rows; blind to what "
        "takes three columns to see, and to copying",
        values["baseline"],
        {"pairs": pairs} if len(real.columns) <= _LISTED else {},
    )


def wnmi_error(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """How far the normalised mutual information of each pair of columns is from the real one, where there is any.

    NMI(a, b) = 2 I(a; b) / (H(a) + H(b)), and 0 for constants. The error is sum w |NMI real - NMI synthetic| / sum w
    over pairs, with w = NMI real + NMI synthetic: pairs that depend on each other, in either table, decide. A number
    with more than eleven distinct real values is cut into ten equal bins of the REAL range in both tables, closed on
    the right; missing numbers and numbers beyond that range share an eleventh. A missing category is a category.

    References:
        "nmi_l1_weighted" in the software of TabPC (2026), https://arxiv.org/abs/2603.23016
    """
    if len(real.columns) < 2:
        return Score.unavailable("wnmi_error", "lower", "it needs two columns")
    real_P = _nmi(real, real)
    found = {side: _nmi(real, table) for side, table in sides(real, synthetic, holdout, context).items()}
    values = {side: _weighted(real_P, nmi_P) for side, nmi_P in found.items()}
    detail = {
        "columns": [plain(name) for name in real.columns],
        "real": np.round(real_P, 4).tolist(),
        "value": np.round(found["value"], 4).tolist(),
    }
    return Score(
        "wnmi_error",
        values["value"],
        values.get("reference"),
        "lower",
        None,
        "weighted difference in normalised mutual information between columns, 0 to 1; blind to what takes three "
        "columns to see, and to copying",
        values["baseline"],
        detail if len(real.columns) <= _LISTED else {},
    )


def _trends(real: Table, other: Table) -> dict[tuple[object, object], float]:
    correlations = np.abs(_correlations(real) - _correlations(other)) / 2
    pairs = zip(combinations(real.numbers, 2), correlations.tolist(), strict=True)
    return dict(pairs) | dict(_contingencies(real, other))


def _correlations(table: Table) -> NDArray[np.float64]:
    """Pearson's r of each pair of numbers; NaN where one is constant among the rows that hold both."""
    middle_C, span_C = np.array([_middle(value_N) for value_N in table.numbers.values()]).reshape(-1, 2).T

    def sums(part: Table) -> NDArray[np.float64]:
        value_NC = (np.column_stack(list(part.numbers.values())) - middle_C) / span_C
        there_NC = (~np.isnan(value_NC)).astype(np.float64)
        value_NC = np.nan_to_num(value_NC)
        once_CN, twice_CN = value_NC.T, np.square(value_NC).T
        return np.stack([there_NC.T @ there_NC, once_CN @ there_NC, twice_CN @ there_NC, once_CN @ value_NC])

    if len(middle_C) < 2:
        return np.zeros(0)
    both_CC, once_CC, twice_CC, product_CC = counted(table, sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread_CC = twice_CC - once_CC**2 / both_CC
        spread_CC[spread_CC <= _ROUNDING * twice_CC] = np.nan
        r_CC = (product_CC - once_CC * once_CC.T / both_CC) / np.sqrt(spread_CC * spread_CC.T)
    return np.asarray(r_CC[np.triu_indices(len(middle_C), k=1)].clip(-1, 1))


def _middle(value_N: NDArray[np.float64]) -> tuple[float, float]:
    """The mean of the numbers that are there, and how far the farthest lies from it: sums keep their precision so."""
    known_N = value_N[~np.isnan(value_N)]
    middle = float(known_N.mean()) if len(known_N) else 0.0
    return middle, float(np.abs(known_N - middle).max(initial=0.0)) or 1.0


def _contingencies(real: Table, other: Table) -> Iterator[tuple[tuple[object, object], float]]:
    """Total variation between the two tables of counts, for each pair that has a category in it."""
    codings: tuple[dict[Hashable, Coding], ...] = {}, {}
    for name in real.columns:
        own = [_own_bins(name, real), _own_bins(name, other)]
        if None not in own:
            for of_table, coding in zip(codings, own, strict=True):
                of_table[name] = cast(Coding, coding)
    pairs = [(a, b) for a, b in combinations(codings[0], 2) if not (real.is_number(a) and real.is_number(b))]
    for pair, (real_S, other_S) in joint_counts(list(zip((real, other), codings, strict=True)), pairs):
        yield pair, float(np.abs(real_S / real.rows - other_S / other.rows).sum() / 2)


def _own_bins(name: Hashable, table: Table) -> Coding | None:
    """Ten bins of a table's own range; None for a number whose range is too narrow."""
    if not table.is_number(name):
        return _classes(name, table)
    edges = _edges(name, table)
    return None if edges is None else Coding(len(edges) + 1, lambda value_N: np.digitize(value_N, edges))


def _classes(name: Hashable, table: Table) -> Coding:
    """A category as it is: missing, each of its labels, one that no row that is held has."""
    return Coding(len(table.facts[name].labels) + 2, lambda code_N: code_N)


def _edges(name: Hashable, table: Table) -> NDArray[np.float64] | None:
    """Of ten equal bins between minimum and maximum; None if they lie too close together to be told apart."""
    ends = [end for part in table.parts() for end in _ends(part.columns[name])]
    try:
        return np.histogram_bin_edges(ends, _BINS)
    except ValueError:
        return None


def _ends(value_N: NDArray[np.float64]) -> list[float]:
    known_N = value_N[~np.isnan(value_N)]
    return [float(known_N.min()), float(known_N.max())] if len(known_N) else []


def _weighted(first_P: NDArray[np.float64], second_P: NDArray[np.float64]) -> float:
    weight_P = first_P + second_P
    return float((weight_P * np.abs(first_P - second_P)).sum() / weight_P.sum()) if weight_P.any() else 0.0


def _nmi(real: Table, table: Table) -> NDArray[np.float64]:
    """Of every pair of columns of a table, in the classes of the real one: P pairs, (0, 1), (0, 2), ..., (1, 2), ..."""
    codings = {name: _in_real_bins(name, real, table) for name in real.columns}
    entropy = {name: _entropy(counted(table, partial(_counts, name, coding))) for name, coding in codings.items()}
    found = []
    for (a, b), (count_S,) in joint_counts([(table, codings)], list(combinations(codings, 2))):
        both = entropy[a] + entropy[b]
        found.append(2 * max(0.0, 1 - _entropy(count_S) / both) if both > 0 else 0.0)
    return np.array(found)


def _counts(name: Hashable, coding: Coding, part: Table) -> NDArray[np.int64]:
    return np.bincount(coding.code(part.columns[name]), minlength=coding.size)


def _in_real_bins(name: Hashable, real: Table, table: Table) -> Coding:
    if not real.is_number(name):
        return _classes(name, real)
    edges = _edges(name, real)
    held = [of.columns[name][~np.isnan(of.columns[name])] for of in (real, table)]
    if edges is None or len(np.unique(held[0])) <= _BINS + 1:
        cells = Cells(*held)
        return Coding(
            len(cells) + 1, lambda value_N: np.where(np.isnan(value_N), 0, 1 + cells.of(np.nan_to_num(value_N)))
        )

    def code(value_N: NDArray[np.float64]) -> NDArray[np.int64]:
        bin_N = np.searchsorted(edges, value_N, side="left")
        bin_N[value_N == edges[0]] = 1
        return np.where(bin_N == 0, len(edges), bin_N)

    return Coding(len(edges) + 1, code)


def _entropy(count_S: NDArray[np.int64]) -> float:
    share_S = count_S[count_S > 0] / count_S.sum()
    return float(-(share_S * np.log(share_S)).sum())
