"""Which vector of a code is which, as coordinates: nobody has to be told what is the same for all items.

Attention Is All You Need (Vaswani et al., 2017), https://arxiv.org/abs/1706.03762, for the sinusoids.

Legend: N places, Q coordinates, D width of what is read.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["reading", "sinusoids"]


def sinusoids(places: int, width: int) -> Tensor:
    """Waves from one of six places to one that the whole row is a quarter of [N, Q]; every place has the same norm.

    >>> sinusoids(5, 4).square().sum(1)
    tensor([2., 2., 2., 2., 2.])
    """
    length_W = torch.logspace(0, math.log10(max(places, 2) * 2 / math.pi), width // 2)
    angle_NW = torch.arange(places)[:, None] / length_W
    return torch.stack([angle_NW.sin(), angle_NW.cos()], dim=2).flatten(1)


def reading(shown_ND: Tensor, asked_NQ: Tensor) -> Tensor:
    """The matrix [Q, D] that best makes `asked` of `shown`, to which something else of size one is added (a piece).

    >>> shown, asked = 2 * sinusoids(20, 64), sinusoids(20, 4)
    >>> off = shown @ reading(shown, asked).T - asked
    >>> bool(off.square().mean() < 0.05 * asked.square().mean())
    True
    """
    N, D = shown_ND.shape
    best_DQ: Tensor = torch.linalg.solve(shown_ND.T @ shown_ND + N * torch.eye(D), shown_ND.T @ asked_NQ)
    return best_DQ.T
