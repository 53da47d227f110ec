"""How a number becomes a choice and a position, and back: the two ways of number, datetime and duration columns.

* `QuantileScale`: values that many rows hold are choices of their own; the rest is cut into cells of equal mass, and
  the place inside a cell is a standard normal score. It reaches the exact minimum and maximum, and a perfect model of
  what it hands out reproduces the column's distribution exactly.
* `MixtureScale`: mode-specific normalisation, as in Modeling Tabular Data using Conditional GAN (Xu et al., 2019),
  https://arxiv.org/abs/1907.00503: a Gaussian mixture, the mode as choice, the distance from its mean as number.
"""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import torch

from synthloom.codecs.columns.base import Options

__all__ = ["SCALES", "MixtureScale", "QuantileScale", "Scale", "load_scale"]

_KNOTS = 2048
"""The most knots that a quantile function is made of."""


class Scale(Protocol):
    """Numbers x (float64) to (choice, value) and back; the first `cells` choices carry a value."""

    name: ClassVar[str]

    @property
    def cells(self) -> int: ...

    @property
    def atoms(self) -> np.ndarray: ...

    @classmethod
    def fit(cls, x: np.ndarray, whole: bool, options: Options, rng: np.random.Generator) -> Self: ...

    def encode(self, x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]: ...

    def decode(self, choice: np.ndarray, value: np.ndarray) -> np.ndarray: ...

    def state(self) -> dict[str, Any]: ...


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
    cells: int
    atoms: np.ndarray  # sorted; choice `cells + i` is atom i
    knot_x: np.ndarray  # non-decreasing; the quantile function takes knot_u to knot_x
    knot_u: np.ndarray  # non-decreasing, from 0 to 1
    edge: float  # mass of the exact minimum, and of the exact maximum

    @classmethod
    def fit(cls, x: np.ndarray, whole: bool, options: Options, rng: np.random.Generator) -> Self:
        x = np.sort(np.clip(x, *_reach(x, options)))
        value, count = np.unique(x, return_counts=True)
        is_atom = (count >= options.fewest) & (count * options.cells >= len(x))
        if len(value) <= options.cells:
            is_atom |= count >= options.fewest
        atoms, value, count = value[is_atom], value[~is_atom], count[~is_atom]
        rows = int(count.sum())
        if not rows:
            nothing = np.zeros(0)
            return cls(whole, 0, atoms, nothing, nothing, 0.0)
        cells = max(1, round(options.cells * rows / len(x)))
        most = max(options.fewest, -(-rows // _KNOTS))  # rows between two knots: no knot speaks of a few people alone
        knot_x, knot_u = _knots(value, count, most, whole)
        return cls(whole, cells, atoms, knot_x, knot_u, 0.0 if whole else 0.5 / rows)

    def encode(self, x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        choice = np.zeros(len(x), np.int64)
        value = np.zeros(len(x), np.float32)
        rest = np.ones(len(x), bool)
        if len(self.atoms):
            place = np.clip(np.searchsorted(self.atoms, x), 0, len(self.atoms) - 1)
            # without cells every value is one of the atoms, or falls to the nearest below
            rest = (self.atoms[place] != x) & (self.cells > 0)
            choice[~rest] = self.cells + place[~rest]
        if rest.any():
            u = self._cumulative(x[rest], rng) * self.cells
            cell = np.minimum(u.astype(np.int64), self.cells - 1)
            choice[rest] = cell
            value[rest] = _normal_score(u - cell)
        return choice, value

    def decode(self, choice: np.ndarray, value: np.ndarray) -> np.ndarray:
        x = np.zeros(len(choice))
        numbered = choice < self.cells
        x[~numbered] = self.atoms[choice[~numbered] - self.cells]
        if numbered.any():
            u = (choice[numbered] + _normal_mass(value[numbered])) / self.cells
            u = np.clip((u - self.edge) / (1 - 2 * self.edge), 0, 1)
            inside = np.interp(u, self.knot_u, self.knot_x)
            if self.whole:  # the outermost knots lie half a unit beyond the outermost values
                inside = np.clip(np.rint(inside), np.ceil(self.knot_x[0]), np.floor(self.knot_x[-1]))
            x[numbered] = inside
        return x

    def state(self) -> dict[str, Any]:
        return {"scale": self.name} | {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def _cumulative(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The share of mass below x, drawn evenly over the jump where the distribution has one."""
        if self.whole:
            x = x + rng.uniform(-0.45, 0.45, len(x))  # dequantise, staying clear of the edges for rounding's sake
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
        return np.clip(self.edge + u * (1 - 2 * self.edge), 0, 1)


def _reach(x: np.ndarray, options: Options) -> tuple[float, float]:
    """The smallest and the largest number that may be given out: those that enough rows reach."""
    fewest = options.fewest
    if len(x) < 2 * fewest:  # no value of its own is safe in so small a crowd, but its middle is
        return (float(x.mean()),) * 2 if options.protect else (float(x.min()), float(x.max()))
    inner = np.partition(x, (fewest - 1, len(x) - fewest))
    return float(inner[fewest - 1]), float(inner[len(x) - fewest])


def _knots(value: np.ndarray, count: np.ndarray, most: int, whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """Knots of the quantile function: one per run of values that together hold at least `most` rows.

    A run of several values is spread evenly from its first value to the next run; a single value that holds enough
    rows is a jump (a tie stays a tie). Whole values own half a unit on either side, so that rounding brings them back.
    """
    before = np.cumsum(count) - count
    run = np.unique(before // most, return_index=True)[1]
    heavy = count >= most
    run = np.unique(np.concatenate([run, np.flatnonzero(heavy), np.flatnonzero(heavy) + 1]))
    run = run[run < len(value)]
    last = np.append(run[1:], len(value)) - 1
    total = count.sum()
    start_u, stop_u = before[run] / total, (before[last] + count[last]) / total
    half = 0.5 if whole else 0.0
    x = np.stack([value[run] - half, value[last] + half], 1)
    u = np.stack([start_u, stop_u], 1)
    # the second knot of a run stands only where it closes a jump, the line, or a stretch of neighbouring whole values
    dense = whole & (value[last] - value[run] == last - run)
    keep = np.stack([np.ones(len(run), bool), ((run == last) & heavy[run]) | dense], 1)
    keep[-1, 1] = True
    return x[keep], u[keep]


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
    mean: np.ndarray
    sd: np.ndarray
    weight: np.ndarray
    low: float
    high: float

    @property
    def cells(self) -> int:
        return len(self.mean)

    @property
    def atoms(self) -> np.ndarray:
        return np.zeros(0)

    @classmethod
    def fit(cls, x: np.ndarray, whole: bool, options: Options, rng: np.random.Generator) -> Self:
        from sklearn.mixture import BayesianGaussianMixture

        low, high = _reach(x, options)
        x = np.clip(x, low, high)
        if low == high:
            return cls(whole, np.array([low]), np.ones(1), np.ones(1), low, high)
        centre, spread = x.mean(), x.std()
        mixture = BayesianGaussianMixture(
            n_components=min(10, len(np.unique(x))),
            weight_concentration_prior_type="dirichlet_process",
            weight_concentration_prior=0.001,
            random_state=int(rng.integers(2**31)),
        )
        with warnings.catch_warnings():  # one run of 100 steps, as published: good enough when it has not converged
            warnings.simplefilter("ignore")
            mixture.fit(((x - centre) / spread)[:, None])
        valid = mixture.weights_ > 0.005
        mean = mixture.means_[valid, 0] * spread + centre
        sd = np.sqrt(mixture.covariances_[valid, 0, 0]) * spread
        weight = mixture.weights_[valid] / mixture.weights_[valid].sum()
        return cls(whole, mean, sd, weight, low, high)

    def encode(self, x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = np.clip(x, self.low, self.high)
        score = (x[:, None] - self.mean) / self.sd
        log_p = -0.5 * score**2 - np.log(self.sd) + np.log(self.weight)
        choice = (log_p + rng.gumbel(size=log_p.shape)).argmax(1)
        chosen = score[np.arange(len(x)), choice] / 4
        return choice.astype(np.int64), np.clip(chosen, -0.99, 0.99).astype(np.float32)

    def decode(self, choice: np.ndarray, value: np.ndarray) -> np.ndarray:
        x = self.mean[choice] + 4 * self.sd[choice] * np.clip(value.astype(np.float64), -1, 1)
        return np.clip(np.rint(x) if self.whole else x, self.low, self.high)

    def state(self) -> dict[str, Any]:
        return {"scale": self.name} | {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}


SCALES: dict[str, type[QuantileScale] | type[MixtureScale]] = {
    "quantile": QuantileScale,
    "gmm": MixtureScale,
}


def load_scale(state: dict[str, Any]) -> Scale:
    """The inverse of `state`."""
    return SCALES[state["scale"]](**{key: value for key, value in state.items() if key != "scale"})
