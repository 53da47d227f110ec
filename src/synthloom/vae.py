"""The contract between networks and everything that trains, samples and scores them.

q     = net.infer(batch)            a latent's posterior: draw, mean, kl, mix
like  = net.generate(q.draw())      a likelihood: log_prob, draw, mean
new   = net.generate(net.prior(100).draw()).draw()
parts = net.elbo(batch)             named parts, nats per item
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from synthloom.latents import Latent, Posterior
from synthloom.likelihoods import Likelihood
from synthloom.likelihoods.image import ImageDecoder, ImageLikelihood
from synthloom.likelihoods.text import Style, TextLikelihood
from synthloom.priors import Prior
from synthloom.spec import ImageBatch, ImageSpec, TextBatch, TextSpec

__all__ = ["VAE", "ImageVAE", "TextVAE"]


class VAE(nn.Module):
    """Encoder, latent, decoder, and the prior that sampling draws from.

    `encoder(batch)` gives features, `latent(features)` a posterior, `decoder(code)` a likelihood. `learned_prior` is
    None until one is fitted, and then stands in for the latent's own.
    """

    def __init__(self, encoder: nn.Module, latent: Latent, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.latent = latent
        self.decoder = decoder
        self.learned_prior: Prior | None = None
        self.progress = 0.0
        """How much of training is over, 0 to 1: for what is to change while it goes on."""

    def infer(self, batch: Any) -> Posterior:
        return self.latent(self.encoder(batch))  # type: ignore[no-any-return]

    def generate(self, code: Any) -> Likelihood[Any]:
        return self.decoder(code)  # type: ignore[no-any-return]

    def prior(self, n: int, condition_BC: Tensor | None = None, *, learned: bool = True) -> Posterior:
        """What to draw n codes from: the learned prior where there is one, unless told otherwise.

        What the codes are conditional on (`Latent.condition`), how many tokens say, may be given for each; otherwise it
        is as in the training items.
        """
        if condition_BC is None:
            condition_BC = self.conditions(n)
        if self.learned_prior is None or not learned:
            return self.latent.prior(n, condition_BC)
        code_BF = self.learned_prior.draw(n, condition_BC, self.latent.present(condition_BC))
        return self.latent.point(self.latent.unflat(code_BF, condition_BC))

    def condition(self, batch: Any, code: Any) -> Tensor:
        """What the codes of these items are conditional on [B, C]."""
        return self.latent.condition(code)

    def conditions(self, n: int) -> Tensor:
        """n conditions [n, C], distributed as those of the training items."""
        return self.latent.conditions(n)

    def elbo(self, batch: Any) -> dict[str, Tensor]:
        """{"reconstruction": log p(x|z), "kl_...": ...}, each [B]: the bound is the first minus the rest."""
        q = self.infer(batch)
        parts = {"reconstruction": self.generate(q.draw()).log_prob(batch)}
        return parts | {f"kl_{name}": nats_B for name, nats_B in q.kl().items()}


class TextVAE(VAE):
    """A VAE whose codes are conditional on how long a text is, and on its label.

    Of a share of the texts, `blind`, training shows the decoder no code but its length, so that it is a language model
    as well. With `writes_prior`, codes are drawn by reading what it writes so: that prior is as good as the decoder,
    however much a code says. `count_YL` says how many training texts have which label (the first: left open) and how
    many pieces.
    """

    count_YL: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        latent: Latent,
        decoder: nn.Module,
        spec: TextSpec,
        *,
        blind: float = 0.0,
        writes_prior: bool = False,
    ) -> None:
        super().__init__(encoder, latent, decoder)
        self.blind, self.writes_prior = blind, writes_prior
        self.kept: TextBatch | None = None
        self.register_buffer("count_YL", torch.zeros(spec.labels + 1, spec.longest + 1))

    @property
    def progress(self) -> float:
        """How much of training is over: the decoder is told."""
        return float(self.decoder.progress)  # type: ignore[arg-type]

    @progress.setter
    def progress(self, share: float) -> None:
        self.decoder.progress = share  # type: ignore[assignment]

    def generate(self, code: Any) -> TextLikelihood:
        return self.decoder(code)  # type: ignore[no-any-return]

    def elbo(self, batch: TextBatch) -> dict[str, Tensor]:
        q = self.infer(batch)
        code = q.draw()
        if self.training and self.blind:
            code = self.latent.hush(code, torch.rand(len(batch), device=batch.length_B.device) < self.blind)
        parts = {"reconstruction": self.generate(code).log_prob(batch)}
        if self.training and self.kept is not None:
            parts["penalty"] = self._trespass(q)
        return parts | {f"kl_{name}": nats_B for name, nats_B in q.kl().items()}

    def keep(self, examples: TextBatch, distance: float, weight: float) -> None:
        """Have training keep other texts' codes at this distance from those of the examples, at this weight."""
        self.kept, self.distance, self.weight = examples, distance, weight

    def _trespass(self, q: Posterior) -> Tensor:
        """What each text pays for how far its code lies within the region of the examples [B]."""
        assert self.kept is not None
        code_BF, kept_EF = (self.latent.flat(p.mean) for p in (q, self.infer(self.kept.to(self.count_YL.device))))
        return self.weight * (self.distance - torch.cdist(code_BF, kept_EF).amin(1)).clamp(min=0)

    def prior(
        self,
        n: int,
        condition_BC: Tensor | None = None,
        *,
        learned: bool = True,
        temperature: float = 1.0,
        style: Style | None = None,
    ) -> Posterior:
        """`temperature` and `style` are for a prior that is written."""
        if not (learned and self.writes_prior):
            return super().prior(n, condition_BC, learned=learned)
        condition_BC = self.conditions(n) if condition_BC is None else condition_BC
        return self.infer(self.drafts(condition_BC, temperature, style))

    def drafts(self, condition_BC: Tensor, temperature: float = 1.0, style: Style | None = None) -> TextBatch:
        """What the decoder writes under these conditions when the code says nothing."""
        n = len(condition_BC)
        own = super().prior(n, condition_BC, learned=False).draw()
        silent = self.latent.hush(own, torch.ones(n, dtype=torch.bool, device=condition_BC.device))
        begun = TextBatch.begun(self.labels_in(condition_BC))
        return self.generate(silent).draw(begun, temperature, style)

    def observe(self, batch: TextBatch) -> None:
        """Learn how many texts have which label and length."""
        Y, L = self.count_YL.shape
        number_B = (batch.label_B + 1) * L + batch.length_B
        self.count_YL.copy_(torch.bincount(number_B, minlength=Y * L).view(Y, L))

    def condition(self, batch: TextBatch, code: Any) -> Tensor:
        return self.as_condition(batch.length_B, batch.label_B)

    def conditions(self, n: int) -> Tensor:
        label_B = self.labels(n)
        return self.as_condition(self.lengths(label_B), label_B)

    def as_condition(self, length_B: Tensor, label_B: Tensor) -> Tensor:
        """Lengths and labels as numbers [B, C]."""
        label_BY = nn.functional.one_hot(label_B + 1, len(self.count_YL))
        return torch.cat([length_B[:, None], label_BY[:, 1:]], dim=1).float()

    def labels_in(self, condition_BC: Tensor) -> Tensor:
        """Of conditions, the labels [B]."""
        return nn.functional.pad(condition_BC[:, 1:], (1, 0), value=0.5).argmax(1) - 1

    def labels(self, n: int) -> Tensor:
        """Labels of n texts, distributed as those of the training texts."""
        return torch.multinomial(self.count_YL.sum(1), n, replacement=True) - 1

    def lengths(self, label_B: Tensor, least: int = 0, most: int = 1 << 30) -> Tensor:
        """Lengths of texts with these labels, distributed as those of training; from `least` to `most`, if any are."""
        open_B1 = (label_B < 0)[:, None]
        count_BL = torch.where(open_B1, self.count_YL.sum(0), self.count_YL[label_B + 1])
        length_L = torch.arange(count_BL.shape[1], device=label_B.device)
        within_BL = count_BL * ((length_L >= least) & (length_L <= most))
        count_BL = torch.where(within_BL.any(1, keepdim=True), within_BL, count_BL)
        return torch.multinomial(count_BL, 1)[:, 0]


class ImageVAE(VAE):
    """A VAE whose likelihood may see images its own way, and whose codes are conditional on labels.

    With `draws` above 1, `elbo` is the bound of as many draws of the code, importance weighted: Importance Weighted
    Autoencoders (Burda et al., 2016), https://arxiv.org/abs/1509.00519. `count_Y` says how many training images have
    which label (the first: left open).
    """

    count_Y: Tensor
    decoder: ImageDecoder

    def __init__(
        self, encoder: nn.Module, latent: Latent, decoder: ImageDecoder, spec: ImageSpec, draws: int = 1
    ) -> None:
        super().__init__(encoder, latent, decoder)
        self.draws = draws
        self.register_buffer("count_Y", torch.eye(spec.labels + 1)[0])

    def generate(self, code: Any) -> ImageLikelihood:
        return self.decoder(code)  # type: ignore[no-any-return]

    def elbo(self, batch: ImageBatch) -> dict[str, Tensor]:
        """With several draws the reconstruction is what makes the bound theirs: it, less the KL."""
        batch = self.seen(batch)
        q = self.infer(batch)
        kl = {f"kl_{name}": nats_B for name, nats_B in q.kl().items()}
        if self.draws == 1:
            return {"reconstruction": self.generate(q.draw()).log_prob(batch)} | kl
        log_weight_KB = torch.stack([self._log_weight(q, batch) for _ in range(self.draws)])
        bound_B = log_weight_KB.logsumexp(0) - math.log(self.draws)
        return {"reconstruction": bound_B + torch.stack(list(kl.values())).sum(0)} | kl

    def log_weights(self, batch: ImageBatch, draws: int) -> Iterator[Tensor]:
        """log p(x, z) - log q(z|x) [B] of one draw after another; their mean, before the log, is p(x)."""
        batch = self.seen(batch)
        q = self.infer(batch)
        return (self._log_weight(q, batch) for _ in range(draws))

    def _log_weight(self, q: Any, batch: ImageBatch) -> Tensor:
        code = q.draw()
        log_weight_B: Tensor = self.generate(code).log_prob(batch).float() + q.log_ratio(code)
        return log_weight_B

    def seen(self, batch: ImageBatch) -> ImageBatch:
        """The images as the likelihood has them: black and white, if it draws them so."""
        pixel_BCHW = self.decoder.family.seen(batch.pixel_BCHW)
        return ImageBatch.of(pixel_BCHW.permute(0, 2, 3, 1), batch.label_B, batch.known_BHW)

    def observe(self, batch: ImageBatch) -> None:
        """Learn how many images have which label."""
        self.count_Y.copy_(torch.bincount(batch.label_B + 1, minlength=len(self.count_Y)))

    def labels(self, n: int) -> Tensor:
        """Labels of n images, distributed as those of training."""
        return torch.multinomial(self.count_Y, n, replacement=True) - 1

    def condition(self, batch: ImageBatch, code: Any) -> Tensor:
        return self.as_condition(batch.label_B, self.latent.condition(code))

    def conditions(self, n: int) -> Tensor:
        return self.as_condition(self.labels(n))

    def as_condition(self, label_B: Tensor, of_code_BC: Tensor | None = None) -> Tensor:
        """Conditions of the code, such as the training images have unless given, and labels, as numbers [B, C]."""
        if of_code_BC is None:
            of_code_BC = self.latent.conditions(len(label_B))
        label_BY = nn.functional.one_hot(label_B + 1, len(self.count_Y))
        return torch.cat([of_code_BC.to(label_B.device), label_BY[:, 1:]], dim=1).float()
