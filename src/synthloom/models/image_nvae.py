"""NVAE for images: an image is a set of patches, and its code a mixture with as many vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
from pydantic import Field

from synthloom.attention import DenoisingAttention
from synthloom.latents.nvib import NvibLatent
from synthloom.likelihoods.image import ImageDecoder
from synthloom.models.image import ImageModel
from synthloom.nets.image import PatchReader, PatchWriter
from synthloom.nets.transformer import Decoder, Encoder
from synthloom.spec import ImageBatch, ImageSpec
from synthloom.training import Settings
from synthloom.vae import VAE, ImageVAE

__all__ = ["ImageNVAE"]

_SETTLED = 250
"""Images that the noise is chosen by which stands for chance where there is to be none."""


class ImageNVAE(ImageModel):
    """A VAE for Transformers with Nonparametric Variational Information Bottleneck (Henderson & Fehr, 2022),
    https://arxiv.org/abs/2207.13529, on the patches of an image.

    Its KL counts a draw in full (`latents.nvib.kl_draw`), which makes `log_prob` a bound.
    """

    name: ClassVar[str] = "nvae"

    clip: float | None = Field(10.0, gt=0)
    """Longest gradient that is followed in full; none: any."""
    patch: int = Field(4, ge=1)
    """Side of a patch, in pixels."""
    size: int = Field(4, ge=1)
    """Numbers in each vector of the code."""
    delta: float = Field(0.5, ge=0)
    """How much weight the vectors are expected to have: the prior's pseudo-count for each."""
    width: int = Field(128, ge=1)
    """Width of encoder and decoder."""
    layers: int = Field(3, ge=1)
    """Layers of encoder and decoder each."""
    heads: int = Field(4, ge=1)
    """Heads of each attention."""

    def build(self, spec: ImageSpec) -> VAE:
        encoder = PatchReader(spec, self.patch, Encoder(self.width, self.layers, self.heads), self.width)
        patches = len(encoder.places.place_ND)
        latent = NvibLatent(self.width, self.size, patches, delta=self.delta, exact=True, typical=True)
        stack = Decoder(
            self.width,
            self.layers,
            self.heads,
            cross=lambda: DenoisingAttention(self.width, self.size, self.heads),
            causal=False,
        )
        family = self.family()
        writer = PatchWriter(spec, self.patch, stack, self.width, family.maps)
        return ImageVAE(encoder, latent, ImageDecoder(writer, family, spec), spec, self.draws)

    def finish(self, net: VAE, batch: ImageBatch) -> None:
        assert isinstance(net, ImageVAE)
        assert isinstance(net.latent, NvibLatent)
        few = batch.take(torch.linspace(0, len(batch) - 1, min(len(batch), _SETTLED)).long())
        few = net.seen(few.to(net.count_Y.device))
        net.latent.settle(lambda: -net.generate(net.infer(few).mean).log_prob(few).mean())

    def settings(self, seed: int, items: int) -> Settings:
        return replace(super().settings(seed, items), weight_decay=0.01)

    def activations(self, spec: ImageSpec) -> int:
        patches = -(-spec.height // self.patch) * -(-spec.width // self.patch)
        return spec.numbers * 20 + patches * (20 + 40 * self.layers) * self.width + 4 * self.layers * patches**2
