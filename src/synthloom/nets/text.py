"""Reading texts: pieces and their places to vectors.

Legend: B items, N pieces of a text, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from synthloom.nets.places import sinusoids
from synthloom.nets.transformer import Encoder
from synthloom.spec import TextBatch, TextSpec

__all__ = ["Embedding", "TextEncoder"]


class Embedding(nn.Module):
    """A vector for each piece, and one for each place that is added to it."""

    def __init__(self, spec: TextSpec, width: int) -> None:
        super().__init__()
        self.scale = width**0.5
        self.piece = nn.Embedding(spec.pieces, width)
        self.place = nn.Embedding(spec.longest, width)
        # so small that the same matrix, turned round, gives logits of a sensible size
        nn.init.normal_(self.piece.weight, std=1 / self.scale)
        with torch.no_grad():
            self.place.weight.copy_(0.5 * sinusoids(spec.longest, width))

    def forward(self, token_BN: Tensor, start: int = 0) -> Tensor:
        """Vectors [B, N, D] of pieces that stand from place `start` on."""
        place_ND = self.place.weight[start : start + token_BN.shape[1]]
        vector_BND: Tensor = self.scale * self.piece(token_BN) + place_ND
        return vector_BND


class TextEncoder(nn.Module):
    """A batch of texts to a vector for each piece, which knows of all the others, and the mask [B, N] of pieces."""

    def __init__(self, embedding: Embedding, encoder: Encoder) -> None:
        super().__init__()
        self.embedding = embedding
        self.encoder = encoder

    def forward(self, batch: TextBatch) -> tuple[Tensor, Tensor]:
        mask_BN = batch.mask_BN
        return self.encoder(self.embedding(batch.token_BN), mask_BN), mask_BN
