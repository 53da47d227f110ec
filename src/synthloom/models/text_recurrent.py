"""Recurrent VAEs: one Gaussian vector between an encoder that reads both ways and a decoder that writes."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from synthloom.latents.gaussian import GaussianLatent
from synthloom.likelihoods.text import TextDecoder
from synthloom.models.text import TextModel
from synthloom.nets.recurrent import Cell, RecurrentDecoder, RecurrentEncoder
from synthloom.nets.text import Embedding
from synthloom.spec import TextSpec
from synthloom.vae import VAE

__all__ = ["TextGRU", "TextLSTM"]


class TextGRU(TextModel):
    """Generating Sentences from a Continuous Space (Bowman et al., 2016), https://arxiv.org/abs/1511.06349, with gated
    recurrent units."""

    name: ClassVar[str] = "gru"
    cell: ClassVar[Cell] = "gru"

    layers: int = Field(1, ge=1)
    """Layers of the encoder, and of the decoder."""
    size: int = Field(64, ge=1)
    """Width of the code."""

    def build(self, spec: TextSpec) -> VAE:
        embedding = Embedding(spec, self.width)
        encoder = RecurrentEncoder(embedding, self.cell, self.width, self.layers, self.dropout)
        stack = RecurrentDecoder(self.cell, self.width, self.size, self.layers, self.dropout)
        decoder = TextDecoder(embedding, stack, spec, word_dropout=self.word_dropout)
        return self._vae(encoder, GaussianLatent(2 * self.width, self.size), decoder, spec)


class TextLSTM(TextGRU):
    """The same with long short-term memory."""

    name: ClassVar[str] = "lstm"
    cell: ClassVar[Cell] = "lstm"
