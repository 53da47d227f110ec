"""What every learned prior is: fitted once to flat codes, drawn from for ever after.

Legend: N codes of training items, n codes drawn, C numbers of a condition, F of a flat code.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from synthloom.errors import NotFittedError, UsageError

__all__ = ["Prior"]


class Prior(nn.Module, ABC):
    """A distribution over flat codes [B, F]; its buffers and parameters are all that is saved of it.

    With `condition` > 0 every code comes with so many numbers that it may depend on: its length, its label.
    """

    seconds: float | None = None
    """How long fitting may take; what takes a moment anyway need not look at it."""

    def __init__(self, size: int, condition: int = 0) -> None:
        super().__init__()
        self.size, self.condition = size, condition
        self.fitted: Tensor
        self.shift_C: Tensor
        self.scale_C: Tensor
        self.shift_F: Tensor
        self.scale_F: Tensor
        self.register_buffer("fitted", torch.tensor(False))
        for axis, numbers in (("C", condition), ("F", size)):  # a prior learns [condition, code] in standard units
            self.register_buffer(f"shift_{axis}", torch.zeros(numbers))
            self.register_buffer(f"scale_{axis}", torch.ones(numbers))

    @classmethod
    def shaped_as(cls, state: Mapping[str, Tensor]) -> Self:
        """A prior that can load this state of another."""
        return cls(len(state["shift_F"]), len(state["shift_C"]))

    def fit(self, code_NF: Tensor, condition_NC: Tensor | None = None) -> None:
        """Learn from the codes of the training items, and from their conditions. None of them is kept."""
        with torch.inference_mode(False), torch.enable_grad():  # whatever the caller computes the codes in
            both_NF = torch.cat([self._conditions(len(code_NF), condition_NC), code_NF.to(self.shift_F)], dim=1)
            both_NF = both_NF.detach().clone()
            variance, shift = torch.var_mean(both_NF, dim=0, correction=0)
            scale, C = variance.sqrt(), self.condition
            self.shift_C.copy_(shift[:C])
            self.scale_C.copy_(scale[:C])
            self.shift_F.copy_(shift[C:])
            self.scale_F.copy_(scale[C:])
            self._fit((both_NF - shift) / scale.clamp(min=1e-6))
            self.fitted.fill_(True)

    @torch.no_grad()
    def draw(self, n: int, condition_nC: Tensor | None = None) -> Tensor:
        """n flat codes [n, F], from torch's current random stream; under the given conditions, if it was so fitted."""
        if not self.fitted:
            raise NotFittedError(f"a {type(self).__name__} must be fitted before it is drawn from; call fit(codes)")
        condition_nC = (self._conditions(n, condition_nC) - self.shift_C) / self.scale_C.clamp(min=1e-6)
        return self._draw(condition_nC) * self.scale_F + self.shift_F

    def _conditions(self, n: int, condition_nC: Tensor | None) -> Tensor:
        found = (n, 0) if condition_nC is None else tuple(condition_nC.shape)
        if found != (n, self.condition):
            raise UsageError(
                f"a prior of {self.condition} conditions wants them as {(n, self.condition)}, however: {found}"
            )
        return self.shift_F.new_zeros(n, 0) if condition_nC is None else condition_nC.to(self.shift_F)

    @abstractmethod
    def _fit(self, both_NF: Tensor) -> None:
        """Learn from [condition, code] in standard units."""

    @abstractmethod
    def _draw(self, condition_nC: Tensor) -> Tensor:
        """One code for each condition, in standard units."""
