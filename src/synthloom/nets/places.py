"""Which vector of a code is which, as coordinates: nobody has to be told what is the same for all items.

Attention Is All You Need (Vaswani et al., 2017), https://arxiv.org/abs/1706.03762, for the sinusoids.

Legend: N places, Q coordinates.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["sinusoids"]


def sinusoids(places: int, width: int) -> Tensor:
    """Waves from one of six places to one that the whole row is a quarter of [N, Q]; every place has the same norm.

    >>> sinusoids(5, 4).square().sum(1)
    tensor([2., 2., 2., 2., 2.])
    """
    length_W = torch.logspace(0, math.log10(max(places, 2) * 2 / math.pi), width // 2)
    angle_NW = torch.arange(places)[:, None] / length_W
    return torch.stack([angle_NW.sin(), angle_NW.cos()], dim=2).flatten(1)
