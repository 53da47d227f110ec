"""One vector per item: the diagonal Gaussian of the ordinary VAE.

Auto-Encoding Variational Bayes (Kingma & Welling, 2013), https://arxiv.org/abs/1312.6114

Legend: B items, Z latent dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from synthloom.latents import Latent

__all__ = ["Gaussian", "GaussianLatent"]


@dataclass(frozen=True)
class Gaussian:
    """N(mu, sigma^2) in each dimension, held against N(0, 1).

    >>> same = Gaussian(torch.zeros(1, 3), torch.ones(1, 3))
    >>> same.kl()["gaussian"].item()
    0.0
    """

    mu_BZ: Tensor
    sigma_BZ: Tensor

    def __len__(self) -> int:
        return len(self.mu_BZ)

    def draw(self, temperature: float = 1.0) -> Tensor:
        return self.mu_BZ + temperature * self.sigma_BZ * torch.randn_like(self.mu_BZ)

    @property
    def mean(self) -> Tensor:
        return self.mu_BZ

    def kl(self) -> dict[str, Tensor]:
        variance_BZ = self.sigma_BZ.square()
        return {"gaussian": 0.5 * (self.mu_BZ.square() + variance_BZ - 1 - variance_BZ.log()).sum(1)}

    def mix(self, other: Gaussian, t: float) -> Gaussian:
        return Gaussian(
            torch.lerp(self.mu_BZ, other.mu_BZ, t),
            torch.lerp(self.sigma_BZ, other.sigma_BZ, t),
        )


class GaussianLatent(Latent):
    """Features to mean and spread by one linear map each."""

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.mu = nn.Linear(features, size)
        self.log_variance = nn.Linear(features, size)

    def forward(self, features: Tensor) -> Gaussian:
        # full precision, and a range in which neither the exponential nor its logarithm overflows
        log_variance_BZ = self.log_variance(features).float().clamp(-30, 20)
        return Gaussian(self.mu(features).float(), (0.5 * log_variance_BZ).exp())

    def prior(self, n: int, condition_BC: Tensor | None = None) -> Gaussian:
        zeros_BZ = self.mu.weight.new_zeros(n, self.size)
        return Gaussian(zeros_BZ, torch.ones_like(zeros_BZ))

    def point(self, code: Tensor) -> Gaussian:
        return Gaussian(code, torch.zeros_like(code))

    def flat(self, code: Tensor) -> Tensor:
        return code

    def unflat(self, code_BF: Tensor, condition_BC: Tensor) -> Tensor:
        return code_BF
