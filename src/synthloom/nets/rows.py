"""Reading a table's rows: choices and numbers to features, all columns in one go.

Legend: B rows, C columns, D digits (columns whose choices are too many to tell apart count as two), W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from synthloom.spec import TableBatch, TableSpec

__all__ = ["RowReader"]


class RowReader(nn.Module):
    """A linear map of a whole row, as if every choice were one-hot, without ever building the one-hot.

    A choice looks up its own column of the weights, and an unknown cell has one of its own too; wide columns are
    looked up by their two digits.

    Shape: `TableBatch` of B rows -> [B, W].
    """

    start_D: Tensor
    column_D: Tensor
    divisor_D: Tensor
    base_D: Tensor

    def __init__(self, spec: TableSpec, width: int) -> None:
        super().__init__()
        digits = [(c, *digit) for c, block in enumerate(spec.blocks) for digit in block.digits]
        column_D, divisor_D, base_D = (torch.tensor(parts) for parts in zip(*digits, strict=True))
        self.register_buffer("column_D", column_D, persistent=False)
        self.register_buffer("divisor_D", divisor_D, persistent=False)
        self.register_buffer("base_D", base_D, persistent=False)
        self.register_buffer("start_D", torch.cumsum(base_D + 1, 0) - base_D - 1, persistent=False)
        self.choice = nn.EmbeddingBag(sum(base + 1 for *_, base in digits), width, mode="sum")
        self.value = nn.Linear(len(spec.blocks), width)
        nn.init.normal_(self.choice.weight, std=len(digits) ** -0.5)

    def forward(self, batch: TableBatch) -> Tensor:
        digit_BD = batch.choice_BC[:, self.column_D] // self.divisor_D % self.base_D
        # the slot after a column's last is the one for cells that are not known
        digit_BD = torch.where(batch.known_BC[:, self.column_D], digit_BD, self.base_D) + self.start_D
        return self.choice(digit_BD) + self.value(batch.value_BC * batch.known_BC)  # type: ignore[no-any-return]
