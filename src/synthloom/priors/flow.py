"""A small network that carries noise to codes.

Flow Matching for Generative Modeling (Lipman et al., 2023), https://arxiv.org/abs/2210.02747; on the codes of a table
VAE as in Mixed-Type Tabular Data Synthesis with Score-based Diffusion in Latent Space (Zhang et al., 2024),
https://arxiv.org/abs/2310.09656

Legend: N codes, F numbers of a code, C of a condition; K parts of a code.
"""

from __future__ import annotations

import copy
import math
import time

import torch
from torch import Tensor, nn

from synthloom import devices
from synthloom.priors.base import Prior
from synthloom.priors.velocity import PartsVelocity, Velocity

__all__ = ["FlowPrior"]

_CHECK = 100
"""Steps between two looks at the codes held back."""

_HELD = 1000
"""Codes of several parts that are held back at most."""


class FlowPrior(Prior):
    """Noise, moved for one unit of time along a learnt field of velocities, is a code. Where a code has several parts,
    the field is a Transformer's.

    Training stops after `steps` (none: 8,000, or 2,000 of a Transformer; 60 rounds of few codes), after `seconds`, or
    once the tenth of the codes that is held back is no better predicted: a network that goes on would learn the items
    by heart. What is kept is the running mean of its weights.

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
        parts: int = 1,
        *,
        width: int | None = None,
        blocks: int = 3,
        steps: int | None = None,
        seconds: float | None = None,
        batch: int = 256,
        patience: int = 6,
    ) -> None:
        super().__init__(size, condition, parts)
        self.steps = steps or (8000 if parts == 1 else 2000)
        self.seconds, self.batch, self.patience = seconds, batch, patience
        self.velocity: nn.Module
        if parts == 1:
            self.velocity = Velocity(size, condition, width or 512, blocks).requires_grad_(False)
        else:
            self.velocity = PartsVelocity(size, condition, parts, width or 192, blocks).requires_grad_(False)

    def _fit(self, both_NF: Tensor, present_NK: Tensor) -> None:
        N, deadline = len(both_NF), time.monotonic() + (self.seconds or math.inf)
        steps = min(self.steps, max(300, 60 * N // self.batch))
        order_N = torch.randperm(N, device=both_NF.device)
        both_NF, present_NK = both_NF[order_N], present_NK[order_N]
        held = N // 10 if N >= 100 else 0
        held = held if self.parts == 1 else min(_HELD, held)
        held_NF, held_NK, seen_NF, seen_NK = both_NF[:held], present_NK[:held], both_NF[held:], present_NK[held:]
        if self.parts > 1:  # codes of as many parts side by side, so that a batch can be of like ones
            order_N = seen_NK.sum(1).argsort(stable=True)
            seen_NF, seen_NK = seen_NF[order_N], seen_NK[order_N]
        held_noise_NF, held_time_N = torch.randn_like(held_NF[:, self.condition :]), self._times(held_NF)
        student = copy.deepcopy(self.velocity).requires_grad_(True)
        best, best_loss, best_step = copy.deepcopy(self.velocity.state_dict()), math.inf, 0
        optimiser = torch.optim.AdamW(student.parameters(), lr=1e-3, weight_decay=1e-2, fused=True)
        for step in range(steps):
            for group in optimiser.param_groups:  # up within a hundred steps, then down along a cosine
                group["lr"] = 1e-3 * min((step + 1) / 100, 0.5 + 0.5 * math.cos(math.pi * step / steps))
            index = self._batch(len(seen_NF), seen_NF.device)
            batch_NF = seen_NF[index]
            noise_NF = torch.randn_like(batch_NF[:, self.condition :])
            loss = self._loss(student, batch_NF, seen_NK[index], noise_NF, self._times(batch_NF))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimiser.step()
            follow = 1 - min(0.999, (step + 1) / (step + 10))
            for mean, weight in zip(self.velocity.parameters(), student.parameters(), strict=True):
                mean.lerp_(weight.detach(), follow)
            if held and (step + 1) % _CHECK == 0:
                with torch.no_grad():
                    held_loss = self._loss(self.velocity, held_NF, held_NK, held_noise_NF, held_time_N).item()
                if held_loss < best_loss:
                    best, best_loss, best_step = copy.deepcopy(self.velocity.state_dict()), held_loss, step
                elif step - best_step >= self.patience * _CHECK:
                    break
            if time.monotonic() > deadline:
                break
        if best_loss < math.inf:
            self.velocity.load_state_dict(best)

    def _batch(self, N: int, device: torch.device) -> Tensor:
        if self.parts == 1:
            return torch.randint(N, (self.batch,), device=device)
        return (torch.randint(N, (1,), device=device) + torch.arange(self.batch, device=device)) % N

    def _loss(
        self, velocity: nn.Module, both_NF: Tensor, present_NK: Tensor, noise_NF: Tensor, time_N: Tensor
    ) -> Tensor:
        """On the straight way from noise to a code the velocity is their difference."""
        condition_NC, code_NF = both_NF[:, : self.condition], both_NF[:, self.condition :]
        between_NF = torch.lerp(noise_NF, code_NF, time_N[:, None])
        with devices.autocast(code_NF.device):
            found_NF = velocity(between_NF, time_N, condition_NC, present_NK)
        off_NF: Tensor = (found_NF.float() - (code_NF - noise_NF)).square()
        if self.parts == 1:
            return off_NF.mean()
        return off_NF.view(len(off_NF), self.parts, -1)[present_NK].mean()

    def _times(self, like_NF: Tensor) -> Tensor:
        """Uniform, one from each of N equal stretches, which spares the loss some noise."""
        N = len(like_NF)
        return (torch.arange(N, device=like_NF.device) + torch.rand(N, device=like_NF.device)) / max(N, 1)

    def _draw(self, condition_nC: Tensor, present_nK: Tensor, steps: int = 20) -> Tensor:
        x_nF = torch.randn(len(condition_nC), self.size, device=condition_nC.device)
        # in parts, because the network takes many times the memory of the codes
        for rows in torch.arange(len(x_nF), device=x_nF.device).chunk(1 + len(x_nF) // 4096):
            x_nF[rows] = self._move(x_nF[rows], condition_nC[rows], present_nK[rows], steps)
        return x_nF

    def _move(self, x_nF: Tensor, condition_nC: Tensor, present_nK: Tensor, steps: int) -> Tensor:
        """By the midpoint rule: each step with the velocity found half of it ahead."""
        with devices.autocast(x_nF.device):
            for step in range(steps):
                now_n = torch.full_like(x_nF[:, 0], step / steps)
                half_nF = x_nF + self.velocity(x_nF, now_n, condition_nC, present_nK).float() / (2 * steps)
                x_nF = x_nF + self.velocity(half_nF, now_n + 0.5 / steps, condition_nC, present_nK).float() / steps
        return x_nF
