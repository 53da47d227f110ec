"""What is wrong with a latent, in words, and which knob to turn.

A VAE fails quietly: its loss goes down while its latent says nothing. These are the ways it does so, each with the
number that gives it away. Everything here takes plain numbers and tensors, so that it can be asked at any time.

Legend: B items, F numbers of a flat code.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Finding", "check_alpha", "check_codes", "check_rate", "check_survivors", "gap"]


@dataclass(frozen=True)
class Finding:
    """Something wrong: what, how it shows, and what to do about it."""

    problem: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}: {self.evidence}; {self.remedy}"


def check_rate(gaussian: float, target: float | None = None, *, least: float = 0.5) -> list[Finding]:
    """Of the Gaussian KL in nats per item: how much the code says of its item.

    >>> finding, = check_rate(0.02)
    >>> finding.problem, finding.evidence
    ('the latent is dead', 'the code carries 0.02 nats per item')
    """
    if not gaussian < float("inf"):
        return [
            Finding("training has diverged", f"the KL is {gaussian}", "lower learning_rate, or set clip to about 1")
        ]
    if gaussian < least:
        return [
            Finding(
                "the latent is dead",
                f"the code carries {gaussian:.2g} nats per item",
                "start with almost no KL for the first quarter of training, then raise it to a target rate; or use a "
                "weaker decoder",
            )
        ]
    if target is not None and gaussian > 2 * target:
        return [
            Finding(
                "the rate is above its target",
                f"{gaussian:.3g} nats per item where {target:.3g} were asked for",
                "train for longer, or let the weight of the Gaussian KL rise faster",
            )
        ]
    if target is not None and gaussian < 0.5 * target:
        return [
            Finding(
                "the rate is below its target",
                f"{gaussian:.3g} nats per item where {target:.3g} were asked for",
                "lengthen the start without KL, or make the latent larger; or the data has no more to say: lower the "
                "target",
            )
        ]
    return []


def check_alpha(alpha_B: Tensor, prior_alpha_B: Tensor, *, factor: float = 10.0) -> list[Finding]:
    """Of the total pseudo-counts of items against what the prior expects of their lengths.

    >>> check_alpha(torch.tensor([5.0]), torch.tensor([6.0]))
    []
    >>> check_alpha(torch.tensor([1e6]), torch.tensor([6.0]))[0].problem
    'alpha is exploding'
    """
    ratio = (alpha_B.double() / prior_alpha_B.double()).median().item()
    evidence = f"the total alpha of a typical item is {ratio:.2g} times what the prior expects"
    if not ratio < factor:
        remedy = "raise the weight of the Dirichlet KL, or bound alpha with Clip; draws hardly vary their weights"
        return [Finding("alpha is exploding", evidence, remedy)]
    if ratio < 1 / factor:
        remedy = "raise delta if vectors are to be kept, or lower the weight of the Dirichlet KL"
        return [Finding("alpha is vanishing", evidence, remedy)]
    return []


def check_survivors(survivor_share_B: Tensor, *, delta: float | None = None) -> list[Finding]:
    """Of the share of each item's vectors that are kept.

    >>> [finding.problem for finding in check_survivors(torch.zeros(8))]
    ['all vectors are dropped']
    """
    share = survivor_share_B.double().mean().item()
    evidence = f"{100 * share:.0f} % of the vectors survive"
    if share < 0.01:
        remedy = "raise delta, or lower the weight of the Gaussian KL: only the prior's component is left to read"
        return [Finding("all vectors are dropped", evidence, remedy)]
    if share > 0.99 and delta is not None and delta < 0.9:
        remedy = "nothing has to be left out yet: raise the weights of both KLs, or lower the target rate"
        return [Finding("no vector is dropped", f"{evidence} at delta={delta}", remedy)]
    return []


def check_codes(code_BF: Tensor, prior_BF: Tensor, *, least: float = 0.1) -> list[Finding]:
    """Of drawn codes of real items against draws of the prior that sampling uses; five for each number say enough.

    >>> _ = torch.manual_seed(0)
    >>> check_codes(torch.randn(500, 3), torch.randn(500, 3))
    []
    >>> check_codes(torch.randn(500, 3) + 2, torch.randn(500, 3))[0].problem
    'the prior is far from the codes of real items'
    """
    F = code_BF.shape[1]
    if min(len(code_BF), len(prior_BF)) < 5 * F:  # too few to know their covariance
        return []
    per_number = gap(code_BF, prior_BF) / F
    if per_number > least:
        return [
            Finding(
                "the prior is far from the codes of real items",
                f"a Gaussian tells them apart by {per_number:.2g} nats for each number of a code",
                'fit a learned prior (prior="flow" or "mixture"), or raise the weight of the KL',
            )
        ]
    return []


def gap(code_BF: Tensor, prior_BF: Tensor) -> float:
    """KL in nats between the Gaussians that have the means and covariances of the two: 0 if none could tell them apart.

    Less what chance alone would put between two samples of these sizes.
    """
    (mean_F, cov_FF), (prior_mean_F, prior_cov_FF) = (_moments(codes) for codes in (code_BF, prior_BF))
    factor_FF = torch.linalg.cholesky(prior_cov_FF)
    whitened_FF = torch.cholesky_solve(cov_FF, factor_FF)
    away_F = torch.linalg.solve_triangular(factor_FF, (mean_F - prior_mean_F)[:, None], upper=False)[:, 0]
    F = len(mean_F)
    log_ratio = torch.linalg.slogdet(cov_FF)[1] - 2 * factor_FF.diagonal().log().sum()
    nats = 0.5 * (whitened_FF.diagonal().sum() + away_F.square().sum() - F - log_ratio).item()
    by_chance = 0.25 * F * (F + 3) * (1 / len(code_BF) + 1 / len(prior_BF))
    return max(0.0, float(nats) - by_chance)


def _moments(code_BF: Tensor) -> tuple[Tensor, Tensor]:
    code_BF = code_BF.double()
    # a number that never moves (padding) would have no spread to be measured in
    floor_FF = 1e-3 * torch.eye(code_BF.shape[1], dtype=torch.float64, device=code_BF.device)
    return code_BF.mean(0), code_BF.T.cov(correction=0).view_as(floor_FF) + floor_FF
