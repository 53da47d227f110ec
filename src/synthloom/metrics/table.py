"""How well a synthetic table stands in for the real one: columns, pairs of columns, whole rows, and the use of it.

Legend: N rows, C columns, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score

from synthloom.metrics.columns import Column, Table, joint_codes
from synthloom.metrics.score import Context, Score
from synthloom.rng import generator, mix

__all__ = ["detection", "shape_error", "trend_error", "utility", "utility_real", "wnmi_error"]

_BINS = 10

_FOLDS = 5
_T = 2.776  # the 95% quantile of Student's t for the spread of five folds

_FEWEST_ROWS = 50
"""Fewer rows than this teach a classifier nothing, and silence would look like praise."""

_MOST_ROWS = 20_000
"""As many rows a side as classifiers are given; more change a score by less than its interval."""

_MOST_CLASSES = 20
_RESAMPLES = 50


# -- one column at a time, two columns at a time ----------------------------------------------------------------------


def shape_error(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """How far each column's distribution is from the real one, averaged over columns, in %.

    Numbers by the Kolmogorov-Smirnov distance, categories by total variation, both without the missing cells; a column
    that is all missing in either table is passed over. This is 100 (1 - "Column Shapes") of sdmetrics 0.24, with its
    habits: numbers rounded to 14 decimals, and a count of 1e-6 where the real table lacks a synthetic category.

    References:
        SDMetrics, Column Shapes, https://docs.sdv.dev/sdmetrics
    """
    about = f"mean distance between distributions over {len(real.columns)} columns, in %, as sdmetrics 0.24 defines it"
    return _error(
        "shape_error", about, "no column has values in both tables", _shape, real, synthetic, holdout, context
    )


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
    about = "mean distance between pairwise dependences, in %, as sdmetrics 0.24 defines it, over all rows"
    return _error("trend_error", about, "no pair of columns varies", _trend, real, synthetic, holdout, context)


def wnmi_error(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """How far the normalised mutual information of each pair of columns is from the real one, where there is any.

    NMI(a, b) = 2 I(a; b) / (H(a) + H(b)), and 0 for constants. The error is sum w |NMI real - NMI synthetic| / sum w
    over pairs, with w = NMI real + NMI synthetic: pairs that depend on each other, in either table, decide. A number
    with more than eleven distinct real values is cut into ten equal bins of the REAL range in both tables, closed on
    the right; missing numbers and numbers beyond that range share an eleventh. A missing category is a category.

    References:
        "nmi_l1_weighted" in the software of TabPC (2026), https://arxiv.org/abs/2603.23016
    """
    about = "weighted difference in normalised mutual information between columns; 0 to 1"
    return _error("wnmi_error", about, "it needs two columns", _wnmi, real, synthetic, holdout, context)


def _error(
    name: str,
    about: str,
    needs: str,
    measure: Callable[[Table, Table], float],
    real: Table,
    synthetic: Table,
    holdout: Table | None,
    context: Context,
) -> Score:
    def of(table: Table | None) -> float | None:
        error = math.nan if table is None else measure(real, table)
        return None if math.isnan(error) else error

    value = of(synthetic)
    if value is None:
        return Score(name, None, None, "lower", None, f"not available: {needs}")
    independent = real.shuffled(generator(context.seed, "independent"))
    return Score(name, value, of(holdout), "lower", None, about, baseline=of(independent))


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _shape(real: Table, other: Table) -> float:
    numbers = (_kolmogorov(real_N, other.numbers[name]) for name, real_N in real.numbers.items())
    categories = (_total_variation(real_N, other.categories[name]) for name, real_N in real.categories.items())
    return 100 * _mean([*numbers, *categories])


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


def _trend(real: Table, other: Table) -> float:
    correlations = np.abs(_correlations(real) - _correlations(other)) / 2
    return 100 * _mean([*correlations.tolist(), *_contingencies(real, other)])


def _correlations(table: Table) -> NDArray[np.float64]:
    """Pearson's r of each pair of numbers; NaN where one is constant among the rows that hold both."""
    frame = pd.DataFrame(table.numbers)
    correlation_CC: NDArray[np.float64] = (frame - frame.mean()).corr().to_numpy()  # centred, for precision
    return correlation_CC[np.triu_indices(len(frame.columns), k=1)]


def _contingencies(real: Table, other: Table) -> Iterator[float]:
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
    for a, b in combinations(codes, 2):
        if a in real.categories or b in real.categories:
            cell_N = joint_codes([codes[a], codes[b]])
            size = cell_N.max() + 1
            real_K, other_K = np.bincount(cell_N[:n], minlength=size), np.bincount(cell_N[n:], minlength=size)
            yield float(np.abs(real_K / n - other_K / len(other)).sum() / 2)


def _edges(value_N: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Of ten equal bins between minimum and maximum; None if they lie too close together to be told apart."""
    try:
        return np.histogram_bin_edges(value_N[~np.isnan(value_N)], _BINS)
    except ValueError:
        return None


def _wnmi(real: Table, other: Table) -> float:
    classes = {name: _real_bins(real_N, other.columns[name]) for name, real_N in real.columns.items()}
    first, second = (_mutual_information([pair[side] for pair in classes.values()]) for side in (0, 1))
    if not len(first):
        return math.nan
    weight = first + second
    return float((weight * np.abs(first - second)).sum() / weight.sum()) if weight.any() else 0.0


def _real_bins(real_N: Column, other_N: Column) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if real_N.dtype == np.int64:
        return real_N, other_N
    edges = _edges(real_N)
    if edges is None or len(np.unique(real_N[~np.isnan(real_N)])) <= _BINS + 1:
        code_N = 1 + pd.factorize(np.concatenate([real_N, other_N]))[0]
        return code_N[: len(real_N)], code_N[len(real_N) :]
    bins = []
    for x_N in (real_N, other_N):
        bin_N = np.searchsorted(edges, x_N, side="left")
        bin_N[x_N == edges[0]] = 1
        bins.append(np.where(bin_N == 0, len(edges), bin_N))
    return bins[0], bins[1]


def _mutual_information(codes: list[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Normalised, for each pair."""
    entropies = [_entropy(code_N) for code_N in codes]
    information = [
        2 * max(0.0, 1 - _entropy(joint_codes([codes[a], codes[b]])) / (entropies[a] + entropies[b]))
        if entropies[a] + entropies[b] > 0
        else 0.0
        for a, b in combinations(range(len(codes)), 2)
    ]
    return np.array(information)


def _entropy(code_N: NDArray[np.int64]) -> float:
    count_K = np.bincount(code_N)
    share_K = count_K[count_K > 0] / len(code_N)
    return float(-(share_K * np.log(share_K)).sum())


# -- whole rows -------------------------------------------------------------------------------------------------------


def detection(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """Whether a gradient-boosted classifier can tell synthetic rows from real ones: 1 - (2 max(AUC, 1/2) - 1).

    1: it cannot; 0: it always can. The real rows are the holdout's where there is one, so that copies of training rows
    gain nothing, else the training rows themselves. Equally many rows a side, at most 20,000; the AUC is the mean of
    five folds, and the interval comes from their spread. The reference puts training rows in the synthetic's place. A
    missing cell is seen as such.

    References:
        Revisiting Classifier Two-Sample Tests (Lopez-Paz & Oquab, 2016), https://arxiv.org/abs/1610.06545
    """
    against, which = (real, "training") if holdout is None else (holdout, "held-out")
    n = min(len(real), len(synthetic), len(against), _MOST_ROWS)
    if n < _FEWEST_ROWS:
        about = f"not available below {_FEWEST_ROWS} rows a side, however: {n}"
        return Score("detection", None, None, "higher", None, about)

    def of(table: Table) -> tuple[float, tuple[float, float]]:
        rng = generator(context.seed, "detection")
        return _indistinct(against.sample(n, rng), table.sample(n, rng), context.seed)

    value, interval = of(synthetic)
    reference = None if holdout is None else of(real)[0]
    baseline = of(real.shuffled(generator(context.seed, "independent")))[0]
    about = f"1 = boosted trees cannot tell synthetic from {which} rows; {n:,} a side, {_FOLDS} folds"
    return Score("detection", value, reference, "higher", interval, about, baseline)


def _indistinct(first: Table, second: Table, seed: int) -> tuple[float, tuple[float, float]]:
    """The score and its interval for two tables of equal length, each in random order."""
    side_N = np.repeat([0, 1], len(first))
    fold_N = np.tile(np.arange(len(first)) % _FOLDS, 2)
    row_NC, is_category_C = _rows_for_trees(first, second)
    areas = []
    for fold in range(_FOLDS):
        test_N = fold_N == fold
        trees = _grow(HistGradientBoostingClassifier, row_NC[~test_N], is_category_C, side_N[~test_N], seed)
        areas.append(roc_auc_score(side_N[test_N], trees.decision_function(row_NC[test_N])))
    area, half = float(np.mean(areas)), float(_T * np.std(areas, ddof=1) / math.sqrt(_FOLDS))

    def score(area: float) -> float:
        return min(max(2 - 2 * area, 0.0), 1.0)

    return score(area), (score(area + half), score(area - half))


def _rows_for_trees(*tables: Table) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """All rows [N, C] one table after the other, and which columns are categories [C]; missing is NaN.

    Trees take 255 categories; the rarest beyond that are one.
    """
    columns = []
    for name in tables[0].columns:
        column_N = np.concatenate([table.columns[name] for table in tables])
        if name in tables[0].categories:
            count_K = np.bincount(column_N)
            count_K[0] = len(column_N) + 1  # missing comes first, and becomes NaN
            rank_K = np.empty(len(count_K))
            rank_K[np.argsort(-count_K, kind="stable")] = np.arange(len(count_K))
            rank_N = rank_K[column_N]
            column_N = np.where(rank_N == 0, np.nan, np.minimum(rank_N - 1, 254))
        columns.append(column_N)
    return np.column_stack(columns), np.array([name in tables[0].categories for name in tables[0].columns])


def _grow(
    kind: type[Any], row_NC: NDArray[np.float64], is_category_C: NDArray[np.bool_], truth_N: Column, seed: int
) -> Any:
    """Boosted trees of one kind, on all rows given."""
    row_NC = np.where(np.isnan(row_NC).all(axis=0), 0.0, row_NC)  # a column without a value cannot be binned
    trees = kind(categorical_features=is_category_C, early_stopping=False, random_state=mix(seed, "trees") % 2**32)
    return trees.fit(row_NC, truth_N)


# -- the use of it ----------------------------------------------------------------------------------------------------


def utility(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """How well boosted trees trained on synthetic rows predict the target in the holdout; the reference: on real rows.

    Categories, and numbers with two values: the AUC, averaged over classes, one against the rest. Other numbers: R2.
    Both trainings see equally many rows, at most 20,000. Without a target, it is the last column that has 2 to 20
    categories or two numbers, or else the last number. The interval is for the holdout's being a sample.

    References:
        Real-valued (Medical) Time Series Generation with Recurrent Conditional GANs (Esteban et al., 2017),
        https://arxiv.org/abs/1706.02633, for "train on synthetic, test on real"
    """
    return _utility("utility", real, synthetic, holdout, context)


def utility_real(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """The yardstick of `utility`: the same trees trained on as many real rows."""
    return _utility("utility_real", real, synthetic, holdout, context)


def _utility(name: str, real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    def unavailable(why: str) -> Score:
        return Score(name, None, None, "higher", None, f"not available: {why}")

    if holdout is None:
        return unavailable("it needs a holdout")
    target, why = (context.target, "as asked") if context.target is not None else _find_target(real)
    if target is None or len(real.columns) < 2:
        return unavailable("it needs a column to predict and another to predict it from; name it with target=")
    class_K = _classes(real.columns[target])
    if class_K is not None and not 2 <= len(class_K) <= _MOST_CLASSES:
        return unavailable(f"target {target!r} must have 2 to {_MOST_CLASSES} classes, however: {len(class_K)}")

    real, synthetic, holdout = (_labelled(table, target, class_K) for table in (real, synthetic, holdout))
    n = min(len(real), len(synthetic), _MOST_ROWS)
    if min(n, len(holdout)) < _FEWEST_ROWS:
        found = f"{len(real)} real, {len(synthetic)} synthetic, {len(holdout)} held-out"
        return unavailable(f"below {_FEWEST_ROWS} rows with a known {target!r}: {found}")
    if len(np.unique(holdout.columns[target])) < 2:
        return unavailable(f"the holdout has one value of {target!r} only")

    on_real, real_interval = _train_and_test(real, holdout, target, class_K, n, context.seed)
    what = f"{'R2' if class_K is None else 'AUC'} for {target!r} ({why}) in the holdout"
    if name == "utility_real":
        about = f"{what}, trained on {n:,} real rows: what utility is held against"
        return Score(name, on_real, on_real, "higher", real_interval, about)
    value, interval = _train_and_test(synthetic, holdout, target, class_K, n, context.seed)
    return Score(name, value, on_real, "higher", interval, f"{what}, trained on {n:,} synthetic rows")


def _find_target(real: Table) -> tuple[Hashable, str]:
    few = [
        name
        for name, column_N in real.columns.items()
        if (class_K := _classes(column_N)) is not None and 2 <= len(class_K) <= _MOST_CLASSES
    ]
    if few:
        return few[-1], f"the last column with 2 to {_MOST_CLASSES} classes"
    varied = [name for name, value_N in real.numbers.items() if len(np.unique(value_N[~np.isnan(value_N)])) > 2]
    return (varied[-1], "the last number") if varied else (None, "")


def _classes(column_N: Column) -> Column | None:
    """The values to choose from, if predicting the column is a choice."""
    if column_N.dtype == np.int64:
        return np.unique(column_N[column_N > 0])
    value_K = np.unique(column_N[~np.isnan(column_N)])
    return value_K if len(value_K) == 2 else None


def _labelled(table: Table, target: Hashable, class_K: Column | None) -> Table:
    """The rows that can be trained or tested on: those with a value of the target that the real table knows."""
    column_N = table.columns[target]
    return table.take(~np.isnan(column_N) if class_K is None else np.isin(column_N, class_K))


def _train_and_test(
    train: Table, test: Table, target: Hashable, class_K: Column | None, n: int, seed: int
) -> tuple[float, tuple[float, float]]:
    rng = generator(seed, "utility")
    train = train.sample(n, rng)
    row_NC, is_category_C = _rows_for_trees(train.without(target), test.without(target))
    known_N, truth_N = train.columns[target], test.columns[target]
    if class_K is None:
        trees = _grow(HistGradientBoostingRegressor, row_NC[:n], is_category_C, known_N, seed)
        guess_NK = trees.predict(row_NC[n:])[:, None]
    else:
        guess_NK = np.zeros((len(test), len(class_K)))
        seen_K = np.unique(known_N)
        if len(seen_K) > 1:  # who has seen one class only can only guess
            trees = _grow(HistGradientBoostingClassifier, row_NC[:n], is_category_C, known_N, seed)
            guess_NK[:, np.searchsorted(class_K, seen_K)] = trees.predict_proba(row_NC[n:])
        truth_N = np.searchsorted(class_K, truth_N)
    measure = _r2 if class_K is None else _mean_area
    value = measure(truth_N, guess_NK)
    again = [rng.integers(len(test), size=len(test)) for _ in range(_RESAMPLES)]
    half = 1.96 * float(np.nanstd([measure(truth_N[index_N], guess_NK[index_N]) for index_N in again]))
    return value, (value - half, value + half if class_K is None else min(value + half, 1.0))


def _r2(truth_N: Column, guess_N1: NDArray[np.float64]) -> float:
    return float(r2_score(truth_N, guess_N1[:, 0]))


def _mean_area(truth_N: Column, guess_NK: NDArray[np.float64]) -> float:
    """AUC of each class against the rest, averaged over the classes that occur."""
    occurring = [k for k in range(guess_NK.shape[1]) if 0 < (truth_N == k).sum() < len(truth_N)]
    return _mean(float(roc_auc_score(truth_N == k, guess_NK[:, k])) for k in occurring)
