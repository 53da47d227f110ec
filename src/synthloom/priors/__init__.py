"""p(z) after training: what sampling draws from.

A VAE's posterior codes, all rows together, rarely look like the prior that they were pulled towards, and that gap is
where the samples of most VAEs go wrong. A `Prior` is fitted to the codes once the network is frozen, and closes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

__all__ = ["Prior"]


class Prior(nn.Module, ABC):
    """A distribution over flat codes [B, F]; its buffers and parameters are all that is saved of it."""

    @abstractmethod
    def fit(self, code_NF: Tensor) -> None:
        """Learn from the codes of the training items. None of them may be kept."""

    @abstractmethod
    def draw(self, n: int) -> Tensor:
        """n flat codes [n, F], from torch's current random stream."""
