"""A Transformer with a vector for each piece: without a bottleneck, or a Gaussian for each, for some, for all."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from synthloom.latents.tokens import TokenLatent
from synthloom.models.text import PLACES, TransformerModel
from synthloom.nets.transformer import Attention
from synthloom.training import Constant, Schedule

__all__ = ["VTP", "VTS", "VTV", "TextTransformer"]


class _Vectors(TransformerModel):
    """A Transformer between whose halves there are some vectors."""

    def _cross(self) -> nn.Module:
        return Attention(self.width, self.heads, memory_width=self.size + PLACES)


class TextTransformer(_Vectors):
    """No bottleneck: a plain autoencoder, whose codes are drawn from the learned prior."""

    name: ClassVar[str] = "transformer"

    def _latent(self, tokens: int) -> TokenLatent:
        return TokenLatent(self.width, self.size, tokens, places=PLACES, noise=False)

    def _target(self, pieces: float) -> Schedule:
        return Constant()


class VTV(_Vectors):
    """A Gaussian vector for each piece."""

    name: ClassVar[str] = "vtv"

    def _latent(self, tokens: int) -> TokenLatent:
        return TokenLatent(self.width, self.size, tokens, places=PLACES)


class VTP(_Vectors):
    """One Gaussian vector for the whole text."""

    name: ClassVar[str] = "vtp"

    size: int = Field(128, ge=1)
    """Width of the vector."""
    pool: Literal["mean", "max"] = "mean"
    """How the vectors of all pieces become one."""

    def _latent(self, tokens: int) -> TokenLatent:
        return TokenLatent(self.width, self.size, tokens, places=PLACES, pool=self.pool)


class VTS(_Vectors):
    """A Gaussian vector for every few pieces, whatever they say."""

    name: ClassVar[str] = "vts"

    keep: float = Field(0.5, gt=0, le=1)
    """Share of the pieces that keep their vector."""

    def _latent(self, tokens: int) -> TokenLatent:
        return TokenLatent(self.width, self.size, tokens, places=PLACES, keep=self.keep)
