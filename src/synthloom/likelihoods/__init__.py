"""p(x|z): what a decoder returns. One call scores, another draws, whatever stands behind: a head per column, a
Transformer that writes step by step, or pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from torch import Tensor

from synthloom.spec import Batch, Limits, TableBatch

__all__ = ["Likelihood", "RowLikelihood"]

B = TypeVar("B", bound=Batch)


class Likelihood(Protocol[B]):
    """A batch of B distributions over items, each given its code."""

    def log_prob(self, batch: B) -> Tensor:
        """Nats per item [B]; cells that are not known count nothing."""
        ...

    def draw(self, given: B | None = None, temperature: float = 1.0) -> B:
        """One item per code; cells that `given` knows are kept as they are.

        `temperature` scales the chance in it; 0 is the best guess: the likeliest choice, a number in the middle.
        """
        ...


class RowLikelihood(Likelihood[TableBatch], Protocol):
    """One of table rows: it can also be held to limits, exactly, without rejecting anything."""

    def draw(
        self,
        given: TableBatch | None = None,
        temperature: float = 1.0,
        limits: Limits | None = None,
        first: Sequence[int] = (),
    ) -> TableBatch:
        """... Cells that are not given keep to their limits; the columns of `first` are drawn before the others."""
        ...

    def weigh(self, given: TableBatch, limits: Limits, first: Sequence[int]) -> tuple[TableBatch, Tensor]:
        """How likely each code makes what is given and the limits of these columns: nats [B].

        Also what must be known of each row, beside what is given, for `draw` to go on from there.
        """
        ...
