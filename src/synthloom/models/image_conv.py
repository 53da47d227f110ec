"""A convolutional VAE: residual blocks at each level of the image, one Gaussian vector between them."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from synthloom.latents.gaussian import GaussianLatent
from synthloom.likelihoods.image import ImageDecoder
from synthloom.models.image import ImageModel
from synthloom.nets.image import ConvReader, ConvWriter
from synthloom.spec import ImageSpec
from synthloom.vae import VAE, ImageVAE

__all__ = ["ImageConv"]


class ImageConv(ImageModel):
    """Auto-Encoding Variational Bayes (Kingma & Welling, 2013), https://arxiv.org/abs/1312.6114, with the residual
    convolutions of Improved Variational Inference with Inverse Autoregressive Flow (Kingma et al., 2016),
    https://arxiv.org/abs/1606.04934."""

    name: ClassVar[str] = "conv"

    size: int = Field(32, ge=1)
    """Numbers in a code."""
    width: int = Field(32, ge=1)
    """Maps at half the size of the image; twice and four times as many at a quarter and below."""
    blocks: int = Field(1, ge=1)
    """Residual blocks at each level."""

    def build(self, spec: ImageSpec) -> VAE:
        reader, family = ConvReader(spec, self.width, self.blocks), self.family()
        writer = ConvWriter(spec, self.size, self.width, self.blocks, family.maps)
        latent = GaussianLatent(reader.features, self.size)
        return ImageVAE(reader, latent, ImageDecoder(writer, family, spec), spec, self.draws)

    def activations(self, spec: ImageSpec) -> int:
        # levels below the first have half as many numbers each; eight for each block, there and back
        return spec.numbers * 20 + (spec.height * spec.width // 4) * self.width * (8 + 32 * self.blocks)
