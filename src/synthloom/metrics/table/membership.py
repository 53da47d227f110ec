"""Attacks that ask whether a record was in the training table.

Legend: N records under attack, S synthetic rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthloom.metrics.score import Context, Interval, Score, area
from synthloom.metrics.table.copies import too_few
from synthloom.metrics.table.data import Table
from synthloom.metrics.table.points import nearest, place, stretched
from synthloom.rng import generator

__all__ = ["membership_auc", "membership_outliers"]

_MOST_ATTACKED = 2_000
_MOST_POPULATION = 20_000
_MOST_SYNTHETIC = 200_000

_TINY = 1e-6
"""Added to distances, so that equal rows can be compared as well."""

_FEWEST_OUTLIERS = 10


def membership_auc(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """How well an attacker who has the synthetic rows, and real ones of his own, tells members from others: an AUC.

    The attacker compares how near a record's nearest synthetic row is with how near its nearest row in a population of
    real ones is: log(distance to population / distance to synthetic), the density ratio by nearest neighbours. Records
    near which the synthetic rows are denser than people in general are, he takes for members. Members are training
    rows; the others are one half of the holdout, and the other half is the population (at most 2,000 members and 2,000
    others). 1/2 is a coin, 1 is certainty. The reference puts a third of the holdout in the synthetic's place.

    Numbers are compared by rank, with the ends drawn out. An alarm, not a proof: other attacks may do more.

    References:
        Membership Inference Attacks against Synthetic Data through Overfitting Detection (van Breugel et al., 2023),
        https://arxiv.org/abs/2302.12580
    """
    found = _found(real, synthetic, holdout, context)
    if isinstance(found, str):
        return Score.unavailable("membership_auc", "lower", found)
    attack, control = found
    about = (
        f"how often an attacker ranks a training record above another ({len(attack.member_N):,} against "
        f"{len(attack.other_N):,}): 0.5 is a coin; an alarm, not a proof: blind to a few leaks among "
        "many rows, and to quality"
    )
    value, interval = attack.auc
    detail = {"caught_at_1_percent": attack.caught}
    return Score("membership_auc", value, control.auc[0], "lower", interval, about, None, detail)


def membership_outliers(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """`membership_auc` among the tenth of the records that lie farthest from the population: those who have most to
    lose, and who hardly move a mean."""
    found = _found(real, synthetic, holdout, context)
    if isinstance(found, str):
        return Score.unavailable("membership_outliers", "lower", found)
    attack, control = (attack.outliers() for attack in found)
    if attack is None:
        why = f"below {_FEWEST_OUTLIERS} members and others among the outlying tenth"
        return Score.unavailable("membership_outliers", "lower", why)
    about = (
        f"how often an attacker ranks a training record above another among the outlying tenth, who have most to lose "
        f"({len(attack.member_N):,} against {len(attack.other_N):,}): 0.5 is a coin; blind to all other records, and "
        "to quality"
    )
    value, interval = attack.auc
    reference = None if control is None else control.auc[0]
    return Score("membership_outliers", value, reference, "lower", interval, about)


@dataclass(frozen=True)
class _Attack:
    """What the attacker makes of members and of others, and how far out they lie."""

    member_N: NDArray[np.float64]
    other_N: NDArray[np.float64]
    member_out_N: NDArray[np.float64]
    other_out_N: NDArray[np.float64]

    @property
    def auc(self) -> tuple[float, Interval]:
        return area(self.member_N, self.other_N)

    @property
    def caught(self) -> float:
        """The share of members that is caught while one other in a hundred is accused."""
        return round(float((self.member_N > np.quantile(self.other_N, 0.99)).mean()), 4)

    def outliers(self) -> _Attack | None:
        """The attack on the tenth that lies farthest out; None if they are too few."""
        far = np.quantile(np.concatenate([self.member_out_N, self.other_out_N]), 0.9)
        member_N, other_N = self.member_out_N >= far, self.other_out_N >= far
        if min(member_N.sum(), other_N.sum()) < _FEWEST_OUTLIERS:
            return None
        return _Attack(
            self.member_N[member_N], self.other_N[other_N], self.member_out_N[member_N], self.other_out_N[other_N]
        )


def _found(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> tuple[_Attack, _Attack] | str:
    """The attack, and the same on a third of the holdout in the synthetic's place; or why there is none."""
    if holdout is None:
        return "it needs a holdout"
    if why := too_few(real, synthetic, holdout):
        return why

    def attacks() -> tuple[_Attack, _Attack]:
        rng = generator(context.seed, "membership")
        shuffled = holdout.sample(len(holdout), rng)
        half, third = len(holdout) // 2, len(holdout) // 3
        attack = _attack(real, synthetic, shuffled.take(slice(half)), shuffled.take(slice(half, None)), rng)
        made, others, population = (shuffled.take(slice(i * third, (i + 1) * third)) for i in range(3))
        return attack, _attack(real, made, others, population, rng)

    return context.once("membership", attacks)


def _attack(real: Table, synthetic: Table, others: Table, population: Table, rng: np.random.Generator) -> _Attack:
    members, others = real.sample(_MOST_ATTACKED, rng), others.take(slice(_MOST_ATTACKED))
    tables = members, others, population.take(slice(_MOST_POPULATION)), synthetic.sample(_MOST_SYNTHETIC, rng)
    member_ND, other_ND, population_ND, synthetic_ND = place(real, *tables, scale=stretched).tables
    record_ND = np.concatenate([member_ND, other_ND])
    to_synthetic_N, _ = nearest(record_ND, synthetic_ND)
    to_population_N, _ = nearest(record_ND, population_ND)
    signal_N = np.log((to_population_N + _TINY) / (to_synthetic_N + _TINY))
    n = len(member_ND)
    return _Attack(signal_N[:n], signal_N[n:], to_population_N[:n], to_population_N[n:])
