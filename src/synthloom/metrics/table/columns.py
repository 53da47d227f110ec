"""One column at a time: distributions, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthloom.metrics.score import Context, Score
from synthloom.metrics.table.data import Table, plain
from synthloom.metrics.table.sides import known, mean, sides

__all__ = ["missing_error", "shape_error"]


def shape_error(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """How far each column's distribution is from the real one, averaged over columns, in %.

    Numbers by the Kolmogorov-Smirnov distance, categories by total variation, both without the missing cells; a column
    that is all missing in either table is passed over. This is 100 (1 - "Column Shapes") of sdmetrics 0.24, with its
    habits: numbers rounded to 14 decimals, and a count of 1e-6 where the real table lacks a synthetic category.

    References:
        SDMetrics, Column Shapes, https://docs.sdv.dev/sdmetrics
    """
    found = {side: _shapes(real, table) for side, table in sides(real, synthetic, holdout, context).items()}
    values = {side: known(mean(of_side.values())) for side, of_side in found.items()}
    if values["value"] is None:
        return Score.unavailable("shape_error", "lower", "no column has values in both tables")
    about = (
        f"mean distance between distributions over {len(real.columns)} columns, in %, as sdmetrics 0.24 defines it; "
        "blind to everything between columns, to missing cells, and to copying"
    )
    return Score(
        "shape_error",
        values["value"],
        values.get("reference"),
        "lower",
        None,
        about,
        values["baseline"],
        {"columns": by_column(found)},
    )


def by_column(found: Mapping[str, Mapping[Hashable, float]]) -> list[dict[str, Any]]:
    """One entry per column: what each side has there. Only what is shuffled on its own is left out: it is no yardstick
    for a single column."""
    shown = [side for side in found if side != "baseline"]
    return [{"column": plain(name)} | {side: known(found[side][name]) for side in shown} for name in found["value"]]


def _shapes(real: Table, other: Table) -> dict[Hashable, float]:
    return {
        name: 100 * (_kolmogorov if name in real.numbers else _total_variation)(real_N, other.columns[name])
        for name, real_N in real.columns.items()
    }


def _kolmogorov(real_N: NDArray[np.float64], other_N: NDArray[np.float64]) -> float:
    first_N, second_N = (np.sort(np.round(x_N[~np.isnan(x_N)], 14)) for x_N in (real_N, other_N))
    if not len(first_N) or not len(second_N):
        return math.nan
    both_N = np.concatenate([first_N, second_N])
    rank_N = first_N.searchsorted(both_N, side="right") / len(first_N)
    return float(np.abs(rank_N - second_N.searchsorted(both_N, side="right") / len(second_N)).max())


def _total_variation(real_N: NDArray[np.int64], other_N: NDArray[np.int64]) -> float:
    size = 1 + max(real_N.max(), other_N.max())
    first_K, second_K = (np.bincount(code_N, minlength=size)[1:].astype(float) for code_N in (real_N, other_N))
    if not first_K.sum() or not second_K.sum():
        return math.nan
    first_K += 1e-6 * ((first_K == 0) & (second_K > 0))
    return float(np.abs(first_K / first_K.sum() - second_K / second_K.sum()).sum() / 2)


def missing_error(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """How far the pattern of missing cells is off, averaged over pairs of columns, in %.

    For each pair: the total variation between the two tables of shares of rows in which both, one, the other or
    neither is missing. Pairs in which nothing is missing, in either table, are passed over. So both how often a column
    is missing and which columns are missing together are seen; a table of one column is judged by its share alone.
    """
    tables = sides(real, synthetic, holdout, context)
    values = {side: _gap_error(real, table) for side, table in tables.items()}
    shares = {"real": real} | {side: table for side, table in tables.items() if side != "baseline"}
    found = {side: {name: float(gap_N.mean()) for name, gap_N in of.missing.items()} for side, of in shares.items()}
    gaps = [entry for entry in by_column(found) if any(entry[side] for side in shares)]
    return Score(
        "missing_error",
        values["value"],
        values.get("reference"),
        "lower",
        None,
        "mean distance between the patterns of missing cells in pairs of columns, in %; blind to what stands in the "
        "other cells" + ("" if gaps else "; here no cell is missing"),
        values["baseline"],
        {"columns": gaps},
    )


def _gap_error(real: Table, other: Table) -> float:
    gap_NC, gap_MC = (np.column_stack(list(table.missing.values())).astype(np.float32) for table in (real, other))
    shift_CC = gap_MC.T @ gap_MC / len(gap_MC) - gap_NC.T @ gap_NC / len(
        gap_NC
    )  # of both missing; on the diagonal, of one
    shift_C = shift_CC.diagonal()
    only_CC, none_CC = shift_C[:, None] - shift_CC, shift_C[:, None] + shift_C - shift_CC
    error_CC = (np.abs(shift_CC) + np.abs(only_CC) + np.abs(only_CC.T) + np.abs(none_CC)) / 2
    if len(shift_C) == 1:
        return 100 * float(error_CC.item())
    ever_C = np.any(gap_NC, axis=0) | np.any(gap_MC, axis=0)
    pairs_CC = np.triu(ever_C[:, None] | ever_C, k=1)
    return 100 * float(error_CC[pairs_CC].mean()) if pairs_CC.any() else 0.0
