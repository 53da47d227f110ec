"""Boosted trees, which judge whole rows: they take numbers, categories and gaps as they are.

Legend: N rows, C columns, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from synthloom.devices import usable_cores
from synthloom.metrics.table.data import Column, Table
from synthloom.rng import mix

__all__ = ["FEWEST_ROWS", "MOST_ROWS", "grow", "in_parallel", "rows_for_trees"]

S = TypeVar("S")
T = TypeVar("T")

FEWEST_ROWS = 50
"""Fewer rows than this teach a classifier nothing, and silence would look like praise."""

MOST_ROWS = 20_000
"""As many rows a side as classifiers are given; more change a score by less than its interval."""

_MOST_TREES = 300
_ROUNDS = 100

_MOST_VALUES = 255
_WORTH_THREADS = 5_000


def rows_for_trees(*tables: Table) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """All rows [N, C] one table after the other, and which columns are categories [C]; missing is NaN.

    Trees take 255 categories; the rarest beyond that are one.
    """
    columns = []
    for name in tables[0].columns:
        column_N = np.concatenate([table.columns[name] for table in tables])
        if column_N.dtype == np.int64:
            count_K = np.bincount(column_N)
            count_K[0] = len(column_N) + 1  # missing comes first, and becomes NaN
            rank_K = np.empty(len(count_K))
            rank_K[np.argsort(-count_K, kind="stable")] = np.arange(len(count_K))
            rank_N = rank_K[column_N]
            column_N = np.where(rank_N == 0, np.nan, np.minimum(rank_N - 1, _MOST_VALUES - 1))
        columns.append(column_N)
    is_category_C = np.array([column_N.dtype == np.int64 for column_N in tables[0].columns.values()])
    return np.column_stack(columns), is_category_C


def grow(
    row_NC: NDArray[np.float64],
    is_category_C: NDArray[np.bool_],
    truth_N: Column,
    seed: int,
    *,
    classes: int | None,
    rounds: int = _ROUNDS,
) -> Any:
    """Boosted trees, on all rows given: a classifier of so many classes, or, for None, a regressor."""
    row_NC = np.where(np.isnan(row_NC).all(axis=0), 0.0, row_NC)  # a column without a value cannot be binned
    kind = HistGradientBoostingRegressor if classes is None else HistGradientBoostingClassifier
    a_round = classes if classes is not None and classes > 2 else 1
    trees = kind(
        max_iter=max(1, min(rounds, _MOST_TREES // a_round)),
        categorical_features=is_category_C,
        early_stopping=False,
        random_state=mix(seed, "trees") % 2**32,
    )
    return trees.fit(row_NC, truth_N)


def in_parallel(work: Callable[[S], T], tasks: Iterable[S], rows: int) -> list[T]:
    """Each forest on one thread, since threads within one wait for each other more than they work; several forests at
    once where they have rows enough for that to pay."""
    workers = usable_cores() if rows >= _WORTH_THREADS else 1
    with ThreadPoolExecutor(workers, initializer=threadpool_limits, initargs=(1, "openmp")) as threads:
        return list(threads.map(work, tasks))
