"""NVAE: a Transformer whose code is a mixture of as many vectors as a text needs."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from synthloom.attention import DenoisingAttention
from synthloom.latents.nvib import NvibLatent
from synthloom.models.text import PLACES, TransformerModel
from synthloom.spec import TextBatch
from synthloom.vae import VAE

__all__ = ["TextNVAE"]


class TextNVAE(TransformerModel):
    """A VAE for Transformers with Nonparametric Variational Information Bottleneck (Henderson & Fehr, 2022),
    https://arxiv.org/abs/2207.13529"""

    name: ClassVar[str] = "nvae"

    delta: float = Field(1.0, ge=0)
    """How much weight the vectors are expected to have: the prior's pseudo-count for each."""

    def _latent(self, tokens: int) -> NvibLatent:
        return NvibLatent(self.width, self.size, tokens, delta=self.delta, exact=True, places=PLACES, typical=True)

    def _cross(self) -> nn.Module:
        return DenoisingAttention(self.width, self.size + PLACES, self.heads)

    def prepare(self, net: VAE, batch: TextBatch) -> None:
        super().prepare(net, batch)
        assert isinstance(net.latent, NvibLatent)
        net.latent.observe(batch.length_B)

    def finish(self, net: VAE, batch: TextBatch) -> None:
        count = min(len(batch), _SETTLING)
        few = batch.take(torch.linspace(0, len(batch) - 1, count).long()).to(next(net.parameters()).device)
        assert isinstance(net.latent, NvibLatent)
        net.latent.settle(lambda: -net.generate(net.infer(few).mean).log_prob(few).mean())


_SETTLING = 128
"""Texts by which it is settled what stands for chance in their codes."""
