"""The account of differential privacy: what was asked about the rows, with how much noise, and what that adds up to.

Every question has the form of a Gaussian mechanism: sums to which any row adds a vector no longer than 1, all rows or a
Poisson draw of them, plus normal noise. So one accountant adds up everything, from the first count to the last step of
training. Two tables are neighbours if one has a row more. Deep Learning with Differential Privacy (Abadi et al., 2016),
https://arxiv.org/abs/1607.00133; composed numerically as in Numerical Composition of Differential Privacy (Gopi et al.,
2021), https://arxiv.org/abs/2106.02848, by Opacus.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from synthloom import rng
from synthloom.errors import DataError, UsageError

__all__ = ["Account", "Entry"]

_COUNTING = 60.0
"""The number of rows is told with noise of this over epsilon, which costs next to nothing."""
_MOST = 1e5
"""More noise than this, and nothing can be learnt."""
_ORDERS = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256, 512, 1024]
"""Of Renyi divergences that are looked at: small budgets need large ones."""
_STATISTICS = 0.15
"""Share of the budget (in zero-concentrated terms, which add up) that goes to statistics of the columns."""
_SLIPS = 0.25
"""Share of delta that goes to the risk that a value is named which one row alone can bring above the threshold."""


class Entry(NamedTuple):
    """So many questions with so much noise (in lengths of what a row may add) about so large a share of the rows."""

    noise: float
    rate: float
    times: int


@dataclass
class Account:
    """A budget of (epsilon, delta), and what has been spent of it. Starts by counting the rows.

    >>> account = Account.open(8.0, rows=10_000)
    >>> abs(account.rows - 10_000) < 100
    True
    >>> noise = account.noise_for(rate=0.1, steps=100)
    >>> account.spend(Entry(noise, 0.1, 100))
    >>> 7.8 < account.spent() <= 8.0
    True
    """

    epsilon: float
    delta: float
    rows: int
    """How many there are, about: the true number is never used again."""
    slips: float = 0.0
    entries: list[Entry] = field(default_factory=list)

    @classmethod
    def open(cls, epsilon: float, rows: int, delta: float | None = None) -> Account:
        """Count the rows, with noise; delta is 1 / n^1.2 of that number unless said, and must be below 1 / n."""
        count = Entry(_COUNTING / epsilon, 1.0, 1)
        told = round(rows + count.noise * float(rng.secret_normal(1)[0]))
        if told < 100:
            raise DataError(
                f"differential privacy needs some hundred rows, however: there are about {told}; add rows, or a larger "
                f"epsilon if that number is far too low"
            )
        delta = told**-1.2 if delta is None else delta
        if not 0 < delta < 1 / told:
            raise UsageError(
                f"privacy_delta must be above 0 and below 1 / n, or single rows may be given away whole, however: "
                f"privacy_delta={delta:g} and n is about {told}"
            )
        return cls(epsilon, delta, told, entries=[count])

    def spend(self, entry: Entry) -> None:
        """Enter what was asked; the same noise about the same share adds to what is there."""
        if self.entries and self.entries[-1][:2] == entry[:2]:
            entry = entry._replace(times=self.entries.pop().times + entry.times)
        self.entries.append(entry)

    def spent(self, *more: Entry) -> float:
        """Epsilon of all that was asked, and of what may still be."""
        return self._epsilon("PRVAccountant", more, eps_error=self.epsilon / 200)

    def _epsilon(self, accountant: str, more: tuple[Entry, ...], **precision: Any) -> float:
        kind = getattr(_accountants(), accountant)()
        kind.history = [(entry.noise, entry.rate, entry.times) for entry in (*self.entries, *more) if entry.times]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # at a rate of 1 it takes the logarithm of 0 on its way
            return float(kind.get_epsilon(self.delta - self.slips, **precision))

    def noise_for_statistics(self, questions: int) -> float:
        """The noise with which so many questions about all rows cost the share of the budget that is theirs."""
        # zero-concentrated: epsilon = rho + 2 sqrt(rho ln(1 / delta)), and a question costs 1 / (2 noise^2)
        bits = math.log(1 / self.delta)
        rho = (math.sqrt(bits + self.epsilon) - math.sqrt(bits)) ** 2
        return math.sqrt(max(1, questions) / (2 * _STATISTICS * rho))

    def noise_for(self, rate: float, steps: int) -> float:
        """The least noise, to half a percent, with which so many steps more, each on a draw of that rate, fit in."""

        def least(accountant: str, low: float, high: float, near: float, **precision: Any) -> float:
            while high / low > near:
                middle = math.sqrt(low * high)
                over = self._epsilon(accountant, (Entry(middle, rate, steps),), **precision) > self.epsilon
                low, high = (middle, high) if over else (low, middle)
            return high

        # Renyi bounds are quick and a little too high: from there it cannot be far
        high = least("RDPAccountant", 0.3, _MOST, 1.05, alphas=_ORDERS)
        if high > 0.99 * _MOST:
            raise UsageError(
                f"epsilon must leave something to train with, however: epsilon={self.epsilon:g} is used up by the "
                f"statistics of the columns; raise it, or leave columns out"
            )
        return least("PRVAccountant", 0.8 * high, high, 1.004, eps_error=self.epsilon / 200)

    def threshold(self, noise: float, columns: int, fewest: int) -> float:
        """The count, noise included, from which on a value may be named that nobody has declared.

        Values that fewer than `fewest` rows hold are never named. One that a further row lifts to `fewest` is, with a
        chance of at most a `columns`-th of the delta that is set aside; for a single row that bound alone decides
        whether anyone can tell that it was there.
        """
        slip = _SLIPS * self.delta / columns
        self.slips += slip
        return fewest + noise * NormalDist().inv_cdf(1 - slip)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"entries": [list(entry) for entry in self.entries]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Account:
        return cls(**{**document, "entries": [Entry(*entry) for entry in document["entries"]]})


def _accountants() -> Any:
    try:
        import opacus.accountants
    except ImportError as error:
        raise UsageError(
            'Opacus is not installed, and epsilon needs its accountant; pip install "synthloom[dp]"'
        ) from error
    return opacus.accountants
