"""Denoising attention: what attention becomes when it attends to a distribution instead of a list of vectors.

The softmax of ordinary attention is the answer to a question: a vector v was drawn from a mixture with a point mass at
each key; we see u = v + noise; what is the mean of v? Denoising attention gives that answer for any mixture of
Gaussians F, point masses included:

    DAttn(u; F) = E[v | u],    v ~ F,    u ~ N(v, s I),    s = sqrt(E)

A VAE for Transformers with Nonparametric Variational Information Bottleneck (Henderson & Fehr, 2022),
https://arxiv.org/abs/2207.13529

The answer is one call of scaled dot product attention. With c_i = sigma_i^2 / (sigma_i^2 + s) and m_i = (1 - c_i) mu_i,
and without all that is the same for every component,

    score_i = (u.m_i + (u*u/2).c_i) / s + b_i     b_i = log pi_i - m_i.mu_i / (2 s) - 1/2 sum log(1 + sigma_i^2 / s)
    E[v|u]  = sum_i a_i m_i + u * sum_i a_i c_i   a   = softmax(score)

so keys and values are [m, c], queries [u, u*u/2], and the bias b rides along as one more coordinate of the key: as a
mask it would need a gradient, which the fused kernels refuse. Point masses have c = 0 and skip that half.

Legend: B items, H heads, M queries, N components, P width of a component, E width of a head, D width of the model,
C width of c (P; 1 if a component has one variance for all dimensions; 0 for point masses).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from synthloom import devices
from synthloom.errors import UsageError

__all__ = ["DenoisingAttention", "Memory", "Mixture", "attend", "denoise", "merge_heads", "split_heads"]


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians per item: N components with means, variances and log weights.

    mu [B, N, P]; var [B, N, P], or [B, N, 1] where a component has one variance for all its dimensions, or None for
    point masses; log_weight [B, N], -inf where a component is absent or padding. Weights need not add up to one.

    >>> atoms = Mixture(mu=torch.randn(2, 5, 3), var=None, log_weight=torch.zeros(2, 5))
    >>> len(atoms)
    2
    """

    mu: Tensor
    var: Tensor | None
    log_weight: Tensor

    def __len__(self) -> int:
        return len(self.mu)

    @property
    def mask_BN(self) -> Tensor:
        """True where there is a component."""
        return self.log_weight > -math.inf

    def take(self, index: Tensor) -> Mixture:
        """The items at `index`, in that order."""
        return Mixture(self.mu[index], None if self.var is None else self.var[index], self.log_weight[index])

    def beside(self, place_NQ: Tensor) -> Mixture:
        """With more coordinates, if there are any, which are known: the same for every item, and without variance."""
        B, _, P = self.mu.shape
        if place_NQ.shape[1] == 0:
            return self
        place_BNQ = place_NQ.to(self.mu).expand(B, -1, -1)
        var_BNC = None if self.var is None else self.var.expand(-1, -1, P)
        return Mixture(
            torch.cat([self.mu, place_BNQ], dim=2),
            None if var_BNC is None else torch.cat([var_BNC, torch.zeros_like(place_BNQ)], dim=2),
            self.log_weight,
        )

    @staticmethod
    def blend(shares: Sequence[float], mixtures: Sequence[Mixture]) -> Mixture:
        """sum_k share_k F_k: all the components side by side, the weights of each mixture scaled to its share.

        >>> one, two = (Mixture(torch.zeros(1, 2, 1), None, torch.zeros(1, 2)) for _ in range(2))
        >>> Mixture.blend([0.75, 0.25], [one, two]).log_weight.exp()
        tensor([[0.3750, 0.3750, 0.1250, 0.1250]])
        """
        log_weight_BN = torch.cat(
            [
                mix.log_weight - mix.log_weight.logsumexp(1, keepdim=True) + (math.log(share) if share else -math.inf)
                for share, mix in zip(shares, mixtures, strict=True)
            ],
            dim=1,
        )
        var_BNC = None
        if any(mix.var is not None for mix in mixtures):
            width = max(mix.var.shape[2] for mix in mixtures if mix.var is not None)
            var_BNC = torch.cat(
                [
                    torch.zeros_like(mix.mu[:, :, :width]) if mix.var is None else mix.var.expand(-1, -1, width)
                    for mix in mixtures
                ],
                dim=1,
            )
        return Mixture(torch.cat([mix.mu for mix in mixtures], dim=1), var_BNC, log_weight_BN)


def denoise(u_BHMP: Tensor, mix: Mixture, noise: float, *, linear: bool = False) -> Tensor:
    """E[v | u] for v ~ mix and u ~ N(v, noise * I): exact, in the space of the components [B, H, M, P].

    `linear` leaves out the term quadratic in u, as the released code of the papers does: the same wherever all
    components share their variances, and only there.

    A single Gaussian pulls a noisy observation towards its mean, halfway if it varies as much as the noise:

    >>> mix = Mixture(mu=torch.zeros(1, 1, 2), var=torch.ones(1, 1, 2), log_weight=torch.zeros(1, 1))
    >>> denoise(torch.tensor([[[[4.0, -2.0]]]]), mix, noise=1.0)
    tensor([[[[ 2., -1.]]]])
    """
    m_BNP, c_BNC, b_BN = _canonical(mix, noise)
    memory = _memory(m_BNP[:, None], None, c_BNC, noise * b_BN, mix.mask_BN)
    with _full_precision(u_BHMP):
        return _denoise(u_BHMP, memory, noise, linear)


def _denoise(u_BHMP: Tensor, memory: Memory, noise: float, linear: bool) -> Tensor:
    if memory.variances == 0:
        return _attend(u_BHMP, u_BHMP[..., :0], memory, 1 / noise)[0]
    half_BHMC = 0.5 * u_BHMP.square()
    if memory.variances == 1:
        half_BHMC = half_BHMC.sum(3, keepdim=True)
    m_BHMP, c_BHMC = _attend(u_BHMP, _scored(half_BHMC, linear), memory, 1 / noise)
    return torch.addcmul(m_BHMP, c_BHMC, u_BHMP)


@dataclass(frozen=True)
class Memory:
    """What attention needs to know of an item whatever the query: computed once, kept while decoding.

    Keys and values [B, H, N, K]; mask [B, 1, 1, N], True where there is something to attend to, or None if everywhere.
    """

    key_BHNK: Tensor
    value_BHNK: Tensor
    mask_B11N: Tensor | None
    variances: int = 0  # C: how many of the K coordinates are c
    see_HEG: Tensor | None = None  # from a query to what is scored with c: u itself, or what |u|^2 is made of
    lift_HGE: Tensor | None = None  # from u (or a query) to the values of each head
    projected: bool = True  # whether keys and values are those of the heads, or the components themselves

    def take(self, index: Tensor) -> Memory:
        """The items at `index`, in that order: for beams, and for leaving finished items behind."""
        mask = None if self.mask_B11N is None else self.mask_B11N[index]
        return replace(self, key_BHNK=self.key_BHNK[index], value_BHNK=self.value_BHNK[index], mask_B11N=mask)


class DenoisingAttention(nn.Module):
    """Multi-head denoising attention from a model of width D to mixtures of width P, for training and evaluation alike.

    `remember(mix)` computes all that does not depend on the query; `forward(x_BMD, memory)` attends. A draw (point
    masses) and a mean (Gaussians) go the same way. In head h the observation u = W_k,h^T (W_q,h x + b) is as wide as a
    component; it is formed for components that are narrower than a head, or that have a variance for each dimension,
    and all heads then share them as keys. Otherwise keys and values are projected to the width of a head first.

    >>> attention = DenoisingAttention(width=16, components=3, heads=2)
    >>> mix = Mixture(mu=torch.randn(4, 5, 3), var=torch.rand(4, 5, 3), log_weight=torch.zeros(4, 5))
    >>> attention(torch.randn(4, 7, 16), attention.remember(mix)).shape
    torch.Size([4, 7, 16])
    """

    def __init__(self, width: int, components: int, heads: int = 1, *, linear: bool = False) -> None:
        super().__init__()
        if width % heads:
            raise UsageError(f"the width must be a multiple of the number of heads, however: {width=}, {heads=}")
        self.heads = heads
        self.linear = linear
        self.noise = math.sqrt(width // heads)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(components, width, bias=False)  # a bias would be the same for every component
        self.value = nn.Linear(components, width)
        self.out = nn.Linear(width, width)

    def remember(self, mix: Mixture) -> Memory:
        m_BNP, c_BNC, b_BN = _canonical(mix, self.noise)
        key_HEP, value_HEP = self._per_head(self.key), self._per_head(self.value)
        if c_BNC.shape[2] > 1 or m_BNP.shape[2] < key_HEP.shape[1]:
            memory = _memory(m_BNP[:, None], None, c_BNC, self.noise * b_BN, mix.mask_BN)
            # contiguous, because a step of few queries takes three times as long by the transpose of a matrix
            return replace(memory, see_HEG=key_HEP, lift_HGE=value_HEP.mT.contiguous(), projected=False)
        key_BHNE = split_heads(self.key(m_BNP), self.heads)
        # without the bias: the weights add up to one (to zero, if nothing is there), so it is added after attending
        value_BHNE = split_heads(m_BNP @ self.value.weight.mT, self.heads)
        memory = _memory(key_BHNE, value_BHNE, c_BNC, self.noise * b_BN, mix.mask_BN)
        if c_BNC.shape[2] == 0:
            return memory
        # of u itself only |u|^2 = q.(W_k W_k^T) q and W_v u = (W_v W_k^T) q are needed
        return replace(memory, see_HEG=key_HEP @ key_HEP.mT, lift_HGE=key_HEP @ value_HEP.mT)

    def forward(self, x_BMD: Tensor, memory: Memory) -> Tensor:
        q_BHME = split_heads(self.query(x_BMD), self.heads).to(memory.key_BHNK.dtype)
        with _full_precision(x_BMD):
            value_BHME = self._denoise(q_BHME, memory)
        value_BMD: Tensor = self.out(merge_heads(value_BHME) + self.value.bias)
        return value_BMD

    def _denoise(self, q_BHME: Tensor, memory: Memory) -> Tensor:
        if memory.see_HEG is None or memory.lift_HGE is None:
            return _attend(q_BHME, q_BHME[..., :0], memory, 1 / self.noise)[0]
        seen_BHMG = _by_head(q_BHME, memory.see_HEG)
        if memory.projected:
            half_BHM1 = 0.5 * (seen_BHMG * q_BHME).sum(3, keepdim=True)
            value_BHME, c_BHM1 = _attend(q_BHME, _scored(half_BHM1, self.linear), memory, 1 / self.noise)
            return torch.addcmul(value_BHME, c_BHM1, _by_head(q_BHME, memory.lift_HGE))
        return _by_head(_denoise(seen_BHMG, memory, self.noise, self.linear), memory.lift_HGE)

    def _per_head(self, linear: nn.Linear) -> Tensor:
        """A projection as one matrix per head [H, E, P]."""
        return linear.weight.view(self.heads, -1, linear.in_features)


def attend(
    query_BHME: Tensor,
    key_BHNE: Tensor,
    value_BHNE: Tensor,
    mask: Tensor | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Scaled dot product attention; on a CPU never back through bfloat16, which takes ten times as long as float32
    does (torch 2.13, with AMX)."""
    if query_BHME.device.type == "cpu" and query_BHME.dtype == torch.bfloat16 and torch.is_grad_enabled():
        query_BHME, key_BHNE, value_BHNE = query_BHME.float(), key_BHNE.float(), value_BHNE.float()
    with torch.autocast(query_BHME.device.type, enabled=False):
        return scaled_dot_product_attention(query_BHME, key_BHNE, value_BHNE, mask, is_causal=causal, scale=scale)


def _scored(half_BHMC: Tensor, linear: bool) -> Tensor:
    return torch.zeros_like(half_BHMC) if linear else half_BHMC


def _by_head(x_BHMI: Tensor, matrix_HIO: Tensor) -> Tensor:
    """x @ matrix in each head; as a plain product it would copy the matrix for every item."""
    B, H, M, width = x_BHMI.shape
    out_HAO = torch.bmm(x_BHMI.transpose(0, 1).reshape(H, B * M, width), matrix_HIO)
    return out_HAO.view(H, B, M, matrix_HIO.shape[2]).transpose(0, 1)


def split_heads(x_BND: Tensor, heads: int) -> Tensor:
    """[B, N, H * E] -> [B, H, N, E]."""
    B, N, D = x_BND.shape
    return x_BND.view(B, N, heads, D // heads).transpose(1, 2)


def merge_heads(x_BHNE: Tensor) -> Tensor:
    """[B, H, N, E] -> [B, N, H * E]."""
    return x_BHNE.transpose(1, 2).flatten(2)


def _full_precision(tensor: Tensor) -> AbstractContextManager[object]:
    """Within the block nothing is rounded to bfloat16: an error of one percent in a squared norm is many nats."""
    return torch.autocast(tensor.device.type, enabled=False)


def _canonical(mix: Mixture, noise: float) -> tuple[Tensor, Tensor, Tensor]:
    """m [B, N, P], c [B, N, C] and b [B, N] of the fused form; whatever an absent component holds is ignored."""
    absent_BN = ~mix.mask_BN
    mu_BNP = mix.mu.masked_fill(absent_BN[:, :, None], 0)
    b_BN = mix.log_weight.masked_fill(absent_BN, 0)
    if mix.var is None:
        return mu_BNP, mu_BNP[:, :, :0], b_BN - mu_BNP.square().sum(2) / (2 * noise)
    var_BNC = mix.var.masked_fill(absent_BN[:, :, None], 0)
    m_BNP = mu_BNP * (noise / (var_BNC + noise))
    dimensions_each = mu_BNP.shape[2] / var_BNC.shape[2]
    spread_BN = dimensions_each * torch.log1p(var_BNC / noise).sum(2)
    return m_BNP, var_BNC / (var_BNC + noise), b_BN - (m_BNP * mu_BNP).sum(2) / (2 * noise) - 0.5 * spread_BN


def _memory(key_BHNE: Tensor, value_BHNE: Tensor | None, c_BNC: Tensor, b_BN: Tensor, mask_BN: Tensor) -> Memory:
    """Keys [m, c, b] and values [m, c, anything], as wide as each other because the fused kernels want it so."""
    rest_BHNC = c_BNC[:, None].expand(-1, key_BHNE.shape[1], -1, -1)
    b_BHN1 = b_BN[:, None, :, None].expand(-1, key_BHNE.shape[1], -1, -1)
    key_BHNK = torch.cat([key_BHNE, rest_BHNC, b_BHN1], dim=3)
    # not projected, keys and values are one tensor, which halves what a decoding step has to read
    value_BHNK = key_BHNK if value_BHNE is None else torch.cat([value_BHNE, rest_BHNC, b_BHN1], dim=3)
    seen = devices.one_by_one(mask_BN) or not bool(mask_BN.all())
    mask_B11N = mask_BN[:, None, None] if seen else None
    return Memory(key_BHNK, value_BHNK, mask_B11N, variances=c_BNC.shape[2])


def _attend(q_BHME: Tensor, half_BHMC: Tensor, memory: Memory, scale: float) -> tuple[Tensor, Tensor]:
    """The fused call: the weighted means of the values [B, H, M, E] and of c [B, H, M, C]."""
    query_BHMK = torch.cat([q_BHME, half_BHMC, torch.ones_like(q_BHME[..., :1])], dim=3)
    B, H, M, K = query_BHMK.shape
    if memory.key_BHNK.shape[1] == 1:  # heads that look at the same keys are as good as more queries
        query_BHMK = query_BHMK.reshape(B, 1, H * M, K)
    out_BHMK = attend(query_BHMK, memory.key_BHNK, memory.value_BHNK, memory.mask_B11N, scale=scale)
    out_BHMK = out_BHMK.reshape(B, H, M, K)
    return out_BHMK[..., : q_BHME.shape[3]], out_BHMK[..., q_BHME.shape[3] : -1]
