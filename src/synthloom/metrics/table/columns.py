"""One column at a time: distributions, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthloom.metrics.score import Context, Score
from synthloom.metrics.table.counts import Cells, counted
from synthloom.metrics.table.data import Column, Table, plain
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
    return {name: 100 * _shape(name, real, other) for name in real.columns}


def _shape(name: Hashable, real: Table, other: Table) -> float:
    is_number = real.is_number(name)

    def present(table: Table) -> Column:
        column_N = table.columns[name]
        return np.round(column_N[~np.isnan(column_N)], 14) if is_number else column_N[column_N > 0]

    cells = Cells(present(real), present(other))
    real_S, other_S = (counted(table, lambda part: cells.count(present(part))) for table in (real, other))
    if not real_S.any() or not other_S.any():
        return math.nan
    return (_kolmogorov if is_number else _total_variation)(real_S, other_S)


def _kolmogorov(real_S: NDArray[np.int64], other_S: NDArray[np.int64]) -> float:
    return float(np.abs(real_S.cumsum() / real_S.sum() - other_S.cumsum() / other_S.sum()).max())


def _total_variation(real_S: NDArray[np.int64], other_S: NDArray[np.int64]) -> float:
    first_S = real_S + 1e-6 * ((real_S == 0) & (other_S > 0))
    return float(np.abs(first_S / first_S.sum() - other_S / other_S.sum()).sum() / 2)


def missing_error(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """How far the pattern of missing cells is off, averaged over pairs of columns, in %.

    For each pair: the total variation between the two tables of shares of rows in which both, one, the other or
    neither is missing. Pairs in which nothing is missing, in either table, are passed over. So both how often a column
    is missing and which columns are missing together are seen; a table of one column is judged by its share alone.
    """
    tables = sides(real, synthetic, holdout, context)
    values = {side: _gap_error(real, table) for side, table in tables.items()}
    shown = {"real": real} | {side: table for side, table in tables.items() if side != "baseline"}
    found = {
        side: dict(zip(real.columns, (_gaps(of).diagonal() / of.rows).tolist(), strict=True))
        for side, of in shown.items()
    }
    gaps = [entry for entry in by_column(found) if any(entry[side] for side in shown)]
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
    real_CC, other_CC = _gaps(real), _gaps(other)
    shift_CC = other_CC / other.rows - real_CC / real.rows  # of both missing; on the diagonal, of one
    shift_C = shift_CC.diagonal()
    only_CC, none_CC = shift_C[:, None] - shift_CC, shift_C[:, None] + shift_C - shift_CC
    error_CC = (np.abs(shift_CC) + np.abs(only_CC) + np.abs(only_CC.T) + np.abs(none_CC)) / 2
    if len(shift_C) == 1:
        return 100 * float(error_CC.item())
    ever_C = (real_CC + other_CC).diagonal() > 0
    pairs_CC = np.triu(ever_C[:, None] | ever_C, k=1)
    return 100 * float(error_CC[pairs_CC].mean()) if pairs_CC.any() else 0.0


def _gaps(table: Table) -> NDArray[np.float64]:
    """In how many rows two columns are missing together; on the diagonal, one."""

    def together(part: Table) -> NDArray[np.float64]:
        gap_NC = np.column_stack(list(part.missing.values())).astype(np.float64)
        return np.asarray(gap_NC.T @ gap_NC)

    return np.asarray(counted(table, together))
