"""Reading a table's rows: choices and numbers to features, all columns in one go.

Legend: B rows, C columns, D digits (columns whose choices are too many to tell apart count as two), S slots of all
digits, W width.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthloom import devices
from synthloom.spec import TableBatch, TableSpec

__all__ = ["RowReader"]


class RowReader(nn.Module):
    """A linear map of a whole row, as if every choice were one-hot, without ever building the one-hot.

    A choice looks up its own column of the weights, and an unknown cell has one of its own too; wide columns are
    looked up by their two digits.

    Shape: `TableBatch` of B rows -> [B, W].
    """

    start_D: Tensor
    base_D: Tensor

    def __init__(self, spec: TableSpec, width: int) -> None:
        super().__init__()
        self.spec = spec
        bases = [digit.base for digit in spec.digits]
        *start, slots = accumulate((base + 1 for base in bases), initial=0)
        self.register_buffer("base_D", torch.tensor(bases), persistent=False)
        self.register_buffer("start_D", torch.tensor(start), persistent=False)
        self.choice = nn.EmbeddingBag(slots, width, mode="sum")
        self.value = nn.Linear(len(spec.blocks), width, bias=False)
        nn.init.normal_(self.choice.weight, std=len(bases) ** -0.5)

    def forward(self, batch: TableBatch) -> Tensor:
        digit_BD, known_BD = batch.spelled(self.spec)
        # the slot after a column's last is the one for cells that are not known
        slot_BD = torch.where(known_BD, digit_BD, self.base_D).add_(self.start_D)
        if devices.one_by_one(slot_BD):
            features_BW: Tensor = F.embedding(slot_BD, self.choice.weight).sum(1)
        else:
            features_BW = _Sum.apply(self.choice.weight, slot_BD)  # type: ignore[no-untyped-call]
        with torch.autocast(features_BW.device.type, enabled=False):  # a product this thin gains nothing from bfloat16
            return torch.addmm(features_BW, batch.value_BC * batch.known_BC, self.value.weight.T)


class _Sum(torch.autograd.Function):
    """Sums of rows of a table, like `embedding_bag`, where the d-th index is always one of the d-th digit's slots.

    Which items have chosen a slot is then found by sorting the items of each digit alone, and the gradient costs a
    fifth.
    """

    @staticmethod
    def forward(ctx: Any, weight_SW: Tensor, slot_BD: Tensor) -> Tensor:
        ctx.save_for_backward(slot_BD)
        ctx.slots = len(weight_SW)
        return F.embedding_bag(slot_BD, weight_SW.detach(), mode="sum")

    @staticmethod
    def backward(ctx: Any, *grad_BW: Tensor) -> tuple[Tensor, None]:
        (slot_BD,) = ctx.saved_tensors
        item_DB = slot_BD.T.contiguous().argsort(dim=1)
        count_S = torch.bincount(slot_BD.flatten(), minlength=ctx.slots)
        return F.embedding_bag(item_DB.flatten(), grad_BW[0], count_S.cumsum(0) - count_S, mode="sum"), None
