"""The contract between networks and everything that trains, samples and scores them.

q     = net.infer(batch)            a latent's posterior: draw, mean, kl, mix
like  = net.generate(q.draw())      a likelihood: log_prob, draw, mean
new   = net.generate(net.prior(100).draw()).draw()
parts = net.elbo(batch)             named parts, nats per item
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from synthloom.latents import Latent, Posterior
from synthloom.likelihoods import Likelihood
from synthloom.priors import Prior

__all__ = ["VAE"]


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
            condition_BC = self.latent.conditions(n)
        if self.learned_prior is None or not learned:
            return self.latent.prior(n, condition_BC)
        return self.latent.point(self.latent.unflat(self.learned_prior.draw(n, condition_BC), condition_BC))

    def elbo(self, batch: Any) -> dict[str, Tensor]:
        """{"reconstruction": log p(x|z), "kl_...": ...}, each [B]: the bound is the first minus the rest."""
        q = self.infer(batch)
        parts = {"reconstruction": self.generate(q.draw()).log_prob(batch)}
        return parts | {f"kl_{name}": nats_B for name, nats_B in q.kl().items()}
