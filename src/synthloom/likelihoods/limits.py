"""Drawing a cell within limits: its distribution, cut to what is allowed, and how much of it that was.

Exact: a choice of which part is allowed counts with the mass of that part, and its number is drawn from the truncated
normal. Nothing is rejected.

Legend: B rows, K choices, P parts of choices, O ways to obey (choices and parts), U and V values of a first and of a
second digit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from synthloom.spec import Limit

__all__ = ["Choice", "choose", "choose_digits", "log_between", "truncated"]


class Choice(NamedTuple):
    """Choices within a limit, the ends of the numbers that may go with them, and the log of what mass was allowed."""

    choice_B: Tensor
    low_B: Tensor
    high_B: Tensor
    log_mass_B: Tensor


def choose(
    logits_BK: Tensor, score: Callable[[Tensor], tuple[Tensor, Tensor]], limit: Limit, temperature: float
) -> Choice:
    """Draw within a limit; `score` says mean and sigma of the number that goes with each of some choices [B or 1, P].

    Where a row has nothing left to choose from, its mass is 0 and the choice is one that is not allowed.
    """
    B = len(logits_BK)
    log_share_BK = logits_BK.double().log_softmax(1)
    log_open_BK = log_share_BK.masked_fill(~limit.open_BK, -math.inf)
    mean_BP, sigma_BP = score(limit.choice_BP)
    log_part_BP = log_share_BK.gather(1, limit.choice_BP.expand(B, -1))
    log_part_BP = log_part_BP + log_between((limit.low_BP - mean_BP) / sigma_BP, (limit.high_BP - mean_BP) / sigma_BP)
    log_BO = torch.cat([log_open_BK, log_part_BP], 1)
    way_B = _pick(log_BO, temperature)
    # behind the choices, whose numbers are free, lie the parts
    every_BK = torch.arange(logits_BK.shape[1], device=way_B.device).expand(B, -1)
    free_BK = torch.full_like(log_open_BK, math.inf)

    def of_way(for_choices: Tensor, for_parts: Tensor) -> Tensor:
        return torch.cat([for_choices, for_parts.expand(B, -1)], 1).gather(1, way_B[:, None])[:, 0]

    return Choice(
        of_way(every_BK, limit.choice_BP),
        of_way(-free_BK, limit.low_BP),
        of_way(free_BK, limit.high_BP),
        log_BO.logsumexp(1),
    )


def choose_digits(first_BU: Tensor, second: Callable[[int], Tensor], limit: Limit, temperature: float) -> Choice:
    """The same for a column that is spelled with two digits; `second` gives the logits of the second after a first.

    Nobody holds a logit for each choice: what a first digit leaves open is summed up one first digit after the other,
    and of those alone that are open in part. A part of a choice counts as all of it. One row of limits for all.
    """
    B, U = first_BU.shape
    open_K = limit.open_BK[0].clone()
    open_K[limit.choice_BP[0]] = True
    V = -(-len(open_K) // U)
    open_UV = torch.nn.functional.pad(open_K, (0, U * V - len(open_K))).view(U, V)
    log_BU = first_BU.double().log_softmax(1).masked_fill(~open_UV.any(1), -math.inf)
    partly = (open_UV.any(1) & ~open_UV.all(1)).nonzero()[:, 0].tolist()
    for u in partly:
        log_BU[:, u] += second(u).double().log_softmax(1).masked_fill(~open_UV[u], -math.inf).logsumexp(1)
    u_B = _pick(log_BU, temperature)
    v_B = torch.zeros_like(u_B)
    for u in set(u_B.tolist()):
        own = u_B == u
        v_B[own] = _pick(second(u)[own].double().masked_fill(~open_UV[u], -math.inf), temperature)
    free_B = torch.full((B,), math.inf, dtype=torch.float64, device=u_B.device)
    choice_B = (u_B * V + v_B).clamp(max=len(open_K) - 1)
    return Choice(choice_B, -free_B, free_B, log_BU.logsumexp(1))


def truncated(mean_B: Tensor, sigma_B: Tensor, picked: Choice) -> Tensor:
    """Draws of normal distributions cut to the ends that were picked; with no spread, the number nearest the mean.

    >>> ends = torch.full((1000,), 8.0), torch.full((1000,), torch.inf)
    >>> half = truncated(torch.zeros(1000), torch.ones(1000), Choice(torch.zeros(1000), *ends, torch.zeros(1000)))
    >>> 8 <= half.min() < half.mean() < 8.2
    tensor(True)
    """
    low_B, high_B = picked.low_B, picked.high_B
    if not sigma_B.any():
        return torch.minimum(torch.maximum(mean_B.double(), low_B), high_B).float()
    a, b = (low_B - mean_B.double()) / sigma_B, (high_B - mean_B.double()) / sigma_B
    # on the left of the mean there are numbers for even the smallest probabilities
    side = torch.where(a > 0, -1.0, 1.0)
    a, b = torch.where(side < 0, -b, a), torch.where(side < 0, -a, b)
    below = torch.special.ndtr(a)
    x = torch.special.ndtri(below + torch.rand_like(a) * (torch.special.ndtr(b) - below))
    return (mean_B + side * sigma_B * torch.minimum(torch.maximum(x, a), b)).float()


def log_between(a: Tensor, b: Tensor) -> Tensor:
    """log P(a < x < b) of a standard normal x; of ends that have crossed minus infinity.

    >>> log_between(torch.tensor([-torch.inf, 9.0, 1.0]), torch.tensor([0.0, torch.inf, 0.0]))
    tensor([ -0.6931, -43.6281,     -inf])
    """
    left, right = torch.where(a > 0, -b, a), torch.where(a > 0, -a, b)
    log_left, log_right = torch.special.log_ndtr(left), torch.special.log_ndtr(right)
    log_mass = log_right + torch.log1p(-(log_left - log_right).exp().clamp(max=1))
    return torch.where(a < b, log_mass, -math.inf)


def _pick(log_BO: Tensor, temperature: float) -> Tensor:
    """One of O per row, in proportion to the exponentials; at temperature 0 the likeliest."""
    if temperature == 0:
        return log_BO.argmax(1)
    share_BO = (log_BO / temperature).softmax(1).nan_to_num(0.0).cumsum(1)
    u_B1 = torch.rand(len(share_BO), 1, dtype=share_BO.dtype, device=share_BO.device) * share_BO[:, -1:]
    return torch.searchsorted(share_BO, u_B1, right=True)[:, 0].clamp(max=share_BO.shape[1] - 1)
