"""NVAE: a Transformer whose code is a mixture of as many vectors as a text needs."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field

from synthloom.attention import DenoisingAttention
from synthloom.latents.nvib import NvibLatent
from synthloom.likelihoods.text import TextDecoder
from synthloom.models.text import PLACES, TransformerModel
from synthloom.nets.transformer import Decoder
from synthloom.spec import TextBatch, TextSpec
from synthloom.vae import VAE

__all__ = ["TextNVAE"]


class TextNVAE(TransformerModel):
    """A VAE for Transformers with Nonparametric Variational Information Bottleneck (Henderson & Fehr, 2022),
    https://arxiv.org/abs/2207.13529"""

    name: ClassVar[str] = "nvae"

    delta: float = Field(1.0, ge=0)
    """Which share of its vectors a text keeps, roughly."""

    def build(self, spec: TextSpec) -> VAE:
        embedding, encoder = self._encoder(spec)
        stack = Decoder(
            self.width,
            self.layers,
            self.heads,
            dropout=self.dropout,
            cross=lambda: DenoisingAttention(self.width, self.size + PLACES, self.heads),
        )
        decoder = TextDecoder(embedding, stack, spec, word_dropout=self.word_dropout)
        latent = NvibLatent(
            self.width, self.size, spec.longest, delta=self.delta, exact=True, places=PLACES, typical=True
        )
        return self._vae(encoder, latent, decoder, spec)

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
