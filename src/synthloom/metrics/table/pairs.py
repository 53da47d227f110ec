"""Two columns at a time: dependence."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthloom.metrics.score import Context, Score
from synthloom.metrics.table.data import Column, Table, joint_codes, plain
from synthloom.metrics.table.sides import known, mean, sides

__all__ = ["trend_error", "wnmi_error"]

_BINS = 10

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
    frame = pd.DataFrame(table.numbers)
    correlation_CC: NDArray[np.float64] = (frame - frame.mean()).corr().to_numpy()  # centred, for precision
    return correlation_CC[np.triu_indices(len(frame.columns), k=1)]


def _contingencies(real: Table, other: Table) -> Iterator[tuple[tuple[object, object], float]]:
    """Total variation between the two tables of counts, for each pair that has a category in it."""
    n = len(real)
    codes = {}
    for name, real_N in real.columns.items():
        parts = [real_N, other.columns[name]]
        if name in real.numbers:
            edges = [edges for x_N in parts if (edges := _edges(x_N)) is not None]
            if len(edges) < len(parts):
                continue
            parts = [np.digitize(x_N, own) for x_N, own in zip(parts, edges, strict=True)]
        codes[name] = np.concatenate(parts)
    categories = set(real.categories)
    for a, b in combinations(codes, 2):
        if a in categories or b in categories:
            cell_N = joint_codes([codes[a], codes[b]])
            size = cell_N.max() + 1
            real_K, other_K = np.bincount(cell_N[:n], minlength=size), np.bincount(cell_N[n:], minlength=size)
            yield (a, b), float(np.abs(real_K / n - other_K / len(other)).sum() / 2)


def _edges(value_N: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Of ten equal bins between minimum and maximum; None if they lie too close together to be told apart."""
    try:
        return np.histogram_bin_edges(value_N[~np.isnan(value_N)], _BINS)
    except ValueError:
        return None


def _weighted(first_P: NDArray[np.float64], second_P: NDArray[np.float64]) -> float:
    weight_P = first_P + second_P
    return float((weight_P * np.abs(first_P - second_P)).sum() / weight_P.sum()) if weight_P.any() else 0.0


def _nmi(real: Table, table: Table) -> NDArray[np.float64]:
    """Of every pair of columns of a table, in the classes of the real one: P pairs, (0, 1), (0, 2), ..., (1, 2), ..."""
    code_CN = [_in_real_bins(real_N, table.columns[name]) for name, real_N in real.columns.items()]
    entropy_C = [_entropy(code_N) for code_N in code_CN]
    return np.array(
        [
            2 * max(0.0, 1 - _entropy(joint_codes([code_CN[a], code_CN[b]])) / (entropy_C[a] + entropy_C[b]))
            if entropy_C[a] + entropy_C[b] > 0
            else 0.0
            for a, b in combinations(range(len(code_CN)), 2)
        ]
    )


def _in_real_bins(real_N: Column, table_N: Column) -> NDArray[np.int64]:
    if table_N.dtype == np.int64:
        return np.asarray(table_N)
    edges = _edges(real_N)
    if edges is None or len(np.unique(real_N[~np.isnan(real_N)])) <= _BINS + 1:
        return np.asarray(1 + pd.factorize(table_N)[0])
    bin_N = np.searchsorted(edges, table_N, side="left")
    bin_N[table_N == edges[0]] = 1
    return np.where(bin_N == 0, len(edges), bin_N)


def _entropy(code_N: NDArray[np.int64]) -> float:
    count_K = np.bincount(code_N)
    share_K = count_K[count_K > 0] / len(code_N)
    return float(-(share_K * np.log(share_K)).sum())
