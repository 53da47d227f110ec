"""What every learned prior is: fitted once to flat codes, drawn from for ever after.

Legend: N codes of training items, n codes drawn, C numbers of a condition, F of a flat code; K parts of a code, P
numbers of each.
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

    With `condition` > 0 every code comes with so many numbers that it may depend on: its length, its label. A code may
    be a row of `parts` vectors, of which an item need not have all (`present`).
    """

    seconds: float | None = None
    """How long fitting may take; what takes a moment anyway need not look at it."""

    def __init__(self, size: int, condition: int = 0, parts: int = 1) -> None:
        super().__init__()
        self.size, self.condition, self.parts = size, condition, parts
        self.fitted: Tensor
        self.shift_C: Tensor
        self.scale_C: Tensor
        self.shift_F: Tensor
        self.scale_F: Tensor
        self.register_buffer("fitted", torch.tensor(False))
        if parts > 1:
            self.register_buffer("every_K", torch.ones(parts, dtype=torch.bool))
        for axis, numbers in (("C", condition), ("F", size)):  # a prior learns [condition, code] in standard units
            self.register_buffer(f"shift_{axis}", torch.zeros(numbers))
            self.register_buffer(f"scale_{axis}", torch.ones(numbers))

    @classmethod
    def shaped_as(cls, state: Mapping[str, Tensor]) -> Self:
        """A prior that can load this state of another."""
        return cls(len(state["shift_F"]), len(state["shift_C"]), len(state.get("every_K", "1")))

    def fit(self, code_NF: Tensor, condition_NC: Tensor | None = None, present_NK: Tensor | None = None) -> None:
        """Learn from the codes of the training items, and from their conditions. None of them is kept."""
        with torch.inference_mode(False), torch.enable_grad():  # whatever the caller computes the codes in
            condition_NC = self._conditions(len(code_NF), condition_NC).detach().clone()
            code_NF, present_NK = code_NF.to(self.shift_F).detach().clone(), self._present(len(code_NF), present_NK)
            for axis, (shift, scale) in (("C", _standards(condition_NC)), ("F", _standards(code_NF, present_NK))):
                self.get_buffer(f"shift_{axis}").copy_(shift)
                self.get_buffer(f"scale_{axis}").copy_(scale)
            condition_NC = (condition_NC - self.shift_C) / self.scale_C.clamp(min=1e-6)
            code_NF = (code_NF - self.shift_F) / self.scale_F.clamp(min=1e-6)
            self._fit(torch.cat([condition_NC, code_NF], dim=1), present_NK)
            self.fitted.fill_(True)

    @torch.no_grad()
    def draw(self, n: int, condition_nC: Tensor | None = None, present_nK: Tensor | None = None) -> Tensor:
        """n flat codes [n, F], from torch's current random stream; under the given conditions, if it was so fitted."""
        if not self.fitted:
            raise NotFittedError(f"a {type(self).__name__} must be fitted before it is drawn from; call fit(codes)")
        condition_nC = (self._conditions(n, condition_nC) - self.shift_C) / self.scale_C.clamp(min=1e-6)
        return self._draw(condition_nC, self._present(n, present_nK)) * self.scale_F + self.shift_F

    def _present(self, n: int, present_nK: Tensor | None) -> Tensor:
        if present_nK is None:
            return torch.ones(n, self.parts, dtype=torch.bool, device=self.shift_F.device)
        return present_nK.to(self.shift_F.device)

    def _conditions(self, n: int, condition_nC: Tensor | None) -> Tensor:
        found = (n, 0) if condition_nC is None else tuple(condition_nC.shape)
        if found != (n, self.condition):
            raise UsageError(
                f"a prior of {self.condition} conditions wants them as {(n, self.condition)}, however: {found}"
            )
        return self.shift_F.new_zeros(n, 0) if condition_nC is None else condition_nC.to(self.shift_F)

    @abstractmethod
    def _fit(self, both_NF: Tensor, present_NK: Tensor) -> None:
        """Learn from [condition, code] in standard units."""

    @abstractmethod
    def _draw(self, condition_nC: Tensor, present_nK: Tensor) -> Tensor:
        """One code for each condition, in standard units."""


def _standards(numbers_NF: Tensor, present_NK: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each number; where some parts are missing, alike over all that are there."""
    if not numbers_NF.shape[1]:
        return numbers_NF[0], numbers_NF[0]
    if present_NK is None or bool(present_NK.all()):
        variance_F, mean_F = torch.var_mean(numbers_NF, dim=0, correction=0)
        return mean_F, variance_F.sqrt()
    N, K = present_NK.shape
    variance_P, mean_P = torch.var_mean(numbers_NF.view(N, K, -1)[present_NK], dim=0, correction=0)
    return mean_P.repeat(K), variance_P.sqrt().repeat(K)
