"""What a score is, what a metric is told besides the data, and how sure a number is."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Better", "Context", "Interval", "Roles", "Score", "area", "resampled", "wilson"]

T = TypeVar("T")

Better: TypeAlias = Literal["lower", "higher"]
Interval: TypeAlias = tuple[float, float]

Roles: TypeAlias = Mapping[str, Sequence[Hashable]]
"""What the user says of columns: {"categorical": [...], "numerical": [...], "ignore": [...]}."""

_RESAMPLES = 200
_Z = 1.96


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
    interval: Interval | None
    """Where the value lies with 95% confidence, if it is an estimate."""
    about: str
    """What it says, in one sentence, and what it is blind to."""
    baseline: float | None = None
    """What the real data scores once each column is shuffled on its own: a generator that has learnt no dependence."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """What the number is made of, as plain data, for whoever draws it; never the value of a single record."""

    @classmethod
    def unavailable(cls, name: str, better: Better, why: str) -> Score:
        """No number, and the reason."""
        return cls(name, None, None, better, None, f"not available: {why}")


@dataclass(frozen=True)
class Context:
    """What a metric is told besides the data. One context serves one judgement: the same data all through.

    Of tables: `target` is the column to be predicted (None: find one), `columns` what the user says that columns are.
    Of images: `features` maps uint8 [N, H, W] or [N, H, W, 3] to the numbers [N, D] that they are compared by (None:
    learn to). Of texts: `reconstruction` is what a model made of the held-out ones, `canaries` are secrets planted
    among the real ones.
    """

    seed: int = 0
    target: Hashable | None = None
    columns: Roles | None = None
    features: Callable[[NDArray[Any]], Any] | None = None
    reconstruction: Any = None
    canaries: Sequence[str] = ()
    _found: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, what: str, find: Callable[[], T]) -> T:
        """What `find` returns, found when first asked for: several scores share work.

        >>> context = Context()
        >>> context.once("sum", lambda: 1 + 1), context.once("sum", lambda: 1 / 0)
        (2, 2)
        """
        if what not in self._found:
            self._found[what] = find()
        return self._found[what]  # type: ignore[no-any-return]


def wilson(hits: float, n: float) -> Interval:
    """The 95% interval of a share of which `hits` in `n` were seen.

    Probable inference, the law of succession, and statistical inference (Wilson, 1927),
    https://doi.org/10.1080/01621459.1927.10502953

    >>> low, high = wilson(50, 100)
    >>> round(low, 3), round(high, 3)
    (0.404, 0.596)
    """
    share, spread = hits / n, _Z * _Z / n
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * share * (1 - share) + spread * spread / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def area(high_M: NDArray[Any], low_N: NDArray[Any]) -> tuple[float, Interval]:
    """How often a number of the first kind is larger than one of the second, ties counting half: an AUC, and its 95%
    interval.

    Comparing the Areas under Two or More Correlated Receiver Operating Characteristic Curves (DeLong et al., 1988),
    https://doi.org/10.2307/2531595

    >>> area(np.array([2, 3]), np.array([1, 2]))[0]
    0.875
    """
    above_M, above_N = _placements(high_M, low_N), 1 - _placements(low_N, high_M)
    value = float(above_M.mean())
    half = _Z * math.sqrt(above_M.var() / len(above_M) + above_N.var() / len(above_N))
    return value, (max(0.0, value - half), min(1.0, value + half))


def _placements(value_M: NDArray[Any], other_N: NDArray[Any]) -> NDArray[np.float64]:
    """The share of the others that lie below each value."""
    sorted_N = np.sort(other_N)
    return (sorted_N.searchsorted(value_M, "left") + sorted_N.searchsorted(value_M, "right")) / (2 * len(sorted_N))


def resampled(part_ND: NDArray[Any], of: Callable[[NDArray[Any]], NDArray[Any]], rng: np.random.Generator) -> Interval:
    """The 95% interval of a number that depends on the means over N items: `of` maps means [R, D] to numbers [R].

    Bootstrap Methods: Another Look at the Jackknife (Efron, 1979), https://doi.org/10.1214/aos/1176344552

    >>> part_ND = np.repeat([[0.0], [1.0]], 200, axis=0)
    >>> low, high = resampled(part_ND, lambda mean_RD: mean_RD[:, 0], np.random.default_rng(0))
    >>> round(low, 1), round(high, 1)
    (0.5, 0.5)
    """
    n = len(part_ND)
    count_RN = rng.multinomial(n, np.full(n, 1 / n), size=_RESAMPLES).astype(np.float32)
    again_R = of(count_RN @ part_ND.astype(np.float32) / n)
    value = float(of(part_ND.mean(axis=0, dtype=np.float64)[None])[0])
    half = _Z * float(np.std(again_R))
    return value - half, value + half
