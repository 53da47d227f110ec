"""A small network that carries noise to codes.

Flow Matching for Generative Modeling (Lipman et al., 2023), https://arxiv.org/abs/2210.02747; on the codes of a table
VAE as in Mixed-Type Tabular Data Synthesis with Score-based Diffusion in Latent Space (Zhang et al., 2024),
https://arxiv.org/abs/2310.09656

Legend: N codes, F numbers of a code, C of a condition, W width of the network.
"""

from __future__ import annotations

import copy
import math
import time

import torch
from torch import Tensor, nn

from synthloom import devices
from synthloom.priors.base import Prior

__all__ = ["FlowPrior"]

_CHECK = 100
"""Steps between two looks at the codes held back."""

_FREQUENCIES = 16


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)

    def forward(self, h_NW: Tensor, told_NW: Tensor) -> Tensor:
        out_NW: Tensor = h_NW + self.outer(nn.functional.silu(self.inner(self.norm(h_NW) + told_NW)))
        return out_NW


class _Velocity(nn.Module):
    """Where a point on its way from noise to a code is heading: residual blocks that are told time and condition."""

    def __init__(self, size: int, condition: int, width: int, blocks: int) -> None:
        super().__init__()
        self.told = nn.Sequential(nn.Linear(2 * _FREQUENCIES + condition, width), nn.SiLU())
        self.first = nn.Linear(size, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, size)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x_NF: Tensor, time_N: Tensor, condition_NC: Tensor) -> Tensor:
        angle_NQ = time_N[:, None] * torch.logspace(0, 2, _FREQUENCIES, device=x_NF.device)
        told_NW = self.told(torch.cat([angle_NQ.sin(), angle_NQ.cos(), condition_NC], dim=1))
        h_NW = self.first(x_NF)
        for block in self.blocks:
            h_NW = block(h_NW, told_NW)
        velocity_NF: Tensor = self.last(self.norm(h_NW))
        return velocity_NF


class FlowPrior(Prior):
    """Noise, moved for one unit of time along a learnt field of velocities, is a code.

    Training stops after `steps` (or 60 rounds of few codes), after `seconds`, or once the tenth of the codes that is
    held back is no better predicted: a network that goes on would learn the items by heart. What is kept is the running
    mean of its weights.

    >>> _ = torch.manual_seed(0)
    >>> prior = FlowPrior(size=2, width=32, steps=100)
    >>> prior.fit(torch.randn(500, 2) * 0.1 + 3)
    >>> (prior.draw(100) - 3).abs().mean() < 0.2
    tensor(True)
    """

    def __init__(
        self,
        size: int,
        condition: int = 0,
        *,
        width: int = 512,
        blocks: int = 3,
        steps: int = 2000,
        seconds: float | None = None,
        batch: int = 256,
        patience: int = 6,
    ) -> None:
        super().__init__(size, condition)
        self.steps, self.seconds, self.batch, self.patience = steps, seconds, batch, patience
        self.velocity = _Velocity(size, condition, width, blocks).requires_grad_(False)

    def _fit(self, both_NF: Tensor) -> None:
        N, deadline = len(both_NF), time.monotonic() + (self.seconds or math.inf)
        steps = min(self.steps, max(300, 60 * N // self.batch))
        both_NF = both_NF[torch.randperm(N, device=both_NF.device)]
        held = N // 10 if N >= 100 else 0
        held_NF, seen_NF = both_NF[:held], both_NF[held:]
        held_noise_NF, held_time_N = torch.randn_like(held_NF[:, self.condition :]), self._times(held_NF)
        student = copy.deepcopy(self.velocity).requires_grad_(True)
        best, best_loss, best_step = copy.deepcopy(self.velocity.state_dict()), math.inf, 0
        optimiser = torch.optim.AdamW(student.parameters(), lr=1e-3, weight_decay=1e-2, fused=True)
        for step in range(steps):
            for group in optimiser.param_groups:  # up within a hundred steps, then down along a cosine
                group["lr"] = 1e-3 * min((step + 1) / 100, 0.5 + 0.5 * math.cos(math.pi * step / steps))
            batch_NF = seen_NF[torch.randint(len(seen_NF), (self.batch,), device=seen_NF.device)]
            noise_NF = torch.randn_like(batch_NF[:, self.condition :])
            loss = self._loss(student, batch_NF, noise_NF, self._times(batch_NF))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimiser.step()
            follow = 1 - min(0.999, (step + 1) / (step + 10))
            for mean, weight in zip(self.velocity.parameters(), student.parameters(), strict=True):
                mean.lerp_(weight.detach(), follow)
            if held and (step + 1) % _CHECK == 0:
                with torch.no_grad():
                    held_loss = self._loss(self.velocity, held_NF, held_noise_NF, held_time_N).item()
                if held_loss < best_loss:
                    best, best_loss, best_step = copy.deepcopy(self.velocity.state_dict()), held_loss, step
                elif step - best_step >= self.patience * _CHECK:
                    break
            if time.monotonic() > deadline:
                break
        if best_loss < math.inf:
            self.velocity.load_state_dict(best)

    def _loss(self, velocity: nn.Module, both_NF: Tensor, noise_NF: Tensor, time_N: Tensor) -> Tensor:
        """On the straight way from noise to a code the velocity is their difference."""
        condition_NC, code_NF = both_NF[:, : self.condition], both_NF[:, self.condition :]
        between_NF = torch.lerp(noise_NF, code_NF, time_N[:, None])
        with devices.autocast(code_NF.device):
            found_NF = velocity(between_NF, time_N, condition_NC)
        loss: Tensor = (found_NF.float() - (code_NF - noise_NF)).square().mean()
        return loss

    def _times(self, like_NF: Tensor) -> Tensor:
        """Uniform, one from each of N equal stretches, which spares the loss some noise."""
        N = len(like_NF)
        return (torch.arange(N, device=like_NF.device) + torch.rand(N, device=like_NF.device)) / max(N, 1)

    def _draw(self, condition_nC: Tensor, steps: int = 20) -> Tensor:
        x_nF = torch.randn(len(condition_nC), self.size, device=condition_nC.device)
        # in parts, because the network takes many times the memory of the codes
        for rows in torch.arange(len(x_nF), device=x_nF.device).chunk(1 + len(x_nF) // 4096):
            x_nF[rows] = self._move(x_nF[rows], condition_nC[rows], steps)
        return x_nF

    def _move(self, x_nF: Tensor, condition_nC: Tensor, steps: int) -> Tensor:
        """By the midpoint rule: each step with the velocity found half of it ahead."""
        with devices.autocast(x_nF.device):
            for step in range(steps):
                now_n = torch.full_like(x_nF[:, 0], step / steps)
                half_nF = x_nF + self.velocity(x_nF, now_n, condition_nC).float() / (2 * steps)
                x_nF = x_nF + self.velocity(half_nF, now_n + 0.5 / steps, condition_nC).float() / steps
        return x_nF
