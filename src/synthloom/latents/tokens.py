"""One Gaussian vector for each token, for every few of them, or for all together.

What a variable number of vectors is worth, and how many are, is asked with these beside NVIB in A VAE for Transformers
with Nonparametric Variational Information Bottleneck (Henderson & Fehr, 2022), https://arxiv.org/abs/2207.13529.

Legend: B items, n tokens, N vectors, P width of a vector, D width of the features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from synthloom.errors import UsageError
from synthloom.latents import Latent
from synthloom.nets.places import sinusoids

__all__ = ["TokenGaussians", "TokenLatent", "Vectors"]

Vectors = tuple[Tensor, Tensor]
"""A code: vectors [B, N, P] and which of them there are [B, N]."""


@dataclass(frozen=True)
class TokenGaussians:
    """N(mu, sigma^2) for each vector, held against N(0, 1); without sigma they are points, and cost nothing.

    >>> mask = torch.ones(1, 2, dtype=torch.bool)
    >>> TokenGaussians(torch.ones(1, 2, 3), torch.ones(1, 2, 3), mask).kl()["gaussian"]
    tensor([3.])
    """

    mu_BNP: Tensor
    sigma_BNP: Tensor | None
    mask_BN: Tensor
    place_NQ: Tensor | None = None  # coordinates that are known beforehand, of as many vectors as there may be

    def __len__(self) -> int:
        return len(self.mu_BNP)

    def draw(self, temperature: float = 1.0) -> Vectors:
        if self.sigma_BNP is None:
            return self.mean
        return self._placed(self.mu_BNP + temperature * self.sigma_BNP * torch.randn_like(self.mu_BNP))

    @property
    def mean(self) -> Vectors:
        return self._placed(self.mu_BNP)

    def _placed(self, z_BNP: Tensor) -> Vectors:
        if self.place_NQ is not None:
            B, N, _ = z_BNP.shape
            z_BNP = torch.cat([z_BNP, self.place_NQ[:N].expand(B, -1, -1)], dim=2)
        return z_BNP, self.mask_BN

    def kl(self) -> dict[str, Tensor]:
        if self.sigma_BNP is None:
            return {}
        variance_BNP = self.sigma_BNP.square()
        nats_BN = 0.5 * (self.mu_BNP.square() + variance_BNP - 1 - variance_BNP.log()).sum(2)
        return {"gaussian": (nats_BN * self.mask_BN).sum(1)}

    def mix(self, other: TokenGaussians, t: float) -> TokenGaussians:
        """Vector by vector, in their order; where one item has more, its vectors are shared with zeros."""
        if t in (0, 1):
            return other if t else self
        N = max(self.mask_BN.shape[1], other.mask_BN.shape[1])
        mine, theirs = self._widened(N), other._widened(N)
        sigma_BNP = None
        if mine.sigma_BNP is not None or theirs.sigma_BNP is not None:
            zeros_BNP = torch.zeros_like(mine.mu_BNP)
            sigmas = [zeros_BNP if part.sigma_BNP is None else part.sigma_BNP for part in (mine, theirs)]
            sigma_BNP = torch.lerp(sigmas[0], sigmas[1], t)
        mu_BNP = torch.lerp(mine.mu_BNP, theirs.mu_BNP, t)
        return TokenGaussians(mu_BNP, sigma_BNP, mine.mask_BN | theirs.mask_BN, self.place_NQ)

    def _widened(self, N: int) -> TokenGaussians:
        more = N - self.mask_BN.shape[1]
        mask_BN = nn.functional.pad(self.mask_BN, (0, more))
        mu_BNP, sigma_BNP = (
            None if part is None else nn.functional.pad(part, (0, 0, 0, more)).masked_fill(~mask_BN[:, :, None], 0)
            for part in (self.mu_BNP, self.sigma_BNP)
        )
        assert mu_BNP is not None
        return TokenGaussians(mu_BNP, sigma_BNP, mask_BN, self.place_NQ)


class TokenLatent(Latent):
    """Token vectors [B, n, D] and their mask [B, n] to vectors of width P.

    With `pool` the tokens become one vector, their mean or maximum; `keep` is the share of tokens that keep theirs,
    evenly spaced; without `noise` vectors are points, as in an ordinary Transformer. With `places`, so many more
    coordinates of a vector say which it is: known, so no part of the KL.

    >>> latent = TokenLatent(features=16, size=4, tokens=6, keep=0.5)
    >>> q = latent((torch.randn(2, 6, 16), torch.ones(2, 6, dtype=torch.bool)))
    >>> vectors, mask = q.draw()
    >>> vectors.shape, mask.sum(1)
    (torch.Size([2, 3, 4]), tensor([3, 3]))
    >>> latent.flat(q.mean).shape
    torch.Size([2, 12])
    """

    def __init__(
        self,
        features: int,
        size: int,
        tokens: int,
        *,
        pool: Literal["mean", "max", None] = None,
        keep: float = 1.0,
        noise: bool = True,
        places: int = 0,
    ) -> None:
        super().__init__()
        if not 0 < keep <= 1:
            raise UsageError(f"keep must be a share of the tokens above 0, however: keep={keep}")
        self.size, self.tokens, self.pool, self.keep, self.noise = size, tokens, pool, keep, noise
        self.parts = 1 if pool else math.ceil(keep * tokens - 1e-9)
        self.mu = nn.Linear(features, size)
        self.log_variance = nn.Linear(features, size)
        nn.init.zeros_(self.log_variance.weight)
        nn.init.constant_(self.log_variance.bias, -2.0)  # little noise, so that the first steps can see through it
        if not noise:
            self.log_variance.requires_grad_(False)
        self.place_NQ: Tensor
        self.register_buffer("place_NQ", sinusoids(self.parts, places), persistent=False)

    def forward(self, features: tuple[Tensor, Tensor]) -> TokenGaussians:
        x_BND, mask_BN = self._gathered(*features)
        mu_BNP = self.mu(x_BND).float()
        if not self.noise:
            return TokenGaussians(mu_BNP, None, mask_BN, self.place_NQ)
        log_variance_BNP = self.log_variance(x_BND).float().clamp(-30, 20)
        return TokenGaussians(mu_BNP, (0.5 * log_variance_BNP).exp(), mask_BN, self.place_NQ)

    def _gathered(self, x_BnD: Tensor, mask_Bn: Tensor) -> tuple[Tensor, Tensor]:
        if self.pool is None:
            kept_n = self._kept(torch.arange(mask_Bn.shape[1] + 1, device=mask_Bn.device)).diff() > 0
            return x_BnD[:, kept_n], mask_Bn[:, kept_n]
        mask_Bn1 = mask_Bn[:, :, None]
        if self.pool == "max":
            pooled_BD = x_BnD.masked_fill(~mask_Bn1, -torch.inf).amax(1)
        else:
            pooled_BD = (x_BnD * mask_Bn1).sum(1) / mask_Bn1.sum(1).clamp(min=1)
        return pooled_BD[:, None], mask_Bn[:, :1]

    def _kept(self, tokens: Tensor) -> Tensor:
        """How many vectors so many tokens have."""
        if self.pool:
            return tokens.clamp(max=1)
        return (tokens.double() * self.keep - 1e-9).ceil().long()  # 0.1 * 30 is a little more than 3

    def holder(self, token_n: Tensor) -> Tensor:
        """Which vector tells most of the tokens at these places."""
        return self._kept(token_n + 1) - 1

    def present(self, condition_BC: Tensor) -> Tensor:
        """Which vectors items of so many tokens have."""
        count_B = self._kept(condition_BC[:, 0].to(self.mu.weight.device))
        return torch.arange(self.parts, device=count_B.device) < count_B[:, None]

    def condition(self, code: Vectors) -> Tensor:
        """The least number of tokens that have so many vectors [B, 1]."""
        every_n = self._kept(torch.arange(self.tokens + 1, device=code[1].device))
        return torch.searchsorted(every_n, code[1].sum(1))[:, None]

    def conditions(self, n: int) -> Tensor:
        return torch.full((n, 1), self.tokens)

    def prior(self, n: int, condition_BC: Tensor | None = None) -> TokenGaussians:
        """Standard normal vectors, as many as items of the given numbers of tokens [B, 1] have, or of the most."""
        zeros_BNP = self.mu.weight.new_zeros(n, self.parts, self.size)
        mask_BN = self.present(self.conditions(n) if condition_BC is None else condition_BC)
        return TokenGaussians(zeros_BNP, torch.ones_like(zeros_BNP), mask_BN, self.place_NQ)

    def point(self, code: Vectors) -> TokenGaussians:
        vectors_BNP, mask_BN = code[0][:, :, : self.size], code[1]
        return TokenGaussians(vectors_BNP, torch.zeros_like(vectors_BNP), mask_BN, self.place_NQ)

    def flat(self, code: Vectors) -> Tensor:
        vectors_BNP, mask_BN = code[0][:, :, : self.size], code[1]
        flat_BNP = vectors_BNP.masked_fill(~mask_BN[:, :, None], 0)
        return nn.functional.pad(flat_BNP, (0, 0, 0, self.parts - flat_BNP.shape[1])).flatten(1)

    def unflat(self, code_BF: Tensor, condition_BC: Tensor) -> Vectors:
        vectors_BNP = code_BF.view(-1, self.parts, self.size)
        return TokenGaussians(vectors_BNP, None, self.present(condition_BC), self.place_NQ).mean

    def hush(self, code: Vectors, which_B: Tensor) -> Vectors:
        vectors_BNP = code[0].clone()
        vectors_BNP[which_B, :, : self.size] = 0
        return vectors_BNP, code[1]
