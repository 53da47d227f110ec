"""How a number becomes a choice and a position, and back: the two ways of number, datetime and duration columns.

* `QuantileScale`: values that many rows hold are choices of their own; the rest is cut into cells of equal mass, and
  the place inside a cell is a standard normal score. A perfect model of what it hands out reproduces the column's
  distribution.
* `MixtureScale`: mode-specific normalisation, as in Modeling Tabular Data using Conditional GAN (Xu et al., 2019),
  https://arxiv.org/abs/1907.00503: a Gaussian mixture, the mode as choice, the distance from its mean as number.

Under protection every number that a scale remembers is shared by at least five rows or speaks of at least five at once;
without it the exact smallest and largest values can be reached.
"""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
import torch

from synthloom.codecs.columns.base import Options
from synthloom.spec import Limit

__all__ = ["SCALES", "MixtureScale", "QuantileScale", "Scale", "load_scale", "reach"]

_KNOTS = 2048
"""The most pieces that a quantile function is made of, give or take those of values that many rows hold."""


class Scale(Protocol):
    """Numbers x (float64) to (choice, value) and back; the first `cells` choices carry a value."""

    name: ClassVar[str]

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...

    @property
    def cells(self) -> int: ...

    @property
    def choices(self) -> int: ...

    @classmethod
    def fit(cls, x: np.ndarray, whole: bool, options: Options, rng: np.random.Generator) -> Self: ...

    def encode(self, x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Numbers beyond `low` and `high` are taken for these."""
        ...

    def decode(self, choice: np.ndarray, value: np.ndarray) -> np.ndarray: ...

    def between(self, low: np.ndarray, high: np.ndarray) -> Limit:
        """What leads to a number from `low` to `high`, these included: a row for each pair of ends."""
        ...

    def state(self) -> dict[str, Any]: ...


def reach(x: np.ndarray, options: Options) -> tuple[float, float]:
    """The smallest and the largest number that may be given out.

    Under protection no end is the value of a few rows: it is a value that five rows hold, or halfway between the fifth
    and the mean of the fifth to the ninth, whichever lies further out; in a crowd too small for either, the mean alone.

    >>> x = np.array([-900.0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 12, 12, 12, 12, 900])
    >>> reach(x, Options()), reach(x, Options(protect=False))
    ((5.0, 12.0), (-900.0, 900.0))
    """
    k = options.fewest
    value, count = np.unique(x, return_counts=True)
    ends = value[count >= k].tolist()
    if len(x) >= 3 * k:
        ordered = np.partition(x, (k - 1, 2 * k - 2, len(x) - 2 * k + 1, len(x) - k))
        low, high = ordered[k - 1 : 2 * k - 1], ordered[len(x) - 2 * k + 1 : len(x) - k + 1]
        ends += [float(low.min() / 2 + _mean(low) / 2), float(high.max() / 2 + _mean(high) / 2)]
    ends = ends or [float(_mean(x))]
    return min(ends), max(ends)


@dataclass(frozen=True)
class QuantileScale:
    """Atoms, and a piecewise linear quantile function cut into cells of equal mass.

    >>> x = np.repeat([0.0, 1, 2, 3, 4, 5], [900, 20, 20, 20, 20, 20])
    >>> rng = np.random.default_rng(0)
    >>> scale = QuantileScale.fit(x, True, Options(cells=4), rng)
    >>> scale.atoms
    array([0.])
    >>> bool((scale.decode(*scale.encode(x, rng)) == x).all())
    True
    """

    name: ClassVar[str] = "quantile"

    whole: bool
    low: float
    high: float
    cells: int
    atoms: np.ndarray  # sorted; choice `cells + i` is atom i
    knot_x: np.ndarray  # non-decreasing; the quantile function takes knot_u to knot_x
    knot_u: np.ndarray  # non-decreasing, from 0 to 1
    edge: float  # mass of the exact minimum, and of the exact maximum

    @classmethod
    def fit(cls, x: np.ndarray, whole: bool, options: Options, rng: np.random.Generator) -> Self:
        low, high = reach(x, options)
        if whole:
            low, high = float(np.rint(low)), float(np.rint(high))
        x = np.sort(np.clip(x, low, high))
        value, place, count = np.unique(x, return_inverse=True, return_counts=True)
        is_atom = count * options.cells >= len(x)
        if options.common is not None:
            # a thousandth of the rows, or there would be an atom for each value of a large table
            is_atom = count >= max(options.common, len(x) / 1000)
            is_atom &= (
                count >= np.partition(count, -min(4 * options.cells, len(count)))[-min(4 * options.cells, len(count))]
            )
        if len(value) <= options.cells:
            is_atom[:] = True
        is_atom &= count >= options.fewest
        atoms, rest = value[is_atom], x[~is_atom[place]]
        if len(rest) < options.fewest:  # and these go to the nearest atom
            return cls(whole, low, high, 0, atoms, np.zeros(0), np.zeros(0), 0.0)
        cells = max(1, round(options.cells * len(rest) / len(x)))
        knot_x, knot_u = _knots(rest, whole, options.fewest)
        half = 0.5 if whole else 0.0
        knot_x = np.clip(knot_x, low - half, high + half)
        return cls(whole, low, high, cells, atoms, knot_x, knot_u, 0.0 if whole else 0.5 / len(rest))

    @property
    def choices(self) -> int:
        return self.cells + len(self.atoms)

    def encode(self, x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = np.clip(x, self.low, self.high)
        if not self.cells:
            return _nearest(self.atoms, x), np.zeros(len(x), np.float32)
        choice, value = self._place(x, rng.uniform(-0.45, 0.45, len(x)) if self.whole else np.zeros(len(x)), rng)
        if self.whole:  # where cells are so wide that float32 misses the number from there, aim at its middle
            missed = self.decode(choice, value) != x
            choice[missed], value[missed] = self._place(x[missed], np.zeros(int(missed.sum())), rng)
        if len(self.atoms):
            near = _nearest(self.atoms, x)
            is_atom = self.atoms[near] == x
            choice[is_atom], value[is_atom] = self.cells + near[is_atom], 0
        return choice, value

    def decode(self, choice: np.ndarray, value: np.ndarray) -> np.ndarray:
        x = np.zeros(len(choice))
        numbered = choice < self.cells
        x[~numbered] = self.atoms[choice[~numbered] - self.cells]
        if numbered.any():
            u = (choice[numbered] + _normal_mass(value[numbered])) / self.cells
            u = np.clip((u - self.edge) / (1 - 2 * self.edge), 0, 1)
            inside = np.interp(u, self.knot_u, self.knot_x)
            x[numbered] = np.rint(inside) if self.whole else inside
        return np.asarray(np.clip(x, self.low, self.high))

    def between(self, low: np.ndarray, high: np.ndarray) -> Limit:
        """
        >>> scale = QuantileScale.fit(np.arange(64.0), True, Options(cells=4, protect=False), np.random.default_rng(0))
        >>> limit = scale.between(np.array([5.0]), np.array([40.0]))
        >>> limit.open_BK.tolist(), limit.choice_BP.tolist()
        ([[False, True, False, False]], [[0, 2]])
        """
        atom_BA = (low[:, None] <= self.atoms) & (self.atoms <= high[:, None])
        if not self.cells:
            return Limit.of(torch.from_numpy(atom_BA))
        first, last = self._ends(low, high)
        cell = np.arange(self.cells)
        from_BK, to_BK = (u[:, None] * self.cells - cell for u in (first, last))  # where in each cell the ends lie
        whole_BK = (from_BK <= 0) & (to_BK >= 1)
        outer_B2 = np.stack([first * self.cells, np.ceil(last * self.cells) - 1], 1)
        outer_B2 = np.clip(outer_B2.astype(np.int64), 0, self.cells - 1)
        begin_B2, end_B2 = (np.take_along_axis(at, outer_B2, 1) for at in (from_BK, to_BK))
        shut_B2 = np.take_along_axis(whole_BK, outer_B2, 1) | (first >= last)[:, None]
        shut_B2[:, 1] |= outer_B2[:, 0] == outer_B2[:, 1]
        ends = (torch.special.ndtri(torch.from_numpy(np.clip(at, 0, 1))) for at in (begin_B2, end_B2))
        low_B2, high_B2 = ends
        open_BK = torch.from_numpy(np.concatenate([whole_BK & (first < last)[:, None], atom_BA], 1))
        return Limit(
            open_BK, torch.from_numpy(outer_B2), low_B2.masked_fill(torch.from_numpy(shut_B2), np.inf), high_B2
        )

    def state(self) -> dict[str, Any]:
        return {"scale": self.name} | {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def _ends(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The masses between which numbers from `low` to `high` lie; a lone float gets a sliver of its own."""
        half = 0.5 - 1e-6 if self.whole else 0.0
        first, last = self._mass(low - half, "left"), self._mass(high + half, "right")
        first, last = (self.edge + u * (1 - 2 * self.edge) for u in (first, last))
        first = np.where(low <= self.low, 0.0, first)
        last = np.where(high >= self.high, 1.0, last)
        lone = (first >= last) & (low <= high) & ~self.whole
        first, last = np.where(lone, first - 1e-6, first), np.where(lone, last + 1e-6, last)
        outside = (low > self.high) | (high < self.low) | (low > high)
        return np.where(outside, 1.0, np.clip(first, 0, 1)), np.where(outside, 0.0, np.clip(last, 0, 1))

    def _mass(self, x: np.ndarray, side: Literal["left", "right"]) -> np.ndarray:
        """The share of mass below x; where it jumps, without the jump (left) or with it (right)."""
        at = np.searchsorted(self.knot_x, x, side=side) - (side == "right")
        at = np.clip(at, 0, len(self.knot_x) - 1)
        return np.where(self.knot_x[at] == x, self.knot_u[at], np.interp(x, self.knot_x, self.knot_u))

    def _place(self, x: np.ndarray, shift: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Cell and normal score of x; `shift` spreads whole numbers over the unit that is theirs."""
        u = self._cumulative(x + shift, rng) * self.cells
        cell = np.minimum(u.astype(np.int64), self.cells - 1)
        return cell, _normal_score(u - cell)

    def _cumulative(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The share of mass below x, drawn evenly over the jump where the distribution has one."""
        knot_x, knot_u = self.knot_x, self.knot_u
        x = np.clip(x, knot_x[0], knot_x[-1])
        u = np.interp(x, knot_x, knot_u)
        first = np.searchsorted(knot_x, x, side="left")
        last = np.searchsorted(knot_x, x, side="right") - 1
        tie = last > first  # a jump of the distribution: anywhere inside it, clear of its ends
        low, high = knot_u[first[tie]], knot_u[last[tie]]
        u[tie] = low + (high - low) * rng.uniform(0.02, 0.98, len(low))
        # where no mass lies between two knots, stay a hair on the right side of the gap
        step_u = np.diff(knot_u)
        after = np.append(False, step_u == 0)[last] & ~tie
        before = np.append(step_u == 0, False)[np.minimum(last + 1, len(knot_u) - 1)] & ~tie & (last + 1 < len(knot_u))
        u[after] = np.maximum(u[after], knot_u[last[after]] + 1e-6)
        u[before] = np.minimum(u[before], knot_u[last[before] + 1] - 1e-6)
        return np.asarray(np.clip(self.edge + u * (1 - 2 * self.edge), 0, 1))


def _knots(x: np.ndarray, whole: bool, fewest: int) -> tuple[np.ndarray, np.ndarray]:
    """Knots (x, u) of the quantile function of sorted numbers, each made of at least `fewest` of them.

    The rows are cut into runs. A value that a whole run of rows holds, two at the least, is a run of its own, and a tie
    stays a tie; the rest is cut evenly. Where two such even runs meet, the line passes through the mean of the rows
    around. Any other end of a run lies where an even spread with the mean and variance of its outermost rows would end:
    exactly at the outermost row where one row is enough, and half a unit beyond it for whole numbers, so that rounding
    brings them back. Fewer rows than that, between two values that many hold, are spread from one to the other.
    """
    n = len(x)
    most = max(fewest, -(-n // _KNOTS))
    _, first, count = np.unique(x, return_index=True, return_counts=True)
    heavy = count >= max(2, most)
    # runs begin where a heavy value begins or ends, and evenly in between
    edge = np.unique(np.concatenate([[0, n], first[heavy], (first + count)[heavy]]))
    rows = np.diff(edge)
    even = ~np.isin(edge[:-1], first[heavy])
    pieces = np.where(even, np.maximum(1, rows // most), 1)
    begin = np.concatenate([start + np.arange(p) * r // p for start, r, p in zip(edge[:-1], rows, pieces, strict=True)])
    end = np.append(begin[1:], n)
    even = np.repeat(even, pieces)
    enough = end - begin >= fewest
    begin, end, even = begin[enough], end[enough], even[enough]

    outer = np.arange(fewest)
    left = _mean(x[begin[:, None] + outer]) - _half_width(x[begin[:, None] + outer], whole)
    right = _mean(x[end[:, None] - 1 - outer]) + _half_width(x[end[:, None] - 1 - outer], whole)
    # a spread must not reach beyond the neighbour; values that many rows hold stay where they are
    left[1:] = np.where(even[1:], np.maximum(left[1:], np.where(even[:-1], -np.inf, right[:-1])), left[1:])
    right[:-1] = np.where(even[:-1], np.minimum(right[:-1], np.where(even[1:], np.inf, left[1:])), right[:-1])
    meet = np.flatnonzero(even[:-1] & even[1:])
    around = np.arange(-(-fewest // 2))
    middle = end[meet][:, None] + np.concatenate([around, -1 - around])
    left[meet + 1] = right[meet] = _mean(x[middle])

    knot_x = np.stack([left, right], 1).ravel()
    knot_u = np.stack([begin, end], 1).ravel() / n
    knot_u[0], knot_u[-1] = 0, 1  # the few rows outside the outermost runs join them
    fresh = np.append(True, (np.diff(knot_x) > 0) | (np.diff(knot_u) > 0))
    return np.maximum.accumulate(knot_x[fresh]), knot_u[fresh]


def _mean(x: np.ndarray) -> np.ndarray:
    """Means over the last axis, of even the largest floats; of equal numbers, exactly that number."""
    return np.asarray(np.clip((x / x.shape[-1]).sum(-1), x.min(-1), x.max(-1)))


def _half_width(x: np.ndarray, whole: bool) -> np.ndarray:
    """Half the width of the even spread that has the variance of x; the units of whole numbers count in full."""
    variance = np.square(x - _mean(x)[..., None]).mean(-1)
    return np.asarray(np.sqrt(3 * variance + (0.25 if whole else 0.0)))


def _nearest(atoms: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.asarray(np.searchsorted((atoms[1:] + atoms[:-1]) / 2, x))


def _normal_score(position: np.ndarray) -> np.ndarray:
    inside = torch.from_numpy(np.clip(position, 1e-7, 1 - 1e-7))
    return np.asarray(torch.special.ndtri(inside), np.float32)


def _normal_mass(value: np.ndarray) -> np.ndarray:
    return np.asarray(torch.special.ndtr(torch.from_numpy(np.asarray(value, np.float64))))


@dataclass(frozen=True)
class MixtureScale:
    """A Bayesian Gaussian mixture: the mode is the choice, (x - mean) / (4 sd) is the number, within [-1, 1].

    >>> x = np.concatenate([np.random.default_rng(0).normal(m, 1, 500) for m in (0, 50)])
    >>> rng = np.random.default_rng(0)
    >>> scale = MixtureScale.fit(x, False, Options(numbers="gmm", protect=False), rng)
    >>> bool(np.abs(scale.decode(*scale.encode(x, rng)) - x).max() < 0.01)
    True
    """

    name: ClassVar[str] = "gmm"

    whole: bool
    low: float
    high: float
    mean: np.ndarray
    sd: np.ndarray
    weight: np.ndarray

    @property
    def cells(self) -> int:
        return len(self.mean)

    @property
    def choices(self) -> int:
        return len(self.mean)

    @classmethod
    def fit(cls, x: np.ndarray, whole: bool, options: Options, rng: np.random.Generator) -> Self:
        from sklearn.mixture import BayesianGaussianMixture

        low, high = reach(x, options)
        if low == high:
            return cls(whole, low, high, np.array([low]), np.ones(1), np.ones(1))
        x = np.clip(x, low, high)
        centre = x.mean()
        spread = (high - low) * ((x - centre) / (high - low)).std()  # whose squares cannot vanish
        mixture = BayesianGaussianMixture(
            n_components=min(10, len(np.unique(x))),
            weight_concentration_prior_type="dirichlet_process",
            weight_concentration_prior=0.001,
            random_state=int(rng.integers(2**31)),
        )
        with warnings.catch_warnings():  # one run of 100 steps, as published: good enough when it has not converged
            warnings.simplefilter("ignore")
            mixture.fit(((x - centre) / spread)[:, None])
        # a mode of few rows tells of each; the heaviest is always kept
        valid = mixture.weights_ >= min(max(0.005, options.fewest / len(x)), mixture.weights_.max())
        mean = mixture.means_[valid, 0] * spread + centre
        sd = np.sqrt(mixture.covariances_[valid, 0, 0]) * spread
        return cls(whole, low, high, mean, sd, mixture.weights_[valid] / mixture.weights_[valid].sum())

    def encode(self, x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = np.clip(x, self.low, self.high)
        score = (x[:, None] - self.mean) / self.sd
        log_p = -0.5 * score**2 - np.log(self.sd) + np.log(self.weight)
        choice = (log_p + rng.gumbel(size=log_p.shape)).argmax(1)
        chosen = score[np.arange(len(x)), choice] / 4
        return choice.astype(np.int64), np.clip(chosen, -0.99, 0.99).astype(np.float32)

    def decode(self, choice: np.ndarray, value: np.ndarray) -> np.ndarray:
        x = self.mean[choice] + 4 * self.sd[choice] * np.clip(value.astype(np.float64), -1, 1)
        return np.asarray(np.clip(np.rint(x) if self.whole else x, self.low, self.high))

    def between(self, low: np.ndarray, high: np.ndarray) -> Limit:
        low, high = np.where(low <= self.low, -np.inf, low), np.where(high >= self.high, np.inf, high)
        half = 0.5 if self.whole else 0.0
        low_BP, high_BP = ((end[:, None] - self.mean) / (4 * self.sd) for end in (low - half, high + half))
        outside_BP = (low_BP >= 1) | (high_BP <= -1) | (low > high)[:, None]
        low_BP, high_BP = np.where(low_BP < -1, -np.inf, low_BP), np.where(high_BP > 1, np.inf, high_BP)
        whole_BP = ~outside_BP & np.isinf(low_BP) & np.isinf(high_BP)
        low_BP = np.where(outside_BP | whole_BP, np.inf, low_BP)
        choice_BP = np.broadcast_to(np.arange(self.cells), low_BP.shape).copy()
        return Limit(*(torch.from_numpy(part) for part in (whole_BP, choice_BP, low_BP, high_BP)))

    def state(self) -> dict[str, Any]:
        return {"scale": self.name} | {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}


SCALES: dict[str, type[Scale]] = {
    "quantile": QuantileScale,
    "gmm": MixtureScale,
}


def load_scale(state: dict[str, Any]) -> Scale:
    """The inverse of `state`."""
    return SCALES[state["scale"]](**{key: value for key, value in state.items() if key != "scale"})
