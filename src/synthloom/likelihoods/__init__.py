"""p(x|z): what a decoder returns. One call scores, another draws, whatever stands behind: a head per column, a
Transformer that writes step by step, or pixels."""

from __future__ import annotations

from typing import Protocol, TypeVar

from torch import Tensor

from synthloom.spec import Batch

__all__ = ["Likelihood"]

B = TypeVar("B", bound=Batch)


class Likelihood(Protocol[B]):
    """A batch of B distributions over items, each given its code."""

    def log_prob(self, batch: B) -> Tensor:
        """Nats per item [B]; cells that are not known count nothing."""
        ...

    def draw(self, given: B | None = None, temperature: float = 1.0) -> B:
        """One item per code; cells that `given` knows are kept as they are.

        `temperature` scales the chance in it; 0 is the best guess: the likeliest choice, the expected number.
        """
        ...
