"""A mixture of Gaussians over codes.

From Variational to Deterministic Autoencoders (Ghosh et al., 2020), https://arxiv.org/abs/1903.12436, fits one after
training in the same way.

Legend: N codes, F numbers of [condition, code], C of the condition, K components.
"""

from __future__ import annotations

import torch
from torch import Tensor

from synthloom.priors.base import Prior

__all__ = ["MixturePrior"]

_ROWS = 10_000
"""Codes that are learnt from at most; more would say the same, slower."""

_FLOOR = 1e-4
"""Least variance in any direction, against 1 for the whole."""


class MixturePrior(Prior):
    """K Gaussians of full covariance, by expectation maximisation.

    A component speaks for at least `least` items, or is dropped: none can shrink onto one and so remember it. The fewer
    the items for its size, the less their correlations are believed. Components are factors L of the covariance, with
    the condition first: then the same L that spreads a draw also says what a condition means for the rest.

    >>> _ = torch.manual_seed(0)
    >>> prior = MixturePrior(size=2)
    >>> prior.fit(torch.cat([torch.randn(500, 2) * 0.1 + 3, torch.randn(500, 2) * 0.1 - 3]))
    >>> (prior.draw(100).abs() - 3).abs().mean() < 0.2
    tensor(True)
    """

    def __init__(
        self,
        size: int,
        condition: int = 0,
        parts: int = 1,
        *,
        components: int = 16,
        least: int = 20,
        iterations: int = 30,
    ) -> None:
        super().__init__(size, condition, parts)
        self.least, self.iterations = least, iterations
        self.weight_K: Tensor
        self.mean_KF: Tensor
        self.factor_KFF: Tensor
        width = condition + size
        self.register_buffer("weight_K", torch.zeros(components))
        self.register_buffer("mean_KF", torch.zeros(components, width))
        self.register_buffer("factor_KFF", torch.eye(width).repeat(components, 1, 1))

    def _fit(self, both_NF: Tensor, present_NK: Tensor) -> None:
        both_NF = both_NF[torch.randperm(len(both_NF), device=both_NF.device)[:_ROWS]]
        N, F = both_NF.shape
        K = max(1, min(len(self.weight_K), N // max(self.least, 5 * F)))
        nearest_N = torch.cdist(both_NF, both_NF[:K]).argmin(1)
        share_NK = torch.nn.functional.one_hot(nearest_N, K).to(both_NF)
        before = -torch.inf
        self.weight_K.zero_()
        for _ in range(self.iterations):
            self._maximise(both_NF, share_NK)
            log_joint_NK = self._log_joint(both_NF)[:, :K]
            bound = log_joint_NK.logsumexp(1).mean().item()
            if bound < before + 1e-3:
                break
            before, share_NK = bound, log_joint_NK.softmax(1)

    def _maximise(self, both_NF: Tensor, share_NK: Tensor) -> None:
        """The components that explain their shares of the items best."""
        N, F = both_NF.shape
        rows_K = share_NK.sum(0)
        kept_K = rows_K >= min(self.least, N)
        self.weight_K[: len(rows_K)] = torch.where(kept_K, rows_K, 0) / rows_K[kept_K].sum()
        unit_FF = torch.eye(F, device=both_NF.device)
        for k in kept_K.nonzero()[:, 0]:
            mean_F = share_NK[:, k] @ both_NF / rows_K[k]
            away_NF = both_NF - mean_F
            spread_FF = (share_NK[:, k, None] * away_NF).T @ away_NF
            covariance_FF = spread_FF / rows_K[k]
            believed = rows_K[k] / (rows_K[k] + F)
            covariance_FF = torch.lerp(covariance_FF.diagonal().diag(), covariance_FF, believed) + _FLOOR * unit_FF
            self.mean_KF[k], self.factor_KFF[k] = mean_F, torch.linalg.cholesky(covariance_FF)

    def _log_joint(self, first_NG: Tensor) -> Tensor:
        """log p(k, first G numbers) [N, K], up to a constant."""
        G = first_NG.shape[1]
        factor_KGG = self.factor_KFF[:, :G, :G]
        log_volume_K = factor_KGG.diagonal(dim1=1, dim2=2).log().sum(1)
        columns = [
            -0.5 * torch.linalg.solve_triangular(factor_GG, (first_NG - mean_G).T, upper=False).square().sum(0)
            if weight > 0
            else first_NG.new_zeros(len(first_NG))
            for factor_GG, mean_G, weight in zip(factor_KGG, self.mean_KF[:, :G], self.weight_K, strict=True)
        ]
        return torch.stack(columns, dim=1) - log_volume_K + self.weight_K.log()

    def _draw(self, condition_nC: Tensor, present_nK: Tensor) -> Tensor:
        n, C = condition_nC.shape
        which_n = torch.multinomial(self._log_joint(condition_nC).softmax(1), 1)[:, 0]
        noise_nF = torch.randn(n, self.size, device=condition_nC.device)
        code_nF = torch.empty_like(noise_nF)
        for k in range(len(self.mean_KF)):
            rows, factor_FF, mean_F = which_n == k, self.factor_KFF[k], self.mean_KF[k]
            # the noise that must have made this condition, and what it does to the rest
            known_mC = torch.linalg.solve_triangular(
                factor_FF[:C, :C], (condition_nC[rows] - mean_F[:C]).T, upper=False
            ).T
            code_nF[rows] = mean_F[C:] + known_mC @ factor_FF[C:, :C].T + noise_nF[rows] @ factor_FF[C:, C:].T
        return code_nF
