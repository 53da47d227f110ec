"""A latent that is a mixture with as many components as it needs: the nonparametric variational information bottleneck.

A VAE for Transformers with Nonparametric Variational Information Bottleneck (Henderson & Fehr, 2022),
https://arxiv.org/abs/2207.13529

An encoder's token vectors become a distribution over distributions, a Dirichlet process DP(G_q, alpha_0): component i
is N(mu_i, sigma_i^2) with pseudo-count alpha_i, and a component of the prior's own, always there, takes the mass when
nothing is worth keeping. A draw is a set of weighted vectors, which the decoder reads by denoising attention
(`synthloom.attention`). Letters are the paper's; docs/nvib.md has the mathematics.

Legend: B items, N components (the prior's first, then one per token, then padding), P width of a component, C 1 if a
component has one variance for all its dimensions, else P; D width of the features.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.distributions import Gamma
from torch.nn.functional import pad, softplus

from synthloom.attention import Mixture
from synthloom.errors import UsageError
from synthloom.latents import Latent
from synthloom.nets.places import sinusoids

__all__ = [
    "Clip",
    "DirichletProcess",
    "Given",
    "Mixture",
    "NvibLatent",
    "NvibPosterior",
    "PriorProcess",
    "kl_dirichlet",
    "kl_draw",
    "kl_gaussian",
    "log_dirichlet",
    "paper_scale",
    "weighted_kl",
]

_LEAST_LOG_ALPHA = -60.0
"""alpha below e^-60 is none at all; its inverse, which gradients need, still fits into float32."""

_LEAST_LOG_WEIGHT = -12.0
"""In a flat code, weights below e^-12 of the largest are as good as this."""


# -- the KL: two terms ------------------------------------------------------------------------------------------------


def kl_dirichlet(alpha_0: Tensor | float, alpha_p: Tensor | float, kappa_0: Tensor | float) -> Tensor:
    """L_D: between the weights of kappa_0 samples, two symmetric Dirichlets with totals alpha_0 and alpha_p; float64.

    It knows only how much pseudo-count there is, not which component has it, and is 0 where the totals agree.

    >>> kl_dirichlet(3.0, 3.0, 10).item()
    0.0
    """
    alpha_0, alpha_p, kappa_0 = _double(alpha_0), _double(alpha_p), _double(kappa_0)
    return (
        torch.lgamma(alpha_0)
        - torch.lgamma(alpha_p)
        + (alpha_0 - alpha_p) * (torch.digamma(alpha_0 / kappa_0) - torch.digamma(alpha_0))
        + kappa_0 * (torch.lgamma(alpha_p / kappa_0) - torch.lgamma(alpha_0 / kappa_0))
    )


def kl_gaussian(
    mu_BNP: Tensor,
    var_BNC: Tensor,
    weight_BN: Tensor,
    kappa_0: Tensor | float,
    prior_mu: Tensor | float,
    prior_var: Tensor | float,
) -> Tensor:
    """L_G [B]: between the places of kappa_0 samples, each from component i with probability weight_i; float64.

    An upper bound (by convexity) on the KL of the mixture, exact where the components do not overlap. What stands in a
    component of weight 0 is ignored.

    >>> mu, var = torch.full((1, 1, 1), 2.0), torch.ones(1, 1, 1)
    >>> kl_gaussian(mu, var, torch.ones(1, 1), 1, prior_mu=0.0, prior_var=1.0)
    tensor([2.], dtype=torch.float64)
    """
    absent_BN1 = (weight_BN == 0)[:, :, None]
    prior_mu, prior_var = _double(prior_mu), _double(prior_var)
    distance_BNP = (_double(mu_BNP.masked_fill(absent_BN1, 0)) - prior_mu).square() / prior_var
    ratio_BNC = _double(var_BNC.masked_fill(absent_BN1, 1)) / prior_var
    nats_BN = 0.5 * (distance_BNP + ratio_BNC - 1 - ratio_BNC.log()).sum(2)
    return _double(kappa_0) * (_double(weight_BN) * nats_BN).sum(1)


def kl_draw(
    mu_BNP: Tensor,
    var_BNC: Tensor,
    log_alpha_BN: Tensor,
    prior_alpha_B: Tensor,
    prior_mu: Tensor | float,
    prior_var: Tensor | float,
) -> dict[str, Tensor]:
    """What one draw of every component says of its item, nats [B]: the exact KL of (places, weights); float64.

    L_G weighs a component by its share of alpha and L_D knows the total alone, so an encoder can say a great deal
    through light components, and through who has how much, that neither counts. Here each present component counts in
    full, and Dirichlet(alpha) is held against the symmetric one of the total `prior_alpha_B`. With it the ELBO is a
    bound.
    """
    present_BN = log_alpha_BN > -math.inf
    dimensions_each = mu_BNP.shape[2] / var_BNC.shape[2]
    ratio_BNC = _double(var_BNC) / _double(prior_var)
    distance_BNP = (_double(mu_BNP) - _double(prior_mu)).square() / _double(prior_var)
    nats_BN = 0.5 * (distance_BNP.sum(2) + dimensions_each * (ratio_BNC - 1 - ratio_BNC.log()).sum(2))
    alpha_BN = _double(log_alpha_BN).masked_fill(~present_BN, 0).exp()
    alpha_p_BN = (_double(prior_alpha_B) / present_BN.sum(1))[:, None].expand_as(alpha_BN)
    alpha_0_B, alpha_p0_B = (alpha_BN * present_BN).sum(1), _double(prior_alpha_B)
    each_BN = (
        torch.lgamma(alpha_p_BN)
        - torch.lgamma(alpha_BN)
        + (alpha_BN - alpha_p_BN) * (torch.digamma(alpha_BN) - torch.digamma(alpha_0_B)[:, None])
    )
    dirichlet_B = torch.lgamma(alpha_0_B) - torch.lgamma(alpha_p0_B) + (each_BN * present_BN).sum(1)
    return {"gaussian": nats_BN.masked_fill(~present_BN, 0).sum(1), "dirichlet": dirichlet_B}


def paper_scale(kl: Mapping[str, Tensor], vectors_B: Tensor, width: int) -> dict[str, Tensor]:
    """The KL as the paper weighs it, for comparison with its lambdas: per vector (the prior's counted), and L_G per
    dimension of a vector as well."""
    return {"gaussian": kl["gaussian"] / (vectors_B * width), "dirichlet": kl["dirichlet"] / vectors_B}


def weighted_kl(weights: Sequence[float], kls: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """sum_k weight_k KL_k, part by part."""
    return {
        name: torch.stack([weight * kl[name] for weight, kl in zip(weights, kls, strict=True)]).sum(0)
        for name in kls[0]
    }


def _double(value: Tensor | float) -> Tensor:
    """In float64, because lgamma and digamma of large numbers all but cancel; on the CPU where the device has none."""
    if isinstance(value, float | int):
        return torch.tensor(value, dtype=torch.float64)
    return (value.cpu() if value.device.type == "mps" else value).double()


# -- draws ------------------------------------------------------------------------------------------------------------


def log_dirichlet(log_alpha_BN: Tensor) -> Tensor:
    """log pi for pi ~ Dirichlet(alpha), exact and with unbiased gradients; -inf stays -inf.

    Gammas, normalised. For small alpha nearly all of them underflow, so they are drawn as logarithms: if g is
    Gamma(alpha + 1) and U uniform, g U^(1/alpha) is Gamma(alpha).

    >>> log_dirichlet(torch.tensor([[0.0, -30.0, -torch.inf]])).exp().sum(1)
    tensor([1.])
    """
    absent_BN = log_alpha_BN == -math.inf
    alpha_BN = log_alpha_BN.masked_fill(absent_BN, 0).clamp(min=_LEAST_LOG_ALPHA).exp()
    log_boosted_BN = Gamma(alpha_BN + 1, torch.ones_like(alpha_BN), validate_args=False).rsample().log()
    minus_log_u_BN = torch.empty_like(alpha_BN).exponential_()
    log_gamma_BN = log_boosted_BN - minus_log_u_BN / alpha_BN
    return log_gamma_BN.masked_fill(absent_BN, -math.inf).log_softmax(1)


@dataclass(frozen=True)
class PriorProcess:
    """DP(G_p, alpha_p'), conditional on length: alpha_p' = alpha_p + Delta n for an item of n tokens.

    Delta is roughly the share of vectors that one wants to keep; 0 is the plain Dirichlet process.
    """

    mu_P: Tensor
    var_C: Tensor
    alpha: Tensor
    delta: float

    def total(self, tokens_B: Tensor) -> Tensor:
        """alpha_p' [B]."""
        return self.alpha + self.delta * tokens_B


@dataclass(frozen=True)
class DirichletProcess:
    """F ~ DP(G_q, alpha_0), bounded: alpha_0 = sum alpha_i, G_q = sum alpha_i / alpha_0 N(mu_i, sigma_i^2).

    `mask_BN` is True for the prior's component and for real tokens; their log alpha may still be -inf, when pruned.
    """

    mu_BNP: Tensor
    var_BNC: Tensor
    log_alpha_BN: Tensor
    mask_BN: Tensor
    prior: PriorProcess
    kappa: int = 1
    exact: bool = False
    place_NQ: Tensor | None = None  # coordinates of components that are known beforehand, and told to the decoder
    noise_NP: Tensor | None = None  # what stands for chance where there is to be none

    def __len__(self) -> int:
        return len(self.mu_BNP)

    @property
    def tokens_B(self) -> Tensor:
        return self.mask_BN.sum(1) - 1

    @property
    def mean(self) -> Mixture:
        """E[F], the mixture G_q: components with their variances, exactly what evaluation attends to.

        Or a draw by the same noise for every item, if there is such.
        """
        log_weight_BN = self.log_alpha_BN.log_softmax(1)
        if self.noise_NP is None:
            return self._mixture(self.mu_BNP, self.var_BNC, log_weight_BN)
        return self._mixture(self.mu_BNP + self.var_BNC.sqrt() * self.noise_NP, None, log_weight_BN)

    def _mixture(self, mu_BNP: Tensor, var_BNC: Tensor | None, log_weight_BN: Tensor) -> Mixture:
        mix = Mixture(mu_BNP, var_BNC, log_weight_BN)
        if self.place_NQ is None:
            return mix
        return mix.beside(self.place_NQ.repeat(mu_BNP.shape[1] // len(self.place_NQ), 1))

    def draw(self, temperature: float = 1.0) -> Mixture:
        """F: kappa weighted vectors from each component.

        Inside a component the weights are Dirichlet(alpha_i / kappa, ...); with those of the components themselves that
        is one Dirichlet over all. `temperature` scales the spread of places and weights (alpha by its inverse square);
        0 is `mean`, and if that has noise, what is between has as much.
        """
        if temperature == 0:
            return self.mean
        mu_BNP, sigma_BNC = self.mu_BNP.repeat(1, self.kappa, 1), self.var_BNC.sqrt().repeat(1, self.kappa, 1)
        log_alpha_BN = self.log_alpha_BN.repeat(1, self.kappa) - math.log(self.kappa * temperature**2)
        noise_BNP = temperature * torch.randn_like(mu_BNP)
        if self.noise_NP is not None and temperature < 1:
            noise_BNP = noise_BNP + math.sqrt(1 - temperature**2) * self.noise_NP.repeat(self.kappa, 1)
        return self._mixture(mu_BNP + sigma_BNC * noise_BNP, None, log_dirichlet(log_alpha_BN))

    def kl(self) -> dict[str, Tensor]:
        """{"gaussian": L_G, "dirichlet": L_D}: nats per item, an upper bound on the KL from the prior process.

        If `exact`, the two parts of `kl_draw` in their place.
        """
        if self.exact:
            log_alpha_BN = self.log_alpha_BN.repeat(1, self.kappa) - math.log(self.kappa)
            mu_BNP, var_BNC = (x.repeat(1, self.kappa, 1) for x in (self.mu_BNP, self.var_BNC))
            total_B = self.prior.total(self.tokens_B)
            kl = kl_draw(mu_BNP, var_BNC, log_alpha_BN, total_B, self.prior.mu_P, self.prior.var_C)
            return {name: nats_B.to(self.mu_BNP) for name, nats_B in kl.items()}
        kappa_0 = self.kappa * (self.tokens_B + 1)
        log_alpha_BN = _double(self.log_alpha_BN)
        dirichlet_B = kl_dirichlet(log_alpha_BN.logsumexp(1).exp(), self.prior.total(self.tokens_B), kappa_0)
        gaussian_B = kl_gaussian(
            self.mu_BNP, self.var_BNC, log_alpha_BN.softmax(1), kappa_0, self.prior.mu_P, self.prior.var_C
        )
        return {"gaussian": gaussian_B.to(self.mu_BNP), "dirichlet": dirichlet_B.to(self.mu_BNP)}

    def log_ratio(self, code: Mixture) -> Tensor:
        """log p(F) - log q(F) [B] of draws: minus `kl_draw`, on average over them."""
        mu_BNP, var_BNC = (_double(x.repeat(1, self.kappa, 1)) for x in (self.mu_BNP, self.var_BNC))
        mask_BN = self.mask_BN.repeat(1, self.kappa)
        place_BNP = _double(code.mu)
        score_BNP = (place_BNP - mu_BNP).square() / var_BNC - (place_BNP - _double(self.prior.mu_P)).square() / _double(
            self.prior.var_C
        )
        log_ratio_BNP = (var_BNC / _double(self.prior.var_C)).log() + score_BNP
        gaussian_B = 0.5 * (log_ratio_BNP.sum(2) * mask_BN).sum(1)
        alpha_BN = _double(self.log_alpha_BN).exp().repeat(1, self.kappa) / self.kappa
        alpha_BN = torch.where(mask_BN, alpha_BN, 1.0)
        total_B = _double(self.prior.total(self.tokens_B))
        alpha_p_BN = (total_B / mask_BN.sum(1))[:, None].expand_as(alpha_BN)
        log_weight_BN = _double(code.log_weight).masked_fill(~mask_BN, 0)
        each_BN = torch.lgamma(alpha_BN) - torch.lgamma(alpha_p_BN) + (alpha_p_BN - alpha_BN) * log_weight_BN
        alpha_0_B = (alpha_BN * mask_BN).sum(1)
        dirichlet_B = torch.lgamma(total_B) - torch.lgamma(alpha_0_B) + (each_BN * mask_BN).sum(1)
        return (gaussian_B + dirichlet_B).to(self.mu_BNP)

    def prune(self, threshold: float = 0.1) -> DirichletProcess:
        """Without the tokens' components of alpha below `threshold`; the prior's stays, so there is always one."""
        keep_BN = pad(self.survivors(threshold), (1, 0), value=True)
        return replace(self, log_alpha_BN=self.log_alpha_BN.masked_fill(~keep_BN, -math.inf))

    def survivors(self, threshold: float = 0.1) -> Tensor:
        """Which of the tokens' vectors are worth keeping [B, N - 1]."""
        return self.log_alpha_BN[:, 1:] > math.log(threshold)

    def survey(self, threshold: float = 0.1) -> dict[str, Tensor]:
        """What to watch, per item [B]: the total alpha, what the prior expects of it, and how many of the tokens'
        vectors survive, as a count and as a share."""
        survivors_B = self.survivors(threshold).sum(1)
        return {
            "alpha": self.log_alpha_BN.logsumexp(1).exp(),
            "prior_alpha": self.prior.total(self.tokens_B),
            "survivors": survivors_B,
            "survivor_share": survivors_B / self.tokens_B.clamp(min=1),
        }


@dataclass(frozen=True)
class Given:
    """The F that is known: always the same draw."""

    mean: Mixture

    def __len__(self) -> int:
        return len(self.mean)

    def draw(self, temperature: float = 1.0) -> Mixture:
        return self.mean

    def kl(self) -> dict[str, Tensor]:
        infinite_B = self.mean.mu.new_full((len(self),), math.inf)
        return {"gaussian": infinite_B, "dirichlet": infinite_B}


@dataclass(frozen=True)
class NvibPosterior:
    """sum_k share_k F_k. An encoder gives one F; `mix` puts several side by side, which is how items are interpolated:
    components need no partners."""

    parts: tuple[DirichletProcess | Given, ...]
    shares: tuple[float, ...] = (1.0,)

    def __len__(self) -> int:
        return len(self.parts[0])

    @property
    def process(self) -> DirichletProcess:
        """The one F that an encoder gave."""
        (process,) = self.parts
        assert isinstance(process, DirichletProcess), process
        return process

    @property
    def mean(self) -> Mixture:
        return self._together([part.mean for part in self.parts])

    def draw(self, temperature: float = 1.0) -> Mixture:
        return self._together([part.draw(temperature) for part in self.parts])

    def _together(self, mixtures: list[Mixture]) -> Mixture:
        return mixtures[0] if len(mixtures) == 1 else Mixture.blend(self.shares, mixtures)

    def kl(self) -> dict[str, Tensor]:
        """Of a mixture of processes the KL is at most the mixture of the KLs, which is what this is."""
        return weighted_kl(self.shares, [part.kl() for part in self.parts])

    def log_ratio(self, code: Mixture) -> Tensor:
        """log p(F) - log q(F) [B] of draws of the one F that an encoder gave."""
        return self.process.log_ratio(code)

    def mix(self, other: NvibPosterior, t: float) -> NvibPosterior:
        """(1 - t) F + t F': the components of both, their weights scaled."""
        shares = [(1 - t) * share for share in self.shares] + [t * share for share in other.shares]
        kept = [(part, share) for part, share in zip(self.parts + other.parts, shares, strict=True) if share > 0]
        return NvibPosterior(tuple(part for part, _ in kept), tuple(share for _, share in kept))


# -- the trained part -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clip:
    """Bounds that keep one item from shouting: |mu - mu_p| <= mu sigma_p, sigma^2 >= (1 - 1/shrink) sigma_p^2, and
    alpha_i <= alpha.

    Nonparametric Variational Differential Privacy (2026), https://arxiv.org/abs/2601.02307, clips hard; here the
    bounds are approached smoothly, so that a gradient always leads back.
    """

    mu: float = 3.0
    shrink: float = 1.1
    alpha: float = 0.7


class NvibLatent(Latent):
    """Token vectors [B, n, D] and their mask [B, n] to a Dirichlet process over vectors of width P.

    P need not be D: a latent vector of 2 to 16 numbers can be lifted by the decoder that attends to it. `tokens` is the
    most an item may have; `observe` tells how long the training items are, and the prior draws such lengths. A code's
    condition is the number of tokens of its item. `exact` counts the KL of a draw in full (`kl_draw`) in place of L_G
    and L_D. At `first_var` of the prior's variance there is little noise, so that the first steps can see through it.
    With `places` a component has so many more coordinates that tell whose token's it is: known, so no part of the KL.

    Means are no codes where little is said: of a posterior almost as wide as the prior all draws are far from it, and
    a decoder that has learnt from draws makes nothing of it. A `typical` latent has a point in its place: the mean and
    noise that is the same for every item, or none; `settle` finds which.

    >>> latent = NvibLatent(features=16, size=4, tokens=5)
    >>> q = latent((torch.randn(2, 5, 16), torch.ones(2, 5, dtype=torch.bool)))
    >>> q.draw().mu.shape, sorted(q.kl())
    (torch.Size([2, 6, 4]), ['dirichlet', 'gaussian'])
    >>> latent.flat(latent.prior(3).draw()).shape
    torch.Size([3, 30])
    >>> latent.condition(latent.prior(2, torch.tensor([[5], [2]])).draw())
    tensor([[5],
            [2]])
    """

    def __init__(
        self,
        features: int,
        size: int,
        tokens: int,
        *,
        delta: float = 1.0,
        kappa: int = 1,
        scalar_variance: bool = False,
        clip: Clip | None = None,
        exact: bool = False,
        first_var: float = 0.135,
        places: int = 0,
        typical: bool = False,
        prior_mu: float = 0.0,
        prior_var: float = 1.0,
        prior_alpha: float = 1.0,
    ) -> None:
        super().__init__()
        if delta < 0 or kappa < 1:
            raise UsageError(f"delta must be 0 or more and kappa 1 or more, however: {delta=}, {kappa=}")
        if prior_var <= 0 or prior_alpha <= 0:
            raise UsageError(f"the prior's variance and alpha must be positive, however: {prior_var=}, {prior_alpha=}")
        self.size, self.tokens, self.delta, self.kappa, self.clip, self.exact = size, tokens, delta, kappa, clip, exact
        self.parts = tokens + 1
        variances = 1 if scalar_variance else size
        self.mu = nn.Linear(features, size)
        self.log_variance = nn.Linear(features, variances)
        self.log_alpha = nn.Linear(2 * features, 1)  # of x and x^2: log alpha = |x|^2 / (2 sqrt E) is attention's own
        nn.init.zeros_(self.log_variance.weight)
        nn.init.constant_(self.log_variance.bias, math.log(first_var))
        nn.init.zeros_(self.log_alpha.weight)
        nn.init.constant_(self.log_alpha.bias, math.log(max(delta, 0.1)))  # the total that the prior expects
        self.prior_mu_P: Tensor
        self.prior_var_C: Tensor
        self.prior_log_alpha: Tensor
        self.length_L: Tensor
        self.register_buffer("prior_mu_P", torch.full((size,), prior_mu))
        self.register_buffer("prior_var_C", torch.full((variances,), prior_var))
        self.register_buffer("prior_log_alpha", torch.tensor(math.log(prior_alpha)))
        self.register_buffer("length_L", torch.eye(tokens + 1)[tokens])
        self.place_NQ: Tensor
        self.register_buffer("place_NQ", sinusoids(tokens + 1, places), persistent=False)
        self.noise_NP: Tensor | None
        self.register_buffer("noise_NP", torch.zeros(tokens + 1, size) if typical else None)

    def forward(self, features: tuple[Tensor, Tensor]) -> NvibPosterior:
        return self.posterior(*features)

    def posterior(self, x_BnD: Tensor, mask_Bn: Tensor, log_alpha_Bn: Tensor | None = None) -> NvibPosterior:
        """`log_alpha_Bn` is added to the log alpha of the tokens: what a layer before this one thought of them."""
        # full precision, and ranges in which neither an exponential nor its logarithm overflows
        mu_BnP = self.mu(x_BnD).float()
        log_ratio_BnC = self.log_variance(x_BnD).float().clamp(-30, 20)
        new_log_alpha_Bn = self.log_alpha(torch.cat([x_BnD, x_BnD.square()], dim=2)).float().squeeze(2)
        log_alpha_Bn = new_log_alpha_Bn if log_alpha_Bn is None else new_log_alpha_Bn + log_alpha_Bn
        log_alpha_Bn = log_alpha_Bn.clamp(_LEAST_LOG_ALPHA, -_LEAST_LOG_ALPHA)
        if self.clip is not None:
            bound_P = self.clip.mu * self.prior_var_C.sqrt()
            mu_BnP = self.prior_mu_P + bound_P * torch.tanh((mu_BnP - self.prior_mu_P) / bound_P)
            least = math.log(1 - 1 / self.clip.shrink)
            log_ratio_BnC = least + softplus(log_ratio_BnC - least)
            most = math.log(self.clip.alpha)
            log_alpha_Bn = most - softplus(most - log_alpha_Bn)
        B = len(x_BnD)
        process = DirichletProcess(
            torch.cat([self.prior_mu_P.expand(B, 1, -1), mu_BnP], dim=1),
            torch.cat([self.prior_var_C.expand(B, 1, -1), self.prior_var_C * log_ratio_BnC.exp()], dim=1),
            torch.cat([self.prior_log_alpha.expand(B, 1), log_alpha_Bn.masked_fill(~mask_Bn, -math.inf)], dim=1),
            pad(mask_Bn, (1, 0), value=True),
            self._prior(),
            self.kappa,
            self.exact,
            self.place_NQ[: x_BnD.shape[1] + 1],
            None if self.noise_NP is None else self.noise_NP[: x_BnD.shape[1] + 1],
        )
        return NvibPosterior((process,))

    @torch.no_grad()
    def initialise(
        self,
        x_BnD: Tensor,
        mask_Bn: Tensor,
        noise: float,
        *,
        tau_alpha: float = 20.0,
        tau_mu: float = 1.0,
        tau_sigma: float = 0.0,
    ) -> None:
        """Take the prior from data, and start out as ordinary attention to x.

        Nonparametric Variational Regularisation of Pretrained Transformers (Fehr & Henderson, 2023),
        https://arxiv.org/abs/2312.00662. The prior has the mean and variance of the tokens of x; mu = x, drawn to the
        prior's as tau_mu falls from 1; sigma = tau_sigma sigma_p; log alpha = |x|^2 / (2 noise), raised by tau_alpha of
        its standard deviations, or of nats if that is less (behind a normalisation all norms are alike): the lower,
        the more attention the prior's component gets. At the defaults nothing is lost and it gets none.
        """
        if self.size != x_BnD.shape[2]:
            raise UsageError(
                f"to start out as ordinary attention, components must be as wide as the features, however: "
                f"{self.size} and {x_BnD.shape[2]}"
            )
        x_TD = x_BnD[mask_Bn]
        log_alpha_T = x_TD.square().sum(1) / (2 * noise)
        # attention knows alpha up to a factor, and is nearest to one on average where e^(|x|^2) would be out of range
        common = log_alpha_T.mean()
        variance_D, mean_D = torch.var_mean(x_TD, dim=0)
        self.prior_mu_P.copy_(mean_D)
        self.prior_var_C.copy_(variance_D if len(self.prior_var_C) > 1 else variance_D.mean()).clamp_(min=1e-6)
        self.prior_log_alpha.copy_(mean_D.square().sum() / (2 * noise) - common)
        nn.init.eye_(self.mu.weight).mul_(tau_mu)
        self.mu.bias.copy_((1 - tau_mu) * mean_D)
        nn.init.zeros_(self.log_variance.weight)
        nn.init.constant_(self.log_variance.bias, math.log(tau_sigma**2 + 1e-13))
        self.log_alpha.weight.copy_(torch.cat([torch.zeros_like(mean_D), torch.full_like(mean_D, 1 / (2 * noise))]))
        nn.init.constant_(self.log_alpha.bias, float(tau_alpha * log_alpha_T.std().clamp(min=1) - common))

    @torch.no_grad()
    def settle(self, cost: Callable[[], Tensor], tries: int = 8) -> None:
        """Keep the noise with which codes without chance cost least: none, or one of so many."""
        assert self.noise_NP is not None
        none_NP = torch.zeros_like(self.noise_NP)
        found = []
        for noise_NP in (none_NP, *(torch.randn_like(none_NP) for _ in range(tries))):
            self.noise_NP = noise_NP
            found.append((float(cost()), noise_NP))
        self.noise_NP = min(found, key=lambda pair: pair[0])[1]

    def holder(self, token_n: Tensor) -> Tensor:
        """Which component is that of the tokens at these places: the first is the prior's."""
        return token_n + 1

    def observe(self, tokens_N: Tensor) -> None:
        """Learn how long items are: how many have how many tokens."""
        counts_L = torch.bincount(tokens_N, minlength=self.tokens + 1)
        if len(counts_L) > self.tokens + 1:
            raise UsageError(f"an item may have {self.tokens} tokens, however: one has {len(counts_L) - 1}")
        self.length_L.copy_(counts_L)

    def condition(self, code: Mixture) -> Tensor:
        """The number of tokens of each item [B, 1]: all that are before the last one there is."""
        place_N = torch.arange(code.mask_BN.shape[1], device=code.mask_BN.device)
        return (place_N * code.mask_BN).amax(1, keepdim=True)

    def conditions(self, n: int) -> Tensor:
        return torch.multinomial(self.length_L, n, replacement=True)[:, None]

    def present(self, condition_BC: Tensor) -> Tensor:
        """The prior's component, and one for each token."""
        tokens_B = self._tokens_B(condition_BC)
        return torch.arange(self.parts, device=tokens_B.device) <= tokens_B[:, None]

    def _tokens_B(self, condition_BC: Tensor) -> Tensor:
        return condition_BC[:, 0].to(self.length_L.device, torch.long)

    def prior(self, n: int, condition_BC: Tensor | None = None) -> NvibPosterior:
        """The prior process for n items of the given numbers of tokens [B, 1], or of lengths like those of the training
        items: every component at the prior's place, with an equal part of its alpha."""
        tokens_B = self._tokens_B(self.conditions(n) if condition_BC is None else condition_BC)
        mask_BN = self.present(tokens_B[:, None])
        prior = self._prior()
        log_alpha_B = (prior.total(tokens_B) / (tokens_B + 1)).log()
        process = DirichletProcess(
            prior.mu_P.expand(n, self.tokens + 1, -1),
            prior.var_C.expand(n, self.tokens + 1, -1),
            log_alpha_B[:, None].expand(mask_BN.shape).masked_fill(~mask_BN, -math.inf),
            mask_BN,
            prior,
            self.kappa,
            self.exact,
            self.place_NQ,
            self.noise_NP,
        )
        return NvibPosterior((process,))

    def point(self, code: Mixture) -> NvibPosterior:
        return NvibPosterior((Given(code),))

    def flat(self, code: Mixture) -> Tensor:
        """Places and centred log weights of all components, zeros where an item has none [B, (tokens + 1) * (P + 1)].

        Variances are no part of a code. Weights below e^-12 of the item's largest count as that.
        """
        missing = self.tokens + 1 - code.mu.shape[1]
        if missing < 0:
            raise UsageError(
                f"a flat code holds {self.tokens + 1} components, however: {code.mu.shape[1]} were given; "
                f"use kappa=1, and flatten items before they are mixed"
            )
        mask_BN = code.mask_BN
        largest_B1 = code.log_weight.max(1, keepdim=True).values
        logit_BN = (code.log_weight - largest_B1).clamp(min=_LEAST_LOG_WEIGHT).masked_fill(~mask_BN, 0)
        logit_BN = (logit_BN - logit_BN.sum(1, keepdim=True) / mask_BN.sum(1, keepdim=True)).masked_fill(~mask_BN, 0)
        mu_BNP = code.mu[:, :, : self.size].masked_fill(~mask_BN[:, :, None], 0)
        code_BNP = torch.cat([mu_BNP, logit_BN[:, :, None]], dim=2)
        return pad(code_BNP, (0, 0, 0, missing)).flatten(1)

    def unflat(self, code_BF: Tensor, condition_BC: Tensor) -> Mixture:
        """The code, with a component for each of its item's tokens."""
        code_BNP = code_BF.view(-1, self.tokens + 1, self.size + 1)
        logit_BN = code_BNP[:, :, -1].masked_fill(~self.present(condition_BC), -math.inf)
        return Mixture(code_BNP[:, :, :-1], None, logit_BN.log_softmax(1)).beside(self.place_NQ)

    def hush(self, code: Mixture, which_B: Tensor) -> Mixture:
        mu_BNP = code.mu.clone()
        mu_BNP[which_B, :, : self.size] = 0
        return Mixture(mu_BNP, code.var, code.log_weight.masked_fill(which_B[:, None] & code.mask_BN, 0))

    def _prior(self) -> PriorProcess:
        return PriorProcess(self.prior_mu_P, self.prior_var_C, self.prior_log_alpha.exp(), self.delta)
