"""Training under differential privacy: a Poisson draw of items, a gradient for each, clipped, and noise on their sum.

Deep Learning with Differential Privacy (Abadi et al., 2016), https://arxiv.org/abs/1607.00133

The items are looked at for these gradients and for nothing else: losses, the means that a schedule goes by, and the
curves of the history come from a stand-in, items that may be seen. Draws and noise come from the operating system, so
that neither a seed nor a checkpoint can tell them. Of the network, every parameter that is trained counts.

Legend for tensor names: B items of a step.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from synthloom import rng
from synthloom.spec import Batch
from synthloom.training.loop import Run, Settings
from synthloom.vae import VAE

__all__ = ["Private", "PrivateRun"]

_NUMBERS = 1 << 25
"""How many numbers the gradients of the items that are computed at once may be."""
_LOOKED_AT = 128
"""Items of the stand-in that a step is judged by."""


@dataclass
class Private:
    """The terms of a private training. After it, `taken` says how many steps looked at the items."""

    rate: float
    """With which chance an item is part of a step."""
    noise: float
    """Standard deviation of the noise, in units of `clip`."""
    clip: float
    """Longest gradient of an item that is followed in full."""
    steps: int
    """How many there may be."""
    rows: int
    """How many items there are, about."""
    stand_in: Batch
    """Items that may be looked at."""
    memo: dict[str, Any]
    """What to keep with the checkpoint: see `checkpoint_memo`."""
    taken: int = 0

    def run(self, vae: VAE, data: Batch, validation: Batch | None, settings: Settings, *rest: Any) -> Run:
        """A run on these terms."""
        assert validation is None, "validation would look at the items"
        run = PrivateRun(vae, data, None, settings, *rest)
        run.private = self
        run.shown = self.stand_in
        run.steps_per_epoch = math.ceil(self.steps / settings.epochs)
        return run


class PrivateRun(Run):
    """A run whose steps keep the terms of `private`."""

    private: Private

    def _terms(self) -> dict[str, Any]:
        kept = "rate", "noise", "clip", "steps", "rows", "memo"
        return {name: getattr(self.private, name) for name in kept}

    def _reason_to_stop(self) -> Any:
        self.private.taken = self.course.taken
        return super()._reason_to_stop() or ("epochs" if self.course.taken >= self.private.steps else None)

    def _limit(self, norm: Tensor) -> None:
        """It has been done, item by item."""

    def _gradients(self) -> tuple[dict[str, Tensor], int]:
        private = self.private
        drawn_B = torch.from_numpy(rng.secret_uniform(len(self.data)) < private.rate).nonzero()[:, 0]
        sums = self.clipped_sums(drawn_B)
        usual = private.rate * private.rows  # the true number of items in the draw is nobody's business
        for name, parameter in self.vae.named_parameters():
            if parameter.requires_grad:
                noise = torch.from_numpy(rng.secret_normal(parameter.numel())).to(parameter).view_as(parameter)
                parameter.grad = (sums[name] + private.noise * private.clip * noise) / usual
        return self._look_at_stand_in()

    def clipped_sums(self, index: Tensor) -> dict[str, Tensor]:
        """By parameter, the sum of the gradients of these items, none longer than `clip`."""
        trained = {name: p.detach() for name, p in self.vae.named_parameters() if p.requires_grad}
        sums = {name: torch.zeros_like(p) for name, p in trained.items()}
        at_once = max(1, _NUMBERS // self.course.pieces // sum(p.numel() for p in trained.values()))
        each = vmap(grad(self._loss_of_one), in_dims=(None, 0), randomness="different")
        for part in torch.split(index, at_once) if len(index) else ():
            items = self.data.take(part).to(self.device)
            tensors = {field.name: getattr(items, field.name) for field in fields(items)}  # type: ignore[arg-type]
            with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():  # the fused kernel takes items one by one
                warnings.filterwarnings("ignore", "There is a performance drop")
                of_each = each(trained, tensors)
            length_B = torch.stack([g.flatten(1).square().sum(1) for g in of_each.values()]).sum(0).sqrt()
            share_B = (self.private.clip / length_B).clamp(max=1).nan_to_num(0.0, 0.0, 0.0)
            share_B = share_B * length_B.isfinite()  # what cannot be reckoned with has no say
            for name, g in of_each.items():
                sums[name] += torch.tensordot(share_B, g.nan_to_num(0.0, 0.0, 0.0), dims=1)
        return sums

    def _loss_of_one(self, trained: dict[str, Tensor], tensors: dict[str, Tensor]) -> Tensor:
        item = type(self.data)(**{name: tensor[None] for name, tensor in tensors.items()})
        parts = functional_call(_Bound(self.vae), {f"vae.{name}": p for name, p in trained.items()}, (item,))
        return self._loss(parts)

    @torch.no_grad()
    def _look_at_stand_in(self) -> tuple[dict[str, Tensor], int]:
        """Loss and parts as an ordinary step would tell them, of items that may be seen."""
        place = torch.arange(_LOOKED_AT) + self.course.step * _LOOKED_AT
        parts = self._parts(self.shown.take(place % len(self.shown)))
        found = {"loss": self._loss(parts) * _LOOKED_AT} | {name: part_B.sum() for name, part_B in parts.items()}
        return found, _LOOKED_AT


class _Bound(nn.Module):
    """`elbo` as the call of a module, which is what `functional_call` calls."""

    def __init__(self, vae: VAE) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return self.vae.elbo(batch)
