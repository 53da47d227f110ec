"""What stands in the synthetic table's place for each number of a score, so that all are on the same footing."""

from __future__ import annotations

import math
from collections.abc import Iterable

from synthloom.metrics.score import Context
from synthloom.metrics.table.data import Table
from synthloom.rng import generator

__all__ = ["known", "mean", "sides"]


def sides(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> dict[str, Table]:
    """ "value": the synthetic table; "baseline": independent columns; "reference": the holdout, where there is one."""
    tables = {"value": synthetic, "baseline": independent(real, context)}
    return tables if holdout is None else tables | {"reference": holdout}


def independent(real: Table, context: Context) -> Table:
    """The real columns, each shuffled on its own."""
    return context.once("independent", lambda: real.shuffled(generator(context.seed, "independent")))


def mean(values: Iterable[float]) -> float:
    """Of those that are numbers."""
    found = [value for value in values if not math.isnan(value)]
    return sum(found) / len(found) if found else math.nan


def known(value: float) -> float | None:
    """None in place of NaN, which JSON cannot say."""
    return None if math.isnan(value) else float(value)
