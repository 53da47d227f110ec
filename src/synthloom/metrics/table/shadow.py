"""Membership by shadow models: the strongest attack here, for who can train the generator again and again.

Legend: M models, N records.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthloom.errors import UsageError
from synthloom.metrics.score import Roles, Score, area
from synthloom.metrics.table.copies import FEWEST_ROWS
from synthloom.metrics.table.points import nearest, place, stretched
from synthloom.metrics.table.read import read_tables
from synthloom.rng import generator

__all__ = ["shadow_membership"]

_TINY = 1e-6


def shadow_membership(
    fit_and_sample: Callable[[pd.DataFrame, int], pd.DataFrame],
    real: pd.DataFrame,
    *,
    models: int = 8,
    most: int = 1_000,
    columns: Roles | None = None,
    seed: int = 0,
) -> Score:
    """How well an attacker who knows the training method tells members from others: an AUC.

    `fit_and_sample(rows, seed)` trains a generator on the rows and returns as many synthetic ones; it is called
    `models` times, each time with a random half of `real`, so that every record is a member of about half of the
    models. For each record the log distance to the nearest synthetic row is compared with what it is in the OTHER
    models, with and without the record: the log ratio of two Gaussians of equal spread. The value is over at most
    1,000 records and all models; the detail tells the worst-off tenth of the records, the most isolated ones.

    References:
        Synthetic Data -- Anonymisation Groundhog Day (Stadler et al., 2022), https://arxiv.org/abs/2011.07018
        Membership Inference Attacks From First Principles (Carlini et al., 2022), https://arxiv.org/abs/2112.03570

    >>> people = pd.DataFrame({"age": np.random.default_rng(0).normal(40, 9, 400)})
    >>> shadow_membership(lambda rows, seed: rows, people, models=4).value > 0.9  # a generator that copies
    True
    """
    if models < 4:
        raise UsageError(
            f"models must be at least 4, to have some with and some without each record, however: {models}"
        )
    if len(real) < FEWEST_ROWS:
        why = f"below {FEWEST_ROWS} rows chance decides, however: {len(real)}"
        return Score.unavailable("shadow_membership", "lower", why)
    rng = generator(seed, "shadow")
    order_N = rng.permutation(len(real))
    inside_MN = rng.random((models, len(real))).argsort(axis=0) < models // 2  # every record is in half of the models
    attacked_N = order_N[:most]
    near_MN = np.empty((models, len(attacked_N)))
    out_N = np.zeros(len(attacked_N))
    for m in range(models):
        synthetic = fit_and_sample(real[inside_MN[m]].reset_index(drop=True), m)
        tables, _ = read_tables({"real": real, "synthetic": synthetic}, columns)
        record_ND, synthetic_SD, real_ND = place(
            tables[0], tables[0].take(attacked_N), tables[1], tables[0], scale=stretched
        ).tables
        near_MN[m] = np.log(nearest(record_ND, synthetic_SD)[0] + _TINY)
        if m == 0:
            out_N = nearest(real_ND, real_ND, itself=True)[0][attacked_N]
    inside_MN = inside_MN[:, attacked_N]
    signal_MN = _likelihood_ratio(near_MN, inside_MN)
    value, interval = area(signal_MN[inside_MN], signal_MN[~inside_MN])
    far_MN = np.broadcast_to(out_N >= np.quantile(out_N, 0.9), inside_MN.shape)
    worst, worst_interval = area(signal_MN[inside_MN & far_MN], signal_MN[~inside_MN & far_MN])
    return Score(
        "shadow_membership",
        value,
        0.5,
        "lower",
        interval,
        f"how often an attacker with {models} models of his own ranks a training record above another, over "
        f"{len(attacked_N):,} records: 0.5 is a coin",
        None,
        {"outliers": worst, "outliers_interval": list(worst_interval)},
    )


def _likelihood_ratio(near_MN: NDArray[np.float64], inside_MN: NDArray[np.bool_]) -> NDArray[np.float64]:
    """log p(distance | member) - log p(distance | not), each as the other models have it, up to their common spread."""
    signal_MN = np.empty_like(near_MN)
    for m in range(len(near_MN)):
        others_M = np.arange(len(near_MN)) != m
        near, inside = near_MN[others_M], inside_MN[others_M]
        with_N = (near * inside).sum(axis=0) / np.maximum(inside.sum(axis=0), 1)
        without_N = (near * ~inside).sum(axis=0) / np.maximum((~inside).sum(axis=0), 1)
        signal_MN[m] = (near_MN[m] - without_N) ** 2 - (near_MN[m] - with_N) ** 2
    return signal_MN
