"""One column as a picture's numbers: shares of bars or bins in the real and in the synthetic table.

What may be shown is what at least `fewest` real rows hold: rarer values are one bar together, axes end where that many
real rows lie beyond, and a bin with fewer real rows is empty.

Legend: N rows, K values or bins.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthloom.metrics.table.data import Facts, Table

__all__ = ["marginal"]

_MOST_BARS = 12
_MOST_BINS = 24
_BIN_ROWS = 25
"""A bin for so many rows, until there are enough."""

_SPIKE = 0.3
"""A number that this share of the rows holds is told apart from the others, which it would dwarf."""

_TAIL = 0.005
"""Of the rows at either end may lie beyond the axis; they are counted in its last bin."""

_LONG_TAIL = 6.0
"""An axis of positive numbers is logarithmic if the 98 % quantile is so many times the median."""

_UNITS = {"days": 86_400e6, "hours": 3_600e6, "minutes": 60e6, "seconds": 1e6}


def marginal(name: Hashable, real: Table, synthetic: Table, fewest: int) -> dict[str, Any]:
    """The column's type, the shares that are missing, and its bars or bins."""
    facts = real.facts[name]
    pair = {"real": real, "synthetic": synthetic}
    gaps = {side: round(float(table.missing[name].mean()), 4) for side, table in pair.items()}
    kept = [table.columns[name][~table.missing[name]] for table in pair.values()]
    if facts.type == "category":
        shown = _bars(kept[0], kept[1], facts, fewest)
    else:
        shown = _numbers(kept[0], kept[1], facts.type, fewest)
    return {"type": facts.type, "missing": gaps} | shown


def _bars(real_N: NDArray[np.int64], other_N: NDArray[np.int64], facts: Facts, fewest: int) -> dict[str, Any]:
    size = len(facts.labels) + 1
    count_K, other_K = (np.bincount(code_N, minlength=size) for code_N in (real_N, other_N))
    common_K = np.flatnonzero(count_K >= fewest)
    ranked_K = common_K[np.argsort(-count_K[common_K], kind="stable")]
    shown_K, rest_K = ranked_K[:_MOST_BARS], ranked_K[_MOST_BARS:]
    labels = [str(facts.labels[code - 1]) for code in shown_K]
    counts = [count_K[shown_K], other_K[shown_K]]
    if len(rest_K):
        labels.append(f"({len(rest_K)} others)")
        counts = [np.append(c_K, of[rest_K].sum()) for c_K, of in zip(counts, (count_K, other_K), strict=True)]
    folded = [of.sum() - c_K.sum() for c_K, of in zip(counts, (count_K, other_K), strict=True)]
    if any(folded):
        labels.append("(rare or new)" if fewest > 1 else "(new)")
        counts = [np.append(c_K, fold) for c_K, fold in zip(counts, folded, strict=True)]
    return {"figure": "bars", "labels": labels, "distinct": len(ranked_K)} | _shares(counts)


def _numbers(real_N: NDArray[np.float64], other_N: NDArray[np.float64], type_: str, fewest: int) -> dict[str, Any]:
    value_K, count_K = np.unique(real_N, return_counts=True)
    if not (count_K >= fewest).any() and len(real_N) < 2 * fewest:
        return {"figure": "none"}
    if len(value_K) <= _MOST_BARS:
        return _values(real_N, other_N, value_K[count_K >= fewest], type_)
    spike = None
    if count_K.max() > max(_SPIKE * len(real_N), fewest):
        value = value_K[count_K.argmax()]
        spike = {
            "label": label(float(value), type_),
            "real": round(float((real_N == value).mean()), 4),
            "synthetic": round(float((other_N == value).mean()), 4) if len(other_N) else None,
        }
        kept = real_N[real_N != value]
        if len(kept) >= 2 * fewest and len(np.unique(kept)) > 1:
            real_N, other_N = kept, other_N[other_N != value]
    return _bins(real_N, other_N, type_, fewest) | ({"spike": spike} if spike else {})


def _values(
    real_N: NDArray[np.float64], other_N: NDArray[np.float64], value_K: NDArray[np.float64], type_: str
) -> dict[str, Any]:
    """A bar for each of few numbers, in their order."""
    counts = [np.array([(of_N == value).sum() for value in value_K]) for of_N in (real_N, other_N)]
    labels = [label(float(value), type_) for value in value_K]
    folded = [len(of_N) - int(c_K.sum()) for of_N, c_K in zip((real_N, other_N), counts, strict=True)]
    if any(folded):
        labels.append("(rare or new)")
        counts = [np.append(c_K, fold) for c_K, fold in zip(counts, folded, strict=True)]
    return {"figure": "bars", "labels": labels, "distinct": len(value_K)} | _shares(counts)


def _bins(real_N: NDArray[np.float64], other_N: NDArray[np.float64], type_: str, fewest: int) -> dict[str, Any]:
    """Bins of equal width between what `fewest` real rows reach at either end, or of equal ratio where the tail is
    long; the outermost hold all that lies beyond."""
    sorted_N = np.sort(real_N)
    reach = min(max(fewest - 1, int(_TAIL * len(sorted_N))), (len(sorted_N) - 1) // 2)
    low, high = float(sorted_N[reach]), float(sorted_N[-1 - reach])
    middle, far = np.quantile(sorted_N, [0.5, 0.98])
    log = type_ == "number" and low > 0 and far > _LONG_TAIL * middle
    bins = int(np.clip(len(real_N) // _BIN_ROWS, 6, _MOST_BINS))
    whole = type_ == "number" and bool((sorted_N == np.rint(sorted_N)).all())
    if whole and log:
        edge_K = np.unique(np.rint(np.geomspace(low, high + 1, bins + 1))) - 0.5
    elif whole:  # as many numbers to each bin
        step = max(1, math.ceil((high - low + 1) / bins))
        edge_K = np.arange(low, high + step + 1, step) - 0.5
    elif high <= low:
        edge_K = np.array([low - 0.5, low + 0.5])
    else:
        edge_K = np.geomspace(low, high, bins + 1) if log else np.linspace(low, high, bins + 1)
    counts = [np.histogram(np.clip(of_N, edge_K[0], edge_K[-1]), edge_K)[0].astype(float) for of_N in (real_N, other_N)]
    counts[0][counts[0] < fewest] = 0
    shown: dict[str, Any] = {
        "figure": "bins",
        "log": log,
        "whole": whole,
        "edges": [_round(edge, high - low) for edge in edge_K.tolist()],
    }
    if type_ == "duration":
        unit = next((unit for unit, size in _UNITS.items() if high - low > 2 * size), "seconds")
        shown |= {
            "unit": unit,
            "edges": [_round(float(edge) / _UNITS[unit], (high - low) / _UNITS[unit]) for edge in edge_K],
        }
    return shown | _shares(counts, (len(real_N), len(other_N)))


def _shares(counts: Sequence[NDArray[Any]], rows: Sequence[int] | None = None) -> dict[str, list[float]]:
    """Of so many rows; without a word of them, of all that are counted."""
    totals = rows or [count_K.sum() for count_K in counts]
    return {
        side: np.round(count_K / max(total, 1), 4).tolist()
        for side, count_K, total in zip(("real", "synthetic"), counts, totals, strict=True)
    }


def _round(value: float, span: float) -> float:
    """With four digits of the span."""
    return round(value, max(0, 3 - math.floor(math.log10(span)))) if span > 0 else float(f"{value:.4g}")


def label(value: float, type_: str) -> str:
    """A number as people write it; a moment as a date.

    >>> label(1234567.0, "number"), label(0.5, "number"), label(86_400e6, "datetime"), label(7_200e6, "duration")
    ('1,234,567', '0.5', '1970-01-02', '2:00:00')
    """
    if type_ == "datetime":
        minute = str(np.datetime64(int(value), "us").astype("datetime64[m]"))
        return minute.removesuffix("T00:00").replace("T", " ")
    if type_ == "duration":
        return str(dt.timedelta(microseconds=value))
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e9 else f"{value:.4g}"
