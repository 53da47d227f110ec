"""One vector per item: the diagonal Gaussian of the ordinary VAE.

Auto-Encoding Variational Bayes (Kingma & Welling, 2013), https://arxiv.org/abs/1312.6114

Legend: B items, Z latent dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from synthloom.latents import Latent

__all__ = ["Gaussian", "GaussianLatent"]


@dataclass(frozen=True)
class Gaussian:
    """N(mu, sigma^2) in each dimension, held against N(0, 1).

    >>> same = Gaussian(torch.zeros(1, 3), torch.zeros(1, 3))
    >>> same.kl()["gaussian"].item()
    0.0
    """

    mu_BZ: Tensor
    log_sigma_BZ: Tensor

    def __len__(self) -> int:
        return len(self.mu_BZ)

    def draw(self, temperature: float = 1.0) -> Tensor:
        return torch.addcmul(self.mu_BZ, self.log_sigma_BZ.exp(), torch.randn_like(self.mu_BZ), value=temperature)

    @property
    def mean(self) -> Tensor:
        return self.mu_BZ

    def kl(self) -> dict[str, Tensor]:
        nats_B, _ = _Nats.apply(self.mu_BZ, self.log_sigma_BZ)  # type: ignore[no-untyped-call]
        return {"gaussian": nats_B}

    def log_ratio(self, code: Tensor) -> Tensor:
        """log p(z) - log q(z) [B] of these codes: minus the KL, on average over draws."""
        score_BZ = (code - self.mu_BZ) * (-self.log_sigma_BZ).exp()
        return (0.5 * (score_BZ.square() - code.square()) + self.log_sigma_BZ).sum(1)

    def mix(self, other: Gaussian, t: float) -> Gaussian:
        return Gaussian(
            torch.lerp(self.mu_BZ, other.mu_BZ, t),
            torch.lerp(self.log_sigma_BZ.exp(), other.log_sigma_BZ.exp(), t).log(),
        )


class _Nats(torch.autograd.Function):
    """KL(N(mu, sigma^2) | N(0, 1)) [B].

    Its gradients are mu and sigma^2 - 1: two passes, where autograd would take a dozen.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(mu_BZ: Tensor, log_sigma_BZ: Tensor) -> tuple[Tensor, Tensor]:
        excess_BZ = (2 * log_sigma_BZ).exp().sub(1)
        return 0.5 * torch.addcmul(excess_BZ, mu_BZ, mu_BZ).sum(1) - log_sigma_BZ.sum(1), excess_BZ

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(inputs[0], output[1])

    @staticmethod
    def backward(ctx: Any, *grad_B: Tensor) -> tuple[Tensor, Tensor]:
        mu_BZ, excess_BZ = ctx.saved_tensors
        return grad_B[0][:, None] * mu_BZ, grad_B[0][:, None] * excess_BZ


class GaussianLatent(Latent):
    """Features to means and log spreads by one linear map."""

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.moments = nn.Linear(features, 2 * size)

    def forward(self, features: Tensor) -> Gaussian:
        mu_BZ, log_sigma_BZ = self.moments(features).float().chunk(2, dim=1)
        return Gaussian(mu_BZ, log_sigma_BZ)

    def prior(self, n: int, condition_BC: Tensor | None = None) -> Gaussian:
        zeros_BZ = self.moments.weight.new_zeros(n, self.size)
        return Gaussian(zeros_BZ, zeros_BZ)

    def point(self, code: Tensor) -> Gaussian:
        return Gaussian(code, torch.full_like(code, -torch.inf))

    def flat(self, code: Tensor) -> Tensor:
        return code

    def unflat(self, code_BF: Tensor, condition_BC: Tensor) -> Tensor:
        return code_BF

    def hush(self, code: Tensor, which_B: Tensor) -> Tensor:
        return code.masked_fill(which_B[:, None], 0)
