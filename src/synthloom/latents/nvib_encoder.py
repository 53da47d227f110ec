"""NVIB inside an encoder: self-attention that looks at a draw of what came before, layer upon layer.

Learning to Abstract with Nonparametric Variational Information Bottleneck (Behjati, Fehr & Henderson, 2023),
https://arxiv.org/abs/2310.17284

Legend: B items, n tokens, N components, D width of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from synthloom.attention import DenoisingAttention
from synthloom.errors import UsageError
from synthloom.latents.nvib import NvibLatent, NvibPosterior, weighted_kl

__all__ = ["NvibEncoder", "NvibEncoderLayer", "mean_kl"]


class NvibEncoderLayer(nn.Module):
    """A pre-norm Transformer layer with its attention replaced: from norm(x) to a draw of DP(norm(x)).

    Takes over the parts of `layer`, weights included; only the bottleneck is new.
    """

    def __init__(self, layer: Any, tokens: int, **knobs: Any) -> None:
        super().__init__()
        width, heads = layer.attention.query.in_features, layer.attention.heads
        self.norm, self.forward_norm = layer.norm, layer.forward_norm
        self.feed_forward, self.dropout = layer.feed_forward, layer.dropout
        self.latent = NvibLatent(width, width, tokens, **knobs)
        self.attention = DenoisingAttention(width, components=width, heads=heads)
        self.attention.load_state_dict(layer.attention.state_dict())

    def forward(
        self, x_BnD: Tensor, mask_Bn: Tensor, temperature: float = 1.0, log_alpha_Bn: Tensor | None = None
    ) -> tuple[Tensor, NvibPosterior]:
        y_BnD = self.norm(x_BnD)
        q = self.latent.posterior(y_BnD, mask_Bn, log_alpha_Bn)
        x_BnD = x_BnD + self.dropout(self.attention(y_BnD, self.attention.remember(q.draw(temperature))))
        return x_BnD + self.dropout(self.feed_forward(self.forward_norm(x_BnD))), q


class NvibEncoder(nn.Module):
    """An encoder of `synthloom.nets.transformer` whose last `layers` layers are NVIB layers.

    `forward` gives the vectors and one posterior per NVIB layer; draw or mean (temperature 0) is an argument. With
    `skip` a layer's log alpha adds to that of the layer before. `initialise` makes it compute what `encoder` did.
    """

    def __init__(self, encoder: Any, layers: int, tokens: int, *, skip: bool = False, **knobs: Any) -> None:
        super().__init__()
        if not 1 <= layers <= len(encoder.layers):
            raise UsageError(f"layers must be from 1 to the encoder's {len(encoder.layers)}, however: {layers=}")
        self.skip = skip
        self.plain = encoder.layers[:-layers]
        self.layers = nn.ModuleList(NvibEncoderLayer(layer, tokens, **knobs) for layer in encoder.layers[-layers:])
        self.norm = encoder.norm

    def forward(
        self, x_BnD: Tensor, mask_Bn: Tensor, temperature: float = 1.0
    ) -> tuple[Tensor, tuple[NvibPosterior, ...]]:
        posteriors: list[NvibPosterior] = []
        for layer in self.plain:
            x_BnD = layer(x_BnD, mask_Bn)
        for layer in self.layers:
            before = posteriors[-1].process.log_alpha_BN[:, 1:] if self.skip and posteriors else None
            x_BnD, q = layer(x_BnD, mask_Bn, temperature, before)
            posteriors.append(q)
        return self.norm(x_BnD), tuple(posteriors)

    @torch.no_grad()
    def initialise(self, x_BnD: Tensor, mask_Bn: Tensor, **tau: float) -> None:
        """Every NVIB layer's prior from its own inputs on this data; see `NvibLatent.initialise` for the knobs.

        In eval mode, so that dropout does not count as data.
        """
        if self.skip:
            raise UsageError("a layer can only start out as ordinary attention without skip, however: skip=True")
        layer: Any
        for layer in self.plain:
            x_BnD = layer(x_BnD, mask_Bn)
        for layer in self.layers:
            layer.latent.initialise(layer.norm(x_BnD), mask_Bn, layer.attention.noise, **tau)
            x_BnD, _ = layer(x_BnD, mask_Bn, temperature=0.0)


def mean_kl(posteriors: Sequence[NvibPosterior], weights: Sequence[float] | None = None) -> dict[str, Tensor]:
    """The KL of a stack: averaged over its layers, equally or by `weights` (as many, of any sum)."""
    weights = weights or [1.0] * len(posteriors)
    return weighted_kl([weight / sum(weights) for weight in weights], [q.kl() for q in posteriors])
