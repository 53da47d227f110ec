"""Drawing rows that agree with what is given: whole rows, where enough of them happen to; else codes first, by how well
they carry it, then the rest of each row.

Legend: B rows, C columns, G groups of rows that know the same, P codes of a group's pool, R rows of a group.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor

from synthloom.likelihoods import RowLikelihood
from synthloom.spec import Limit, Limits, TableBatch
from synthloom.vae import VAE

__all__ = ["draw_given"]

_POOL = 64
"""Codes among which those that carry a row's condition are looked for, at the least."""

_LARGEST_POOL = 16_384
"""... and at the most, however many rows share the condition."""

_CONDITIONS = 16
"""As many groups may be conditions that whole rows are looked through for; more of them are rows given one by one."""


def draw_given(
    net: VAE,
    given: TableBatch,
    limits: Limits,
    first: list[int],
    *,
    learned: bool,
    at_once: int,
    each: int = 16,
) -> tuple[TableBatch, float]:
    """Rows that agree with what `given` knows and keep to the limits; those of the columns of `first` are conditions.

    Whole rows come first: those that happen to agree are as good as any, and better than what is written around a
    condition, since whole rows are what a model is set straight by. Where fewer than one in `each` agrees, codes are
    drawn from the prior and chosen in proportion to how likely they make what is given, from pools of `each` for every
    row; the rest of the row then follows from the code and from what is given, and nothing is rejected. Also says what
    share of the codes carried the condition (their effective number over all): where it is tiny, rows that ask for it
    grow alike. Whole rows have a code of their own each.
    """
    keys = torch.cat([given.choice_BC.double(), given.value_BC.double(), given.known_BC.double()], 1)
    _, group_B, rows_G = torch.unique(keys, dim=0, return_inverse=True, return_counts=True)
    drawn: list[TableBatch] = []
    order, shares = [], []
    left_B = torch.ones_like(group_B, dtype=torch.bool)
    for group in range(len(rows_G)) if len(rows_G) <= _CONDITIONS else ():
        member = (group_B == group).nonzero()[:, 0]
        whole = _whole(net, given.take(member[:1]), len(member), limits, first, learned, at_once, each)
        drawn.append(whole)
        order.append(member[: len(whole)])
        shares.append(torch.ones(len(whole), dtype=torch.float64, device=group_B.device))
        left_B[order[-1]] = False
    # groups of about the same number of rows are served together, each from a pool that suits that number
    magnitude_G = rows_G.log2().div(2).ceil()
    left_G = group_B[left_B].unique()
    for magnitude in magnitude_G[left_G].unique().tolist():
        most = int(4**magnitude)
        pool = min(max(_POOL, each * most), _LARGEST_POOL)
        alike = left_G[magnitude_G[left_G] == magnitude]
        for part in torch.split(alike, max(1, _LARGEST_POOL // max(pool, most))):
            member = (torch.isin(group_B, part) & left_B).nonzero()[:, 0]
            place = torch.searchsorted(part, group_B[member])
            draw = _Groups(net, limits, first, learned, at_once, pool)
            rows, share_G = draw(given.take(member), place, len(part))
            drawn.append(rows)
            shares.append(share_G[place])
            order.append(member)
    back = torch.cat(order).argsort()
    return TableBatch.cat(drawn).take(back), float(torch.cat(shares).mean())


def _whole(
    net: VAE,
    given: TableBatch,
    rows: int,
    limits: Limits,
    first: list[int],
    learned: bool,
    at_once: int,
    each: int,
) -> TableBatch:
    """At most so many whole rows that agree with the one of `given`: as long as one in `each` does."""

    def others(c: int, written: TableBatch) -> Limit | None:
        return None if c in first else limits(c, written)

    kept = [TableBatch.unknown(0, given.known_BC.shape[1], given.known_BC.device)]
    have = drawn = 0
    while have < rows and drawn <= each * have:
        likely = have / drawn if drawn else 1 / each
        some = min(at_once, math.ceil(1.1 * (rows - have) / likely))
        like = cast("RowLikelihood", net.generate(net.prior(some, learned=learned).draw()))
        row = like.draw(limits=others)
        kept.append(row.take(_agrees(row, given, limits, first).nonzero()[: rows - have, 0]))
        have, drawn = have + len(kept[-1]), drawn + some
    return TableBatch.cat(kept)


def _agrees(row: TableBatch, given: TableBatch, limits: Limits, first: list[int]) -> Tensor:
    """Which rows [B] say what is given, and what they say in the columns of `first` is within its limits."""
    same_BC = (row.choice_BC == given.choice_BC) & (row.value_BC == given.value_BC)
    good_B = (same_BC | ~given.known_BC).all(1)
    for c in first:
        if (limit := limits(c, row)) is not None:
            good_B &= limit.admits(row.choice_BC[:, c], row.value_BC[:, c])
    return good_B


class _Groups:
    """`draw_given` for groups of rows, all rows of a group knowing the same, from pools of one size."""

    def __init__(self, net: VAE, limits: Limits, first: list[int], learned: bool, at_once: int, pool: int) -> None:
        self.net, self.limits, self.first, self.learned = net, limits, first, learned
        self.at_once, self.pool = at_once, pool

    def __call__(self, given: TableBatch, group_B: Tensor, groups: int) -> tuple[TableBatch, Tensor]:
        pool, latent = self.pool, self.net.latent
        order = group_B.argsort(stable=True)
        rows_G = torch.bincount(group_B, minlength=groups)
        begin_G = rows_G.cumsum(0) - rows_G
        rank_B = torch.empty_like(group_B)
        rank_B[order] = torch.arange(len(group_B), device=group_B.device) - begin_G.repeat_interleave(rows_G)
        flat, condition, told, log_B = self._pools(given.take(order[begin_G]))
        weight_GP = torch.softmax(log_B.view(groups, pool), 1).nan_to_num(1 / pool)  # where no code carries it, any
        # systematic draws: every code as often as it deserves, give or take one
        start_G = torch.rand(groups, dtype=torch.float64, device=group_B.device)
        step_GR = (torch.arange(int(rows_G.max()), device=group_B.device) + start_G[:, None]) / rows_G[:, None]
        chosen_GR = torch.searchsorted(weight_GP.cumsum(1), step_GR).clamp(max=pool - 1)
        chosen_B = group_B * pool + chosen_GR[group_B, rank_B]
        parts = []
        for chosen in torch.split(chosen_B, self.at_once):
            like = self._generate(latent.unflat(flat[chosen], condition[chosen]))
            parts.append(like.draw(told.take(chosen), limits=self.limits, first=self.first))
        return TableBatch.cat(parts), 1 / weight_GP.square().sum(1) / pool

    def _pools(self, given: TableBatch) -> tuple[Tensor, Tensor, TableBatch, Tensor]:
        """A pool of codes for each row of `given`: flat, what they are conditional on, what they know, their weight."""
        latent = self.net.latent
        asked = given.take(torch.arange(len(given), device=given.known_BC.device).repeat_interleave(self.pool))
        flats, conditions, rows, logs = [], [], [], []
        for part in torch.split(torch.arange(len(asked), device=given.known_BC.device), self.at_once):
            code = self.net.prior(len(part), learned=self.learned).draw()
            flats.append(latent.flat(code))
            conditions.append(latent.condition(code))
            told, log_B = self._generate(code).weigh(asked.take(part), self.limits, self.first)
            rows.append(told)
            logs.append(log_B)
        return torch.cat(flats), torch.cat(conditions), TableBatch.cat(rows), torch.cat(logs)

    def _generate(self, code: object) -> RowLikelihood:
        return cast("RowLikelihood", self.net.generate(code))
