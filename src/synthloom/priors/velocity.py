"""Networks that say where a point on its way from noise to a code is heading, at which time and under which condition.

Legend: N codes, F numbers of a code, C of a condition, W width of the network; K parts of a code, P numbers of each.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from synthloom.nets.transformer import Encoder

__all__ = ["PartsVelocity", "Velocity"]

_FREQUENCIES = 16


class _Told(nn.Sequential):
    """Time and condition as one vector."""

    def __init__(self, condition: int, width: int) -> None:
        super().__init__(nn.Linear(2 * _FREQUENCIES + condition, width), nn.SiLU())

    def of(self, time_N: Tensor, condition_NC: Tensor) -> Tensor:
        angle_NQ = time_N[:, None] * torch.logspace(0, 2, _FREQUENCIES, device=time_N.device)
        told_NW: Tensor = self(torch.cat([angle_NQ.sin(), angle_NQ.cos(), condition_NC], dim=1))
        return told_NW


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)

    def forward(self, h_NW: Tensor, told_NW: Tensor) -> Tensor:
        out_NW: Tensor = h_NW + self.outer(nn.functional.silu(self.inner(self.norm(h_NW) + told_NW)))
        return out_NW


class Velocity(nn.Module):
    """For codes of one part: residual blocks."""

    def __init__(self, size: int, condition: int, width: int, blocks: int) -> None:
        super().__init__()
        self.told = _Told(condition, width)
        self.first = nn.Linear(size, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, size)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x_NF: Tensor, time_N: Tensor, condition_NC: Tensor, present_NK: Tensor) -> Tensor:
        told_NW = self.told.of(time_N, condition_NC)
        h_NW = self.first(x_NF)
        for block in self.blocks:
            h_NW = block(h_NW, told_NW)
        velocity_NF: Tensor = self.last(self.norm(h_NW))
        return velocity_NF


class PartsVelocity(nn.Module):
    """For codes that are a row of vectors: a Transformer, in which those that are there see each other."""

    def __init__(self, size: int, condition: int, parts: int, width: int, layers: int) -> None:
        super().__init__()
        self.parts = parts
        self.told = _Told(condition, width)
        self.first = nn.Linear(size // parts, width)
        self.place = nn.Embedding(parts, width)
        self.encoder = Encoder(width, layers, heads=max(1, width // 32))
        self.last = nn.Linear(width, size // parts)
        nn.init.normal_(self.place.weight, std=0.3)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x_NF: Tensor, time_N: Tensor, condition_NC: Tensor, present_NK: Tensor) -> Tensor:
        most = max(1, int(present_NK.sum(1).max())) if len(x_NF) else 1  # what nobody has is not computed
        mask_NK = present_NK[:, :most]
        told_N1W = self.told.of(time_N, condition_NC)[:, None]
        h_NKW = self.first(x_NF.view(len(x_NF), self.parts, -1)[:, :most]) + self.place.weight[:most]
        for layer in self.encoder.layers:
            h_NKW = layer(h_NKW + told_N1W, mask_NK)
        velocity_NKP = self.last(self.encoder.norm(h_NKW))
        return nn.functional.pad(velocity_NKP, (0, 0, 0, self.parts - most)).flatten(1)
