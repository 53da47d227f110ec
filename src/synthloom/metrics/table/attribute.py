"""An attack that asks for a secret: who knows the rest of a record, and has the synthetic rows, what can he guess?

Legend: N records under attack, S synthetic rows, C columns, D coordinates.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from synthloom.metrics.score import Context, Score
from synthloom.metrics.table.copies import too_few
from synthloom.metrics.table.data import Column, Table, plain
from synthloom.metrics.table.points import Points, place, ranks, stretched
from synthloom.rng import generator

__all__ = ["attribute_inference"]

_MOST_ATTACKED = 1_000
_MOST_GUESSES = 2.5e9
"""Synthetic rows times columns times records: it bounds how many records are attacked where tables are large."""

_NEAR = 0.05
"""A number is guessed right if at most this share of the real ones lies between the guess and the truth."""

_LUCK = 1e-4
"""Squared distances are blurred by at most this, so that chance decides between equals."""

_BLOCK = 1 << 24
"""Distances that are worked on at a time; below this, matrix products have too few rows to be fast."""


def attribute_inference(real: Table, synthetic: Table, holdout: Table | None, context: Context) -> Score:
    """How often a secret column of a training record is guessed right from its nearest synthetic row.

    The attacker knows all of a record but one column, looks for the synthetic row that is nearest in what he knows, and
    takes its cell for the secret; every column that varies is the secret once. A category must be met; a number may be
    5 % of the real ones away. The reference is the control group: the same attack on held-out records, who were never
    in the training table; what is guessed of them, the population gives away and not their own record. Only the gap
    between the two counts against a generator. The baseline guesses by a random synthetic row. At most 1,000 records a
    side; numbers are compared by rank.

    References:
        A Framework for Evaluating the Analytic Utility and Disclosure Risk of Synthetic Data: correct attribution
        probability (Elliot, 2015; Taub et al., 2018), https://doi.org/10.1007/978-3-319-99771-1_9
    """
    if holdout is None:
        return Score.unavailable("attribute_inference", "lower", "it needs a holdout")
    if why := too_few(real, synthetic, holdout):
        return Score.unavailable("attribute_inference", "lower", why)
    secrets = [name for name, column_N in real.columns.items() if len(np.unique(column_N[~_gap(column_N)])) > 1]
    if not secrets or len(real.columns) < 2:
        why = "it needs two columns, one of which varies"
        return Score.unavailable("attribute_inference", "lower", why)
    rng = generator(context.seed, "attribute")
    n = min(_MOST_ATTACKED, len(holdout), max(200, int(_MOST_GUESSES / (len(synthetic) * len(secrets)))))
    records = real.sample(n, rng), holdout.sample(n, rng)
    hit_NC, control_NC = (_hits(real, synthetic, table, secrets, rng) for table in records)
    random = synthetic.take(rng.integers(len(synthetic), size=len(records[0])))
    chance_C = np.mean([_right(real, random, records[0], name) for name in secrets], axis=1)

    rate_N, control_N = hit_NC.mean(axis=1), control_NC.mean(axis=1)
    value, reference = float(rate_N.mean()), float(control_N.mean())
    half = 1.96 * float(rate_N.std()) / math.sqrt(len(rate_N))
    apart = math.sqrt(rate_N.var() / len(rate_N) + control_N.var() / len(control_N))
    gap = value - reference
    about = (
        f"how often a hidden cell of {n:,} training records is guessed from the nearest synthetic row, over "
        f"{len(secrets)} columns; only what exceeds the held-out control group is a leak; blind to quality"
    )
    detail = {
        "gap": gap,
        "gap_interval": [gap - 1.96 * apart, gap + 1.96 * apart],
        "columns": [
            {"column": plain(name), "value": float(a), "reference": float(b), "baseline": float(c)}
            for name, a, b, c in zip(secrets, hit_NC.mean(axis=0), control_NC.mean(axis=0), chance_C, strict=True)
        ],
    }
    interval = max(0.0, value - half), min(1.0, value + half)
    return Score("attribute_inference", value, reference, "lower", interval, about, float(chance_C.mean()), detail)


def _hits(
    real: Table, synthetic: Table, records: Table, secrets: list[object], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Which secrets of which records are guessed right [N, C]."""
    placed = place(real, records, synthetic, scale=stretched)
    record_ND, synthetic_SD = placed.tables
    guess_CN = _nearest_without(record_ND, synthetic_SD, [placed.columns[name] for name in secrets], rng)
    return np.column_stack(
        [_right(real, synthetic.take(index_N), records, name) for name, index_N in zip(secrets, guess_CN, strict=True)]
    )


def _nearest_without(
    record_ND: Points, synthetic_SD: Points, hidden: list[slice], rng: np.random.Generator
) -> NDArray[np.int64]:
    """For each group of coordinates: the synthetic row that is nearest to each record in all the others.

    Among equally near ones a random one, for each record another.
    """
    S = len(synthetic_SD)
    luck_S = (_LUCK * rng.random(S)).astype(np.float32)
    luck_SS = sliding_window_view(np.concatenate([luck_S, luck_S]), S)  # a view: row n is the draw moved on by n
    index_CN = np.empty((len(hidden), len(record_ND)), np.int64)
    square_S = np.einsum("sd,sd->s", synthetic_SD, synthetic_SD)
    own_DS = [np.ascontiguousarray(synthetic_SD[:, own].T) for own in hidden]
    own_square_S = [np.einsum("ds,ds->s", part_DS, part_DS) for part_DS in own_DS]
    rows = max(1, _BLOCK // S)
    for start in range(0, len(record_ND), rows):
        part_ND = 2 * record_ND[start : start + rows]
        distance_NS = square_S - part_ND @ synthetic_SD.T  # squared, up to a number that is the record's own
        distance_NS += luck_SS[rng.integers(S, size=len(part_ND))]
        for c, own in enumerate(hidden):
            without_NS = part_ND[:, own] @ own_DS[c]
            without_NS += distance_NS
            without_NS -= own_square_S[c]
            index_CN[c, start : start + rows] = without_NS.argmin(axis=1)
    return index_CN


def _right(real: Table, guesses: Table, truths: Table, name: object) -> NDArray[np.bool_]:
    guess_N, truth_N = guesses.columns[name], truths.columns[name]
    if truth_N.dtype == np.int64:
        return np.asarray(guess_N == truth_N)
    known_N = real.columns[name][~np.isnan(real.columns[name])]
    missing_N, both_N = np.isnan(guess_N) | np.isnan(truth_N), np.isnan(guess_N) & np.isnan(truth_N)
    apart_N = np.abs(ranks(known_N, np.nan_to_num(guess_N)) - ranks(known_N, np.nan_to_num(truth_N)))
    return np.where(missing_N, both_N, apart_N <= _NEAR)


def _gap(column_N: Column) -> NDArray[np.bool_]:
    return np.isnan(column_N) if column_N.dtype == np.float64 else column_N == 0
