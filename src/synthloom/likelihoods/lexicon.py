"""Which piece may follow which, so that nothing is written but words of a list: a tree of their spellings.

Each item of a batch stands at a node: at the root, inside a word, or at the end of one. From there it may go on with
the word, or, at an end, begin another; what may be begun depends on what ended, as letters right behind letters would
make a word that is not on the list.

Legend: B items, V pieces, S nodes, E edges (sorted by node and piece), C classes of endings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from synthloom.spec import END

__all__ = ["Lexicon"]

_SPACE, _LETTER, _DIGIT, _SIGN = range(4)
_INSIDE = 4
"""The class of nodes at which no word ends, and so none begins."""


@dataclass(frozen=True)
class Lexicon:
    """`allowed(node_B)` says what may come next, `step(node_B, piece_B)` where that leads; all start at node 0.

    >>> words = {"a": (5,), " b": (6, 7), "c": (7,)}
    >>> lexicon = Lexicon.of(words, pieces=9)
    >>> node = lexicon.step(torch.tensor([0]), torch.tensor([5]))
    >>> lexicon.allowed(node)[0].nonzero().flatten().tolist()     # END, or " b": "c" would make "ac"
    [0, 6]
    """

    begin_CV: Tensor  # bool: what may follow an ending of a class
    class_S: Tensor
    key_E: Tensor  # node * V + piece
    node_E: Tensor  # where the edge leads

    @classmethod
    def of(cls, words: Mapping[str, Iterable[int]], pieces: int, *, apart: bool = False) -> Lexicon:
        """The lexicon of these words, each given as it stands in texts, with the space before it, and its pieces.

        `apart`: words never touch, whatever they look like.
        """
        edges: dict[tuple[int, int], int] = {}
        classes = [_SPACE]
        begin_CV = torch.zeros(_INSIDE + 1, pieces, dtype=torch.bool)
        begin_CV[:_INSIDE, END] = True
        for word, spelling in words.items():
            node, first = 0, True
            for piece in spelling:
                if first:
                    touching = None if apart or not word else _class(word[0])
                    begin_CV[[c for c in range(_INSIDE) if c == _SPACE or c != touching], piece] = True
                first = False
                if (node, piece) not in edges:
                    edges[node, piece] = len(classes)
                    classes.append(_INSIDE)
                node = edges[node, piece]
            if node:
                classes[node] = _class(word[-1:])
        keys = torch.tensor([node * pieces + piece for node, piece in edges], dtype=torch.int64)
        key_E, order_E = keys.sort()
        return cls(begin_CV, torch.tensor(classes), key_E, torch.tensor(list(edges.values()))[order_E])

    def to(self, device: torch.device) -> Lexicon:
        return Lexicon(*(getattr(self, f.name).to(device) for f in fields(self)))

    def allowed(self, node_B: Tensor) -> Tensor:
        """Which pieces may come next [B, V]."""
        V = self.begin_CV.shape[1]
        allowed_BV = self.begin_CV[self.class_S[node_B]]
        inside_B = node_B > 0  # what begins at the root is what begins anywhere
        first_B = torch.searchsorted(self.key_E, node_B * V)
        count_B = (torch.searchsorted(self.key_E, (node_B + 1) * V) - first_B) * inside_B
        item_K = torch.repeat_interleave(count_B)
        within_K = torch.arange(len(item_K), device=node_B.device) - (count_B.cumsum(0) - count_B)[item_K]
        allowed_BV[item_K, self.key_E[first_B[item_K] + within_K] % V] = True
        return allowed_BV

    def step(self, node_B: Tensor, piece_B: Tensor) -> Tensor:
        """The nodes that the pieces lead to: on in the word if it goes on so, else into a new one."""
        V = self.begin_CV.shape[1]
        on_B, found_B = self._follow(node_B * V + piece_B)
        new_B, _ = self._follow(piece_B)
        return torch.where(found_B & (node_B > 0), on_B, new_B)

    def ends(self, node_B: Tensor) -> Tensor:
        """Whether a word may end here."""
        return self.class_S[node_B] != _INSIDE

    def _follow(self, key_B: Tensor) -> tuple[Tensor, Tensor]:
        place_B = torch.searchsorted(self.key_E, key_B).clamp(max=len(self.key_E) - 1)
        found_B = self.key_E[place_B] == key_B
        return torch.where(found_B, self.node_E[place_B], 0), found_B


def _class(character: str) -> int:
    if not character or character.isspace():
        return _SPACE
    return _LETTER if character.isalpha() else _DIGIT if character.isnumeric() else _SIGN
