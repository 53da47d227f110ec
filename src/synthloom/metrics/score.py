"""What a score is, and what a metric is told besides the data."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Better", "Context", "Score", "wilson"]

Better: TypeAlias = Literal["lower", "higher"]


@dataclass(frozen=True)
class Score:
    """A number with its yardstick. A score that cannot be had has the value None, and `about` says why.

    >>> Score("shape_error", 1.2, 0.8, "lower", None, "in %").reference
    0.8
    """

    name: str
    value: float | None
    reference: float | None
    """What held-out real data scores in the synthetic data's place; None without a holdout."""
    better: Better
    interval: tuple[float, float] | None
    """Where the value lies with 95% confidence, if it is an estimate."""
    about: str
    baseline: float | None = None
    """What the real data scores once each column is shuffled on its own: a generator that has learnt no dependence."""


@dataclass(frozen=True)
class Context:
    """What a metric is told besides the data: the seed, and the column to be predicted (None: find one)."""

    seed: int = 0
    target: Hashable | None = None


def wilson(hits: float, n: float) -> tuple[float, float]:
    """The 95% interval of a share of which `hits` in `n` were seen.

    Probable inference, the law of succession, and statistical inference (Wilson, 1927),
    https://doi.org/10.1080/01621459.1927.10502953

    >>> low, high = wilson(50, 100)
    >>> round(low, 3), round(high, 3)
    (0.404, 0.596)
    """
    z = 1.96
    share, spread = hits / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * share * (1 - share) + spread * spread / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
