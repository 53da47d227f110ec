"""p(z) after training: what sampling draws from.

A VAE's posterior codes, all rows together, rarely look like the prior that they were pulled towards, and that gap is
where the samples of most VAEs go wrong. A `Prior` is fitted to the codes once the network is frozen, and closes it.
To add one: a file, and a line here.
"""

from __future__ import annotations

from synthloom.priors.base import Prior
from synthloom.priors.flow import FlowPrior
from synthloom.priors.mixture import MixturePrior

__all__ = ["PRIORS", "FlowPrior", "MixturePrior", "Prior"]

PRIORS: dict[str, type[Prior] | None] = {
    "standard": None,
    "mixture": MixturePrior,
    "flow": FlowPrior,
    "language": None,
}
"""Name -> what is fitted to the codes. Nothing is by "standard", the latent's own, nor by "language", where the decoder
of texts writes without a code and what it wrote is read."""
