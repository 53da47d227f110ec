"""What synthetic rows are good for: a model trained on them, tested on real ones.

Legend: N rows, K classes.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score

from synthloom.metrics.score import Context, Interval, Score, area
from synthloom.metrics.table.data import Column, Table, plain
from synthloom.metrics.table.sides import independent, mean
from synthloom.metrics.table.trees import FEWEST_ROWS, MOST_ROWS, grow, in_parallel, rows_for_trees
from synthloom.rng import generator

__all__ = ["find_targets", "utility", "utility_real"]

_MOST_CLASSES = 20
_RESAMPLES = 50

_CANDIDATES = 3
_FEW_CLASSES = 10
_TRIED = 40
"""At most so many columns, the last ones, are tried as targets."""
_TRY_ROWS, _TRY_ROUNDS = 1_000, 20
_LEARNABLE, _TRIVIAL = 0.1, 0.95
"""A target is one that can be predicted, and is no other column in disguise."""


def utility(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """How well boosted trees trained on synthetic rows predict the target in the holdout; the reference: on real rows.

    Categories, and numbers with two values: the AUC, averaged over classes, one against the rest. Other numbers: R2.
    Both trainings see equally many rows, at most 20,000. Without a target, up to three are found that can be learnt
    from real rows (`find_targets`): the score is of the first, the detail holds all. The interval is for the holdout's
    being a sample.

    References:
        Real-valued (Medical) Time Series Generation with Recurrent Conditional GANs (Esteban et al., 2017),
        https://arxiv.org/abs/1706.02633, for "train on synthetic, test on real"
    """
    found = context.once("utility", lambda: _judge(real, synthetic, holdout, context))
    if isinstance(found, str):
        return Score.unavailable("utility", "higher", found)
    first = found[0]
    about = (
        f"{first.what}, trained on {first.rows:,} synthetic rows; blind to all that does not help to predict it, and "
        "to copying"
    )
    detail = {"targets": [task.to_json() for task in found]}
    return Score("utility", first.value, first.reference, "higher", first.interval, about, first.baseline, detail)


def utility_real(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """The yardstick of `utility`: the same trees trained on as many real rows."""
    found = context.once("utility", lambda: _judge(real, synthetic, holdout, context))
    if isinstance(found, str):
        return Score.unavailable("utility_real", "higher", found)
    first = found[0]
    about = f"{first.what}, trained on {first.rows:,} real rows: what utility is held against"
    value, interval = first.reference, first.reference_interval
    return Score("utility_real", value, value, "higher", interval, about, first.baseline)


@dataclass(frozen=True)
class _Task:
    """One target, predicted in the holdout after training on synthetic, real and independent columns."""

    target: Hashable
    why: str
    measure: str
    rows: int
    value: float
    interval: Interval
    reference: float
    reference_interval: Interval
    baseline: float

    @property
    def what(self) -> str:
        return f"{self.measure} for {self.target!r} ({self.why}) in the holdout"

    def to_json(self) -> dict[str, Any]:
        return {
            "target": plain(self.target),
            "measure": self.measure,
            "value": self.value,
            "interval": list(self.interval),
            "reference": self.reference,
            "baseline": self.baseline,
        }


def _judge(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> list[_Task] | str:
    """One task for each target, or why there is none."""
    if holdout is None:
        return "it needs a holdout"
    targets = (
        [(context.target, "as asked")] if context.target is not None else find_targets(real, holdout, context.seed)
    )
    if not targets or len(real.columns) < 2:
        return "it needs a column to predict and another to predict it from; name it with target="
    tasks = [_task(name, why, real, synthetic, holdout, context) for name, why in targets]
    done = [task for task in tasks if isinstance(task, _Task)]
    return done or str(tasks[0])


def _task(target: Hashable, why: str, real: Table, synthetic: Table, holdout: Table, context: Context) -> _Task | str:
    class_K = _classes(real.columns[target])
    if class_K is not None and not 2 <= len(class_K) <= _MOST_CLASSES:
        return f"target {target!r} must have 2 to {_MOST_CLASSES} classes, however: {len(class_K)}"
    tables = (real, synthetic, holdout, independent(real, context))
    real, synthetic, holdout, shuffled = (_labelled(table, target, class_K) for table in tables)
    n = min(len(real), len(synthetic), MOST_ROWS)
    if min(n, len(holdout)) < FEWEST_ROWS:
        found = f"{len(real)} real, {len(synthetic)} synthetic, {len(holdout)} held-out"
        return f"below {FEWEST_ROWS} rows with a known {target!r}: {found}"
    if len(np.unique(holdout.columns[target])) < 2:
        return f"the holdout has one value of {target!r} only"

    def work(train: Table) -> tuple[float, Interval]:
        return _train_and_test(train, holdout, target, class_K, n, context.seed)

    (value, interval), (reference, reference_interval), (baseline, _) = in_parallel(
        work, [synthetic, real, shuffled], n
    )
    measure = "R2" if class_K is None else "AUC"
    return _Task(target, why, measure, n, value, interval, reference, reference_interval, baseline)


def find_targets(real: Table, holdout: Table, seed: int) -> list[tuple[Hashable, str]]:
    """Up to three columns worth predicting, and why: those that a few trees grown on real rows predict, but not fully.

    First the last column of 2 to 10 classes, where people put what they want to predict, or else the last number; then
    what is predicted best.
    """
    few, numbers = [], []
    for name in list(real.columns)[-_TRIED:]:
        class_K = _classes(real.columns[name])
        if class_K is not None and 2 <= len(class_K) <= _FEW_CLASSES:
            few.append(name)
        elif class_K is None and len(np.unique(real.columns[name][~np.isnan(real.columns[name])])) > 2:
            numbers.append(name)
    names = [*few, *numbers]
    skill = dict(zip(names, in_parallel(lambda name: _skill(name, real, holdout, seed), names, _TRY_ROWS), strict=True))
    worth = [name for name in skill if _LEARNABLE < skill[name] < _TRIVIAL]
    for kept in (worth, list(skill)):
        if kept:
            first = ([name for name in kept if name in few] or kept)[-1]
            break
    else:
        return []
    why = f"the last column of 2 to {_FEW_CLASSES} classes" if first in few else "the last number"
    others = sorted((name for name in worth if name != first), key=lambda name: -skill[name])
    return [(first, why), *((name, "predicted well by the others") for name in others[: _CANDIDATES - 1])]


def _skill(target: Hashable, real: Table, holdout: Table, seed: int) -> float:
    """How well a few trees predict it, from 0 (not at all) to 1."""
    class_K = _classes(real.columns[target])
    rng = generator(seed, "targets")
    train, test = (_labelled(table, target, class_K).sample(_TRY_ROWS, rng) for table in (real, holdout))
    if min(len(train), len(test)) < FEWEST_ROWS or len(real.columns) < 2:
        return 0.0
    truth_N, guess_NK = _predict(train, test, target, class_K, seed, _TRY_ROUNDS)
    if class_K is None:
        return max(0.0, _r2(truth_N, guess_NK))
    return 2 * _mean_area(truth_N, guess_NK) - 1


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
) -> tuple[float, Interval]:
    rng = generator(seed, "utility")
    truth_N, guess_NK = _predict(train.sample(n, rng), test, target, class_K, seed)
    measure = _r2 if class_K is None else _mean_area
    value = measure(truth_N, guess_NK)
    again = [rng.integers(len(test), size=len(test)) for _ in range(_RESAMPLES)]
    half = 1.96 * float(np.nanstd([measure(truth_N[index_N], guess_NK[index_N]) for index_N in again]))
    return value, (value - half, value + half if class_K is None else min(value + half, 1.0))


def _predict(
    train: Table, test: Table, target: Hashable, class_K: Column | None, seed: int, rounds: int = 100
) -> tuple[Column, NDArray[np.float64]]:
    """The truth in the test rows, as numbers or places in `class_K`, and what trees grown on the others guess."""
    row_NC, is_category_C = rows_for_trees(train.without(target), test.without(target))
    n = len(train)
    known_N, truth_N = train.columns[target], test.columns[target]
    if class_K is None:
        trees = grow(row_NC[:n], is_category_C, known_N, seed, classes=None, rounds=rounds)
        return truth_N, trees.predict(row_NC[n:])[:, None]
    guess_NK = np.zeros((len(test), len(class_K)))
    seen_K = np.unique(known_N)
    if len(seen_K) > 1:  # who has seen one class only can only guess
        trees = grow(row_NC[:n], is_category_C, known_N, seed, classes=len(seen_K), rounds=rounds)
        guess_NK[:, np.searchsorted(class_K, seen_K)] = trees.predict_proba(row_NC[n:])
    return np.searchsorted(class_K, truth_N), guess_NK


def _r2(truth_N: Column, guess_N1: NDArray[np.float64]) -> float:
    return float(r2_score(truth_N, guess_N1[:, 0]))


def _mean_area(truth_N: Column, guess_NK: NDArray[np.float64]) -> float:
    """AUC of each class against the rest, averaged over the classes that occur."""
    occurring = [k for k in range(guess_NK.shape[1]) if 0 < (truth_N == k).sum() < len(truth_N)]
    return mean(area(guess_NK[truth_N == k, k], guess_NK[truth_N != k, k])[0] for k in occurring)
