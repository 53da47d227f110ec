"""What models of texts share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from synthloom.latents import Latent
from synthloom.latents.nvib import NvibLatent
from synthloom.latents.tokens import TokenLatent
from synthloom.likelihoods.text import TextDecoder
from synthloom.models.base import Among, Model, Range
from synthloom.nets.places import reading
from synthloom.nets.text import Embedding, TextEncoder
from synthloom.nets.transformer import Decoder, Encoder
from synthloom.spec import TextBatch, TextSpec
from synthloom.training import RateTarget, Schedule, Settings
from synthloom.vae import VAE, TextVAE

__all__ = ["PLACES", "TextModel", "TransformerModel"]

PLACES = 16
"""Coordinates that tell a Transformer's decoder which piece a vector of the code belongs to."""


class TextModel(Model):
    """Knobs that every model of texts has."""

    kind: ClassVar[str] = "text"

    epochs: int | None = Field(40, ge=1)
    """How often training goes through the texts, at most."""
    batch_size: Annotated[int, Among((32, 64, 128))] = Field(64, ge=1)
    """Texts per step."""
    learning_rate: Annotated[float, Range(5e-4, 5e-3, log=True)] = Field(2e-3, gt=0)
    """How far the first steps go; later ones go less far, along a cosine down to nothing."""
    patience: int | None = Field(None, ge=1)
    """Stop when so many epochs have brought nothing better on the validation texts; none: never."""
    validation: float = Field(0.05, ge=0, lt=0.9)
    """Share of the texts kept aside, 2,048 at most, to see which epoch was best; 0: none."""
    clip: float | None = Field(1.0, gt=0)
    """Longest gradient that is followed in full; none: any."""
    prior: Literal["standard", "mixture", "flow", "language"] = "language"
    """What to draw codes from: what training pulls towards; what is fitted to the codes afterwards; or "language": the
    codes of texts that the decoder writes without one."""
    blind: float = Field(0.6, ge=0, lt=1)
    """Share of the texts of which the decoder is shown no code while training, so that it can write without."""
    protect: bool = True
    """Keep back texts and words that one text holds, and labels that fewer than 5 have; learn equal texts once."""

    vocabulary: str = "bpe"
    """What texts are made of: "bpe" (pieces that often occur), "word", or the path of a tokenizer.json."""
    pieces: int = Field(4000, ge=300)
    """How many different pieces there may be."""
    shortest: int = Field(1, ge=1)
    """Texts of fewer pieces are left out."""
    longest: int = Field(64, ge=4)
    """Pieces of a text, its end among them; longer texts are cut into passages, after a sentence if they can be."""
    sentences: bool = False
    """Cut texts into sentences."""
    width: Annotated[int, Among((128, 256, 384))] = Field(128, ge=1)
    """Width of the network."""
    layers: Annotated[int, Among((1, 2, 3))] = Field(2, ge=1)
    """Layers of the encoder, and of the decoder."""
    dropout: Annotated[float, Range(0.0, 0.3)] = Field(0.1, ge=0, lt=1)
    """Share of what a layer has to say that is dropped while training."""
    word_dropout: float = Field(0.0, ge=0, le=1)
    """Share of the words already written that the decoder is not shown; falls to 0 over the course of training."""
    rate: Annotated[float, Range(1.0, 10.0, log=True)] = Field(6.0, gt=0)
    """What the code of a text may say of it, in nats per piece."""
    keep_distance: float = Field(10.0, gt=0)
    """How far the codes of other texts are to stay from those of the examples that `fit` is told to keep."""
    keep_weight: float = Field(1.0, ge=0)
    """What a text pays for each unit that its code is nearer than that, in nats."""
    warmup: float = Field(0.3, ge=0, le=1)
    """Share of training in which the network is all but a plain autoencoder."""
    squeeze: float = Field(0.3, ge=0, le=1)
    """Share of training over which its code is then squeezed to `rate`."""

    def _vae(self, encoder: nn.Module, latent: Latent, decoder: TextDecoder, spec: TextSpec) -> TextVAE:
        return TextVAE(encoder, latent, decoder, spec, blind=self.blind, writes_prior=self.prior == "language")

    def prepare(self, net: VAE, batch: TextBatch) -> None:
        assert isinstance(net, TextVAE)
        net.observe(batch)

    def schedule(self) -> Schedule:
        return self._target(10.0)

    def schedule_for(self, batch: TextBatch) -> Schedule:
        return self._target(float(batch.length_B.double().mean()))

    def _target(self, pieces: float) -> Schedule:
        return RateTarget(self.rate * pieces, warmup=self.warmup, squeeze=self.squeeze)

    def settings(self, seed: int, items: int) -> Settings:
        return replace(super().settings(seed, items), decay="cosine", weight_decay=0.01)


class TransformerModel(TextModel):
    """Knobs of the Transformers."""

    heads: int = Field(4, ge=1)
    """Heads of attention; they share the width."""
    size: int = Field(32, ge=1)
    """Width of each vector of a code."""

    def build(self, spec: TextSpec) -> VAE:
        embedding = Embedding(spec, self.width)
        encoder = TextEncoder(embedding, Encoder(self.width, self.layers, self.heads, dropout=self.dropout))
        latent = self._latent(spec.longest)
        stack = Decoder(self.width, self.layers, self.heads, dropout=self.dropout, cross=self._cross)
        for layer in stack.layers:
            _look_ahead(layer.cross, embedding, latent)
        decoder = TextDecoder(embedding, stack, spec, word_dropout=self.word_dropout)
        return self._vae(encoder, latent, decoder, spec)

    @abstractmethod
    def _latent(self, tokens: int) -> NvibLatent | TokenLatent: ...

    @abstractmethod
    def _cross(self) -> nn.Module:
        """How a layer of the decoder attends to a code."""


_EAGER = 20.0
"""How strongly, at first, attention prefers the vector of the piece to come; it is free to change its mind."""


@torch.no_grad()
def _look_ahead(cross: Any, embedding: Embedding, latent: NvibLatent | TokenLatent) -> None:
    """Have attention to a code start out at the vector that holds the piece to be written: to find it by chance takes
    most of a short training."""
    place_NQ = latent.place_NQ[latent.holder(torch.arange(len(embedding.place.weight)))]
    see_QD = reading(embedding.place.weight, place_NQ)
    E = cross.query.out_features // cross.heads
    count = min(E, PLACES)
    row_HQ = E * torch.arange(cross.heads)[:, None] + torch.arange(count)
    cross.query.weight[row_HQ] = _EAGER * see_QD[:count]
    cross.query.bias[row_HQ] = 0.0
    cross.key.weight[row_HQ] = torch.eye(latent.size + PLACES)[latent.size : latent.size + count]
