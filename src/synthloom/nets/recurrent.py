"""Recurrent networks for texts: an encoder that reads both ways, and a decoder that is told the code at every step.

Generating Sentences from a Continuous Space (Bowman et al., 2016), https://arxiv.org/abs/1511.06349

Legend: B items, M or N pieces, D width, Z size of the code, L layers, W width of all layers' states together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from synthloom.nets.text import Embedding
from synthloom.spec import TextBatch

__all__ = ["Cell", "RecurrentDecoder", "RecurrentEncoder", "State"]

Cell = Literal["gru", "lstm"]
_CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class RecurrentEncoder(nn.Module):
    """A batch of texts to one vector [B, 2 D] each: what is left in mind at its two ends."""

    def __init__(self, embedding: Embedding, cell: Cell, width: int, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = embedding
        self.net = _CELLS[cell](
            width, width, layers, batch_first=True, bidirectional=True, dropout=dropout if layers > 1 else 0.0
        )

    def forward(self, batch: TextBatch) -> Tensor:
        packed = pack_padded_sequence(
            self.embedding(batch.token_BN), batch.length_B.cpu(), batch_first=True, enforce_sorted=False
        )
        _, state = self.net(packed)
        last_LBD = state[0] if isinstance(state, tuple) else state
        return torch.cat([last_LBD[-2], last_LBD[-1]], dim=1)


@dataclass(frozen=True)
class State:
    """What a decoder keeps between steps: what it has in mind, layer by layer, and the code."""

    mind: tuple[Tensor, ...]  # [L, B, D] each
    code_BZ: Tensor

    def __len__(self) -> int:
        return len(self.code_BZ)

    def take(self, index: Tensor) -> State:
        """The items at `index`, in that order."""
        return State(tuple(part[:, index] for part in self.mind), self.code_BZ[index])


class RecurrentDecoder(nn.Module):
    """All pieces at once (training) or one by one (writing) is the same call, as with the Transformer's decoder.

    >>> decoder = RecurrentDecoder("lstm", width=8, size=3, layers=2)
    >>> features, state = decoder(torch.randn(4, 5, 8), decoder.start(torch.randn(4, 3)))
    >>> features.shape, len(state.take(torch.tensor([1, 2])))
    (torch.Size([4, 5, 8]), 2)
    """

    def __init__(self, cell: Cell, width: int, size: int, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.parts = 2 if cell == "lstm" else 1
        self.net = _CELLS[cell](width + size, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.first = nn.Linear(size, self.parts * layers * width)
        self.norm = nn.LayerNorm(width)

    def start(self, code_BZ: Tensor) -> State:
        """The mind that a code puts one in."""
        first_PLBD = (
            self.first(code_BZ).tanh().view(len(code_BZ), self.parts, self.net.num_layers, self.net.hidden_size)
        )
        return State(tuple(first_PLBD.permute(1, 2, 0, 3).contiguous()), code_BZ)

    def forward(self, x_BMD: Tensor, state: State) -> tuple[Tensor, State]:
        code_BMZ = state.code_BZ[:, None].expand(-1, x_BMD.shape[1], -1).to(x_BMD.dtype)
        mind = tuple(part.to(x_BMD.dtype).contiguous() for part in state.mind)
        out_BMD, after = self.net(torch.cat([x_BMD, code_BMZ], dim=2), mind if self.parts == 2 else mind[0])
        return self.norm(out_BMD), State(after if isinstance(after, tuple) else (after,), state.code_BZ)
