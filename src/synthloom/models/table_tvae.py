"""TVAE: one Gaussian vector per row, two plain networks around it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field
from torch import nn

from synthloom.latents.gaussian import GaussianLatent
from synthloom.likelihoods.table import TableHead, TableLikelihood
from synthloom.models.base import Among, Range, TableModel
from synthloom.nets.mlp import mlp
from synthloom.nets.rows import RowReader
from synthloom.spec import TableBatch, TableSpec
from synthloom.training import Constant, Linear, Schedule, Settings
from synthloom.vae import VAE

__all__ = ["TVAE"]


_WIDTHS = (64, 64), (128, 128), (256, 256)


class TVAE(TableModel):
    """Modeling Tabular Data using Conditional GAN (Xu et al., 2019), https://arxiv.org/abs/1907.00503

    Categories are drawn from their distribution, where the authors' library takes the likeliest; `codec="gmm"` gives
    their encoding of numbers, the default a better one.
    """

    name: ClassVar[str] = "tvae"
    private: ClassVar[dict[str, Any]] = {
        "epochs": None,
        "batch_size": 512,
        "learning_rate": 5e-3,
        "clip": 1.0,
        "cells": 16,
        "embedding_dim": 32,
        "compress_dims": (64,),
        "decompress_dims": (64,),
    }

    embedding_dim: Annotated[int, Among((32, 64, 128))] = Field(128, ge=1)
    """Size of the latent vector."""
    compress_dims: Annotated[tuple[int, ...], Among(_WIDTHS)] = (128, 128)
    """Widths of the encoder's layers."""
    decompress_dims: Annotated[tuple[int, ...], Among(_WIDTHS)] = (128, 128)
    """Widths of the decoder's layers."""
    loss_factor: Annotated[float, Range(1.0, 2.0)] = Field(1.4, gt=0)
    """How much more the reconstruction counts than the KL; 2 as published, but then draws of the prior fit worse."""
    l2scale: float = Field(1e-5, ge=0)
    """Weight decay."""
    warmup: float = Field(0.3, ge=0, le=1)
    """Share of training over which the KL grows to its full weight; 0: full from the first step, as published."""

    def build(self, spec: TableSpec) -> VAE:
        first, *rest = self.compress_dims
        encoder = nn.Sequential(RowReader(spec, first), nn.ReLU(), mlp([first, *rest]))
        decoder = nn.Sequential(
            mlp([self.embedding_dim, *self.decompress_dims]), TableHead(self.decompress_dims[-1], spec)
        )
        return VAE(encoder, GaussianLatent(self.compress_dims[-1], self.embedding_dim), decoder)

    def schedule(self) -> Schedule:
        # under its full weight from the first step the latent hardly comes to life: with the default warm-up it carries
        # three times the nats, and boosted trees are fooled far more often
        return Linear(0.0, self.warmup, 1 / self.loss_factor) if self.warmup else Constant(1 / self.loss_factor)

    def settings(self, seed: int, items: int) -> Settings:
        return replace(super().settings(seed, items), weight_decay=self.l2scale)

    def finish(self, net: VAE, batch: TableBatch) -> None:
        batch = batch.to(next(net.parameters()).device)
        for _ in range(5):
            like = net.generate(net.prior(8192).draw())
            assert isinstance(like, TableLikelihood)
            like.head.calibrate(batch, like)
