"""Are synthetic rows where real ones are, and are they everywhere where real ones are?

Legend: N rows of either table, L levels, D coordinates.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from synthloom.metrics.score import Context, Interval, Score, resampled
from synthloom.metrics.table.data import Table
from synthloom.metrics.table.points import Points, nearest, place
from synthloom.metrics.table.sides import sides
from synthloom.rng import generator

__all__ = ["alpha_precision", "beta_recall"]

_MOST_ROWS = 10_000
_FEWEST_ROWS = 50
_ONE_HOT = 512
_LEVELS = np.linspace(0, 1, 30)


def alpha_precision(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """Whether synthetic rows lie as far out as real ones do: 1 if they do, less if too many or too few are far out.

    For each of 30 levels alpha from 0 to 1, the ball around the mean of the real rows that holds the share alpha of
    them should hold the share alpha of the synthetic ones: 1 - sum |share - alpha| / sum alpha. In the space of
    numbers scaled to the real range and one-hot categories (beyond 512 of a column, random directions); equally many
    rows of both tables, at most 10,000.

    References:
        How Faithful is your Synthetic Data? Sample-level Metrics for Evaluating and Auditing Generative Models (Alaa
        et al., 2022), https://arxiv.org/abs/2102.08921, by whose definition the balls are spheres here ("naive")
    """
    about = (
        "1 = synthetic rows lie as far from the middle as real ones; {n:,} rows; nearly blind to dependence, and blind "
        "to copying"
    )
    return _support("alpha_precision", about, _precision, real, synthetic, holdout, context)


def beta_recall(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """Whether there is a synthetic row near every real one; even fresh real rows score about 1/2.

    A real row is covered at level beta if its nearest synthetic row is no farther than its nearest other real row, and
    lies in the ball around the mean of the synthetic rows that holds the share beta of these nearest ones. The share of
    real rows that are covered should be beta: 1 - sum |share - beta| / sum beta over 30 levels from 0 to 1. Space and
    rows as for `alpha_precision`, and the same reference.
    """
    about = (
        "how closely synthetic rows cover the real ones: fresh real rows reach about 0.5, copies 1; {n:,} rows; blind "
        "to synthetic rows that lie where no real one is"
    )
    return _support("beta_recall", about, _recall, real, synthetic, holdout, context)


def _support(
    name: str,
    about: str,
    inside: Callable[[Points, Points], NDArray[np.bool_]],
    real: Table,
    synthetic: Table,
    holdout: Table | None,
    context: Context,
) -> Score:
    def of(table: Table) -> tuple[float, Interval, int]:
        n = min(len(real), len(table), _MOST_ROWS)
        rng = generator(context.seed, "support")
        first_ND, second_ND = place(real, real.sample(n, rng), table.sample(n, rng), one_hot=_ONE_HOT).tables
        inside_NL = inside(first_ND, second_ND)
        low, high = resampled(inside_NL, _closeness, rng)
        return float(_closeness(inside_NL.mean(axis=0)[None])[0]), (max(low, 0.0), min(high, 1.0)), n

    if (few := min(len(table) for table in (real, synthetic, holdout or real))) < _FEWEST_ROWS:
        return Score.unavailable(name, "higher", f"below {_FEWEST_ROWS} rows, however: {few}")
    found = {side: of(table) for side, table in sides(real, synthetic, holdout, context).items()}
    (value, interval, n), (baseline, *_) = found["value"], found["baseline"]
    reference = found["reference"][0] if "reference" in found else None
    return Score(name, value, reference, "higher", interval, about.format(n=n), baseline)


def _closeness(share_RL: NDArray[np.float64]) -> NDArray[np.float64]:
    """How close shares are to their levels, for R sets of them: 1 where they are equal."""
    return np.asarray(1 - np.abs(share_RL - _LEVELS).sum(axis=1) / _LEVELS.sum())


def _precision(real_ND: Points, other_ND: Points) -> NDArray[np.bool_]:
    """Which other rows lie in the ball of each level."""
    middle_D = real_ND.mean(axis=0, dtype=np.float64)
    radius_L = np.quantile(_distance(real_ND, middle_D), _LEVELS)
    return _distance(other_ND, middle_D)[:, None] <= radius_L


def _recall(real_ND: Points, other_ND: Points) -> NDArray[np.bool_]:
    """Which real rows are covered at each level."""
    to_real_N, _ = nearest(real_ND, real_ND, itself=True)
    to_other_N, closest_N = nearest(real_ND, other_ND)
    out_N = _distance(other_ND, other_ND.mean(axis=0, dtype=np.float64))[closest_N]
    return (to_other_N <= to_real_N)[:, None] & (out_N[:, None] <= np.quantile(out_N, _LEVELS))


def _distance(point_ND: Points, middle_D: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(point_ND - middle_D, axis=1))
