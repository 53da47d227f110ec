"""Reading a table's rows cell by cell: one vector per column, for networks whose tokens are columns.

Legend: B rows, C columns, D width, G digits of all columns (a column of very many choices has two).
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from synthloom.spec import TableBatch, TableSpec

__all__ = ["CellEncoder", "CellReader"]


class CellReader(nn.Module):
    """A vector per cell: what was chosen, in which column, and the number that goes with it.

    Every column has vectors of its own for each choice, and one for "not known"; a number moves along a direction of
    its column. A column of very many choices adds the vectors of its two digits.

    Shape: `TableBatch` of B rows -> [B, C, D].

    >>> from synthloom.spec import Block
    >>> reader = CellReader(TableSpec((Block(3), Block(5000))), 8)
    >>> batch = TableBatch(torch.tensor([[2, 4999]]), torch.zeros(1, 2), torch.tensor([[True, False]]))
    >>> reader(batch).shape
    torch.Size([1, 2, 8])
    """

    column_G: Tensor
    divisor_G: Tensor
    base_G: Tensor
    start_G: Tensor

    def __init__(self, spec: TableSpec, width: int) -> None:
        super().__init__()
        digits = [(c, *digit) for c, block in enumerate(spec.blocks) for digit in block.digits]
        starts = list(itertools.accumulate((base + 1 for *_, base in digits), initial=0))
        for part, values in zip(("column", "divisor", "base"), zip(*digits, strict=True), strict=True):
            self.register_buffer(f"{part}_G", torch.tensor(values), persistent=False)
        self.register_buffer("start_G", torch.tensor(starts[:-1]), persistent=False)
        start = iter(starts)
        self.digits = [[(*digit, next(start)) for digit in block.digits] for block in spec.blocks]
        self.choice = nn.Embedding(starts[-1], width)
        self.number_CD = nn.Parameter(torch.empty(len(spec.blocks), width))
        nn.init.normal_(self.choice.weight, std=0.5)
        nn.init.normal_(self.number_CD, std=0.1)

    def forward(self, batch: TableBatch) -> Tensor:
        return self.with_number(self.chosen(batch), batch.value_BC * batch.known_BC)

    def chosen(self, batch: TableBatch) -> Tensor:
        """What was chosen, without numbers [B, C, D]."""
        digit_BG = batch.choice_BC[:, self.column_G] // self.divisor_G % self.base_G
        # the slot after a column's last is the one for cells that are not known
        digit_BG = torch.where(batch.known_BC[:, self.column_G], digit_BG, self.base_G) + self.start_G
        vector_BGD: Tensor = self.choice(digit_BG)
        B, G, D = vector_BGD.shape
        C = len(self.digits)
        return vector_BGD if G == C else vector_BGD.new_zeros(B, C, D).index_add(1, self.column_G, vector_BGD)

    def chosen_in(self, c: int, choice: Tensor) -> Tensor:
        """What was chosen in column c alone, one choice for each item [B, D] or several [B, P, D]."""
        digit = torch.stack([choice // divisor % base + start for divisor, base, start in self.digits[c]], dim=-1)
        vector: Tensor = self.choice(digit)
        return vector.sum(-2)

    def with_number(self, chosen: Tensor, number: Tensor, c: int | slice = slice(None)) -> Tensor:
        """Chosen cells of all columns, or of column c, moved by their numbers."""
        return chosen + number[..., None] * self.number_CD[c]


class CellEncoder(nn.Module):
    """A row as one vector per column, each of which has seen the others, and the mask: every column is there.

    Shape: `TableBatch` of B rows -> [B, C, D] and [B, C].
    """

    def __init__(self, reader: CellReader, encoder: nn.Module) -> None:
        super().__init__()
        self.reader, self.encoder = reader, encoder

    def forward(self, batch: TableBatch) -> tuple[Tensor, Tensor]:
        return self.encoder(self.reader(batch)), torch.ones_like(batch.known_BC)
