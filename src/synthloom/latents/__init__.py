"""What stands between encoder and decoder: q(z|x), and the p(z) that it is held against.

A `Latent` is the trained part (features -> posterior); a `Posterior` is what it returns: a batch of distributions. A
draw from one is a code: whatever the decoder is handed, a tensor or a mixture. Every latent answers the same calls, so
that training, sampling and interpolation never ask which one they have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

__all__ = ["Latent", "Posterior"]


class Posterior(Protocol):
    """A batch of B distributions over codes."""

    def __len__(self) -> int: ...

    def draw(self, temperature: float = 1.0) -> Any:
        """One code per item; `temperature` scales the spread, and 0 is `mean`."""
        ...

    @property
    def mean(self) -> Any:
        """The code without noise."""
        ...

    def kl(self) -> dict[str, Tensor]:
        """Nats per item [B] against the latent's own prior, in named parts that add up to the whole."""
        ...

    def mix(self, other: Self, t: float) -> Self:
        """What lies between: this one at t = 0, `other` at t = 1."""
        ...


class Latent(nn.Module, ABC):
    """The family of distributions: makes posteriors from features, knows its prior, flattens codes.

    Codes may come under a condition: C numbers for each that are settled before it is drawn, such as how many tokens
    its item has. One vector per item has none. Of conditions that are longer, a latent reads its own C first numbers;
    what follows them, a label say, is for a learned prior alone.
    """

    parts: int = 1
    """How many vectors lie side by side in a flat code."""

    @abstractmethod
    def forward(self, features: Any) -> Posterior: ...

    @abstractmethod
    def prior(self, n: int, condition_BC: Tensor | None = None) -> Posterior:
        """The prior that the KL is measured against, for n items; under these conditions, or such as `conditions`."""

    @abstractmethod
    def point(self, code: Any) -> Posterior:
        """The distribution that always draws `code`; how a learned prior's draws rejoin the rest."""

    @abstractmethod
    def flat(self, code: Any) -> Tensor:
        """A code as one vector per item [B, F]: all that a learned prior needs to know, beside its condition."""

    @abstractmethod
    def unflat(self, code_BF: Tensor, condition_BC: Tensor) -> Any:
        """The inverse of `flat`, given what `condition` said of the code."""

    @abstractmethod
    def hush(self, code: Any, which_B: Tensor) -> Any:
        """The code, but of `which_B` it says nothing: no more than how many vectors there are."""

    def condition(self, code: Any) -> Tensor:
        """What a code is conditional on [B, C]."""
        return self.flat(code)[:, :0]

    def present(self, condition_BC: Tensor) -> Tensor:
        """Which of the parts of a flat code there are under these conditions [B, parts]; the first so many."""
        return torch.ones(len(condition_BC), self.parts, dtype=torch.bool, device=condition_BC.device)

    def conditions(self, n: int) -> Tensor:
        """n conditions [n, C], distributed as those of the training items."""
        return torch.empty(n, 0)
