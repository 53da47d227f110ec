"""Can anyone tell synthetic rows from real ones, and by what?

Legend: N rows, C columns.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthloom.metrics.score import Context, Interval, Score, area
from synthloom.metrics.table.data import Table, plain
from synthloom.metrics.table.sides import independent
from synthloom.metrics.table.trees import FEWEST_ROWS, MOST_ROWS, grow, in_parallel, rows_for_trees
from synthloom.rng import generator

__all__ = ["detection"]

_FOLDS = 5
_T = 2.776  # the 95% quantile of Student's t for the spread of five folds


def detection(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """Whether a gradient-boosted classifier can tell synthetic rows from real ones: 1 - (2 max(AUC, 1/2) - 1).

    1: it cannot; 0: it always can. The real rows are the holdout's where there is one, so that copies of training rows
    gain nothing, else the training rows themselves. Equally many rows a side, at most 20,000; the AUC is the mean of
    five folds, and the interval comes from their spread. The reference puts training rows in the synthetic's place. A
    missing cell is seen as such. The detail tells what gives it away: by how much the AUC falls once a column is
    permuted among the rows of a fold.

    References:
        Revisiting Classifier Two-Sample Tests (Lopez-Paz & Oquab, 2016), https://arxiv.org/abs/1610.06545
    """
    against, which = (real, "training") if holdout is None else (holdout, "held-out")
    n = min(len(real), len(synthetic), len(against), MOST_ROWS)
    if n < FEWEST_ROWS:
        return Score.unavailable("detection", "higher", f"below {FEWEST_ROWS} rows a side, however: {n}")

    def folds(table: Table) -> list[_Fold]:
        rng = generator(context.seed, "detection")
        return _folds(against.sample(n, rng), table.sample(n, rng), context.seed)

    of_synthetic = folds(synthetic)
    value, interval, auc = _indistinct(of_synthetic)
    reference = None if holdout is None else _indistinct(folds(real))[0]
    baseline = _indistinct(folds(independent(real, context)))[0]
    telling = _telling(of_synthetic[0], generator(context.seed, "telling"))
    return Score(
        "detection",
        value,
        reference,
        "higher",
        interval,
        f"1 = boosted trees cannot tell synthetic from {which} rows, 0 = they always can; {n:,} a side, {_FOLDS} "
        "folds; blind to copying",
        baseline,
        {"auc": auc, "columns": [{"column": plain(c), "drop": d} for c, d in zip(real.columns, telling, strict=True)]},
    )


class _Fold:
    """Trees grown on four fifths, and the rows that they have not seen."""

    def __init__(self, trees: Any, row_NC: NDArray[np.float64], real_N: NDArray[np.bool_]) -> None:
        self.trees, self.row_NC, self.real_N = trees, row_NC, real_N

    def area(self, row_NC: NDArray[np.float64]) -> float:
        guess_N = self.trees.decision_function(row_NC)
        return area(guess_N[~self.real_N], guess_N[self.real_N])[0]


def _folds(first: Table, second: Table, seed: int) -> list[_Fold]:
    """For two tables of equal length, each in random order."""
    second_N = np.repeat([False, True], len(first))
    fold_N = np.tile(np.arange(len(first)) % _FOLDS, 2)
    row_NC, is_category_C = rows_for_trees(first, second)

    def work(fold: int) -> _Fold:
        test_N = fold_N == fold
        trees = grow(row_NC[~test_N], is_category_C, second_N[~test_N], seed, classes=2)
        return _Fold(trees, row_NC[test_N], ~second_N[test_N])

    return in_parallel(work, range(_FOLDS), len(first))


def _indistinct(folds: list[_Fold]) -> tuple[float, Interval, float]:
    """The score, its interval, and the AUC behind it."""
    areas = [fold.area(fold.row_NC) for fold in folds]
    mean, half = float(np.mean(areas)), float(_T * np.std(areas, ddof=1) / math.sqrt(_FOLDS))

    def score(area: float) -> float:
        return min(max(2 - 2 * area, 0.0), 1.0)

    return score(mean), (score(mean + half), score(mean - half)), mean


def _telling(fold: _Fold, rng: np.random.Generator) -> list[float]:
    """By how much the AUC falls once each column, one after the other, is permuted."""
    whole = fold.area(fold.row_NC)
    drops = []
    for c in range(fold.row_NC.shape[1]):
        row_NC = fold.row_NC.copy()
        row_NC[:, c] = rng.permutation(row_NC[:, c])
        drops.append(round(whole - fold.area(row_NC), 4))
    return drops
