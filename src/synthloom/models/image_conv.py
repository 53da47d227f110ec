"""A convolutional VAE: residual blocks over the patches of an image, one Gaussian vector between them."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from synthloom.latents.gaussian import GaussianLatent
from synthloom.likelihoods.image import ImageDecoder
from synthloom.models.base import Range
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
    learning_rate: Annotated[float, Range(3e-4, 4e-3, log=True)] = Field(2e-3, gt=0)
    """How far the first steps go; later ones go less far, along a cosine down to nothing."""
    patch: int = Field(4, ge=1)
    """Side of a patch, in pixels; smaller ones are finer and slower."""
    width: int = Field(64, ge=1)
    """Maps of the patches; twice as many at further levels, where the patches are halved until there are few."""
    blocks: int = Field(1, ge=1)
    """Residual blocks at each level."""

    def build(self, spec: ImageSpec) -> VAE:
        reader, family = ConvReader(spec, self.patch, self.width, self.blocks), self.family()
        writer = ConvWriter(spec, self.size, self.patch, self.width, self.blocks, family.maps)
        latent = GaussianLatent(reader.features, self.size)
        return ImageVAE(reader, latent, ImageDecoder(writer, family, spec), spec, self.draws)

    def activations(self, spec: ImageSpec) -> int:
        # levels below the first have half as many numbers each; eight for each block, there and back
        patches = -(-spec.height // self.patch) * -(-spec.width // self.patch)
        return spec.numbers * 20 + patches * self.width * (8 + 32 * self.blocks)
