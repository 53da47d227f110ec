"""NVAE for tables: a row is a set of cells, and its code a mixture with as many vectors as there are columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field

from synthloom.attention import DenoisingAttention
from synthloom.latents.nvib import NvibLatent
from synthloom.likelihoods.cells import CellHead, CellLikelihood, CellWriter
from synthloom.models.base import Among, Range, TableModel
from synthloom.nets.cells import CellEncoder, CellReader
from synthloom.nets.transformer import Decoder, Encoder
from synthloom.spec import TableBatch, TableSpec
from synthloom.training import Constant, RateTarget, Schedule, Settings
from synthloom.vae import VAE

__all__ = ["TableNVAE"]

_CALIBRATION_ROWS = 2048
_CALIBRATION_CELLS = 1 << 19
"""Rows that are drawn to set the columns straight: as many as there are, but not fewer than this, which tells a share
of one half to a percent, nor more cells than this, or the former: what is remembered of each takes two kilobytes."""


_SETTLING_CELLS = 1 << 13
"""Cells of the rows by which the noise is chosen that codes have in place of chance."""


class TableNVAE(TableModel):
    """A VAE for Transformers with Nonparametric Variational Information Bottleneck (Henderson & Fehr, 2022),
    https://arxiv.org/abs/2207.13529, on the cells of a row.

    The encoder's cells see each other and become the components of a mixture; the decoder looks at a draw of it and
    writes the row cell by cell, so that any cells can be given and the rest follows. Its KL counts a draw in full
    (`latents.nvib.kl_draw`), which makes `log_prob` a bound.
    """

    name: ClassVar[str] = "nvae"
    private: ClassVar[dict[str, Any]] = {
        "epochs": None,
        "batch_size": 512,
        "learning_rate": 5e-3,
        "clip": 1.0,
        "cells": 16,
        "rate": 0.0,
        "width": 32,
        "layers": 1,
    }

    epochs: int | None = Field(None, ge=1)
    """How often training goes through the data, at most; none: less often the more there are, 20 times 32,000 rows."""
    batch_size: Annotated[int, Among((128, 256, 512))] = Field(256, ge=1)
    """Rows per step."""
    learning_rate: Annotated[float, Range(5e-4, 5e-3, log=True)] = Field(2e-3, gt=0)
    """How far one step goes at first; it falls along a cosine to nothing."""
    patience: int | None = Field(None, ge=1)
    """Stop when so many epochs have brought nothing better on the validation rows; none: never."""
    clip: float | None = Field(1.0, gt=0)
    """Longest gradient that is followed in full; none: any."""
    prior: Literal["standard", "mixture", "flow"] = "mixture"
    """What to draw codes from: the one that training pulls towards, or one that is fitted to the codes afterwards."""
    common: int | None = Field(20, ge=1)
    """A number that so many rows hold, and one row in a thousand, is a choice of its own; none: what fills a cell."""
    rate: Annotated[float, Among((0.0, 1.0, 2.5, 5.0))] = Field(2.5, ge=0)
    """Nats that the code may carry of each row; 0: none, and rows come from the decoder alone."""
    size: int = Field(4, ge=1)
    """Numbers in each vector of the code."""
    delta: float = Field(0.5, ge=0)
    """How much weight the vectors are expected to have: the prior's pseudo-count for each."""
    width: Annotated[int, Among((64, 128, 192))] = Field(128, ge=1)
    """Width of encoder and decoder."""
    layers: Annotated[int, Among((1, 2, 3))] = Field(2, ge=1)
    """Layers of encoder and decoder each."""
    heads: int = Field(2, ge=1)
    """Heads of each attention."""
    order: Literal["any", "given"] = "any"
    """In which order rows are learnt: "any", so that any cells can be given, or only as the table has its columns."""
    decoder: Literal["autoregressive", "parallel"] = "autoregressive"
    """Whether a cell knows the cells before it, or nothing but the code."""

    def build(self, spec: TableSpec) -> VAE:
        hidden = 2 * self.width
        encoder = CellEncoder(CellReader(spec, self.width), Encoder(self.width, self.layers, self.heads, hidden))
        latent = NvibLatent(
            self.width,
            self.size,
            len(spec.blocks),
            delta=self.delta,
            exact=True,
            first_var=_FIRST_VAR,
            typical=True,
        )
        decoder = Decoder(
            self.width,
            self.layers,
            self.heads,
            hidden,
            cross=lambda: DenoisingAttention(self.width, self.size, self.heads),
        )
        writer = CellWriter(
            spec,
            self.width,
            CellReader(spec, self.width),
            decoder,
            any_order=self.order == "any",
            parallel=self.decoder == "parallel",
        )
        return VAE(encoder, latent, writer)

    def prepare(self, net: VAE, batch: TableBatch) -> None:
        for module in net.modules():
            if isinstance(module, CellHead):
                module.start_at(batch)

    def finish(self, net: VAE, batch: TableBatch) -> None:
        batch = batch.to(next(net.parameters()).device)
        most = max(_CALIBRATION_ROWS, _CALIBRATION_CELLS // batch.choice_BC.shape[1])
        like = net.generate(net.prior(min(max(_CALIBRATION_ROWS, len(batch)), most)).draw())
        assert isinstance(like, CellLikelihood)
        like.calibrate(batch)
        B, C = batch.choice_BC.shape
        count = min(B, max(1, _SETTLING_CELLS // C))
        few = batch.take(torch.linspace(0, B - 1, count, device=batch.choice_BC.device).long())
        assert isinstance(net.latent, NvibLatent)
        net.latent.settle(lambda: -net.generate(net.infer(few).mean).log_prob(few).mean())

    def schedule(self) -> Schedule:
        if not self.rate:
            return Constant(1.0)
        # held to the target from the first step: a code that may say much at first keeps saying it in a costly way
        return RateTarget(self.rate, warmup=0.0, squeeze=0.05, least=0.1)

    def settings(self, seed: int, items: int) -> Settings:
        return replace(super().settings(seed, items), decay="cosine", weight_decay=0.01)


_FIRST_VAR = 0.8
"""Of the prior's variance: the code begins by saying almost nothing."""
