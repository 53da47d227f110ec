"""p(text | z), piece by piece, each given those before it.

Generating Sentences from a Continuous Space (Bowman et al., 2016), https://arxiv.org/abs/1511.06349

The decoder's last step shares its matrix with the embedding, as in Using the Output Embedding to Improve Language
Models (Press & Wolf, 2017), https://arxiv.org/abs/1608.05859. In training logits are made for real pieces only, some
thousands at a time, and made again for their gradients, so that nobody ever holds those of a whole batch.

Legend: B items, A items still being written, N pieces of a text, T real pieces of all texts, D width, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from synthloom.likelihoods.lexicon import Lexicon
from synthloom.nets.text import Embedding
from synthloom.spec import BLANK, END, TextBatch, TextSpec

__all__ = ["Style", "TextDecoder", "TextLikelihood"]

_CHUNK = 1 << 23
"""Logits that are held at once in training."""


@dataclass(frozen=True)
class Style:
    """How pieces are chosen, besides by chance: the `top_k` likeliest, those that make up `top_p` of the probability,
    and none but words of a lexicon."""

    top_k: int | None = None
    top_p: float | None = None
    lexicon: Lexicon | None = None


class TextDecoder(nn.Module):
    """A code to the likelihood of a text. `stack` is what writes: `start(*code)` gives a state, and a call with vectors
    [B, M, D] and a state gives features [B, M, D] and the next state.

    In training `word_dropout` of the pieces that it has written are hidden from it at first, and ever fewer as training
    goes on, so that it learns to ask the code.
    """

    def __init__(self, embedding: Embedding, stack: Any, spec: TextSpec, *, word_dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = embedding
        self.stack = stack
        self.spec = spec
        self.word_dropout = word_dropout
        self.progress = 0.0
        """How much of training is over."""
        self.label = nn.Embedding(spec.labels + 1, embedding.piece.embedding_dim)  # the first for a label left open
        nn.init.zeros_(self.label.weight)

    def forward(self, code: Any) -> TextLikelihood:
        return TextLikelihood(self, code)

    def read(self, token_BM: Tensor, label_B: Tensor, start: int = 0) -> Tensor:
        """What the stack is shown of pieces already written, from place `start` on."""
        shown_BMD: Tensor = self.embedding(token_BM, start) + self.label(label_B + 1)[:, None]
        return shown_BMD

    def logits(self, features_TD: Tensor) -> Tensor:
        return F.linear(features_TD, self.embedding.piece.weight)

    def start(self, code: Any) -> Any:
        return self.stack.start(*code) if isinstance(code, tuple) else self.stack.start(code)


class TextLikelihood:
    """A distribution over texts for each code."""

    def __init__(self, decoder: TextDecoder, code: Any) -> None:
        self.decoder = decoder
        self.code = code

    def log_prob(self, batch: TextBatch) -> Tensor:
        """Nats per text [B]; a BLANK has nothing to say."""
        decoder = self.decoder
        token_BN = batch.token_BN
        before_BN = F.pad(token_BN, (1, 0), value=END)[:, :-1]
        label_B = batch.label_B
        if decoder.training:
            hidden_BN = torch.rand(before_BN.shape, device=before_BN.device) < decoder.word_dropout * (
                1 - decoder.progress
            )
            before_BN = before_BN.masked_fill(hidden_BN & (before_BN != END), BLANK)
            open_B = torch.rand(label_B.shape, device=label_B.device) < 0.1  # texts without a label are known as well
            label_B = label_B.masked_fill(open_B, -1)
        features_BND, _ = decoder.stack(decoder.read(before_BN, label_B), decoder.start(self.code))
        real_BN = batch.mask_BN & (token_BN != BLANK)
        nats_T = self._nats(features_BND[real_BN], token_BN[real_BN])
        item_T = real_BN.nonzero()[:, 0]
        return nats_T.new_zeros(len(batch)).index_add(0, item_T, nats_T)

    def _nats(self, features_TD: Tensor, token_T: Tensor) -> Tensor:
        size = max(1, _CHUNK // self.decoder.spec.pieces)
        parts = zip(torch.split(features_TD, size), torch.split(token_T, size), strict=True)
        if not torch.is_grad_enabled() or len(token_T) <= size:
            return torch.cat([self._chunk(*part) for part in parts])
        return torch.cat([checkpoint(self._chunk, *part, use_reentrant=False) for part in parts])

    def _chunk(self, features_TD: Tensor, token_T: Tensor) -> Tensor:
        return -F.cross_entropy(self.decoder.logits(features_TD).float(), token_T, reduction="none")

    @torch.no_grad()
    def draw(self, given: TextBatch | None = None, temperature: float = 1.0, style: Style | None = None) -> TextBatch:
        """One text per code; `given` says how texts begin and what their labels are.

        Written for all at once, piece by piece: what is done with is left behind. A text that would grow too long ends
        with the last whole word.
        """
        state = self.decoder.start(self.code)
        page = _Page(self.decoder.spec, len(state), given, style or Style(), self.decoder.label.weight.device)
        for place in range(self.decoder.spec.longest):
            if len(page) == 0:
                break
            shown_A1D = self.decoder.read(page.last_A[:, None], page.label_A, place)
            features_A1D, state = self.decoder.stack(shown_A1D, state)
            page.write(self.decoder.logits(features_A1D[:, 0]).float(), temperature, place)
            if (kept := page.sift()) is not None:
                state = state.take(kept)
        return page.texts()


class _Page:
    """Texts being written: what stands there, which are done, and where each is in the lexicon."""

    def __init__(self, spec: TextSpec, items: int, given: TextBatch | None, style: Style, device: torch.device) -> None:
        self.style = style
        begun = TextBatch.of([[]] * items) if given is None else given
        self.given_BN, self.given_B = begun.token_BN.to(device), begun.length_B.to(device)
        self.token_BN = torch.full((items, spec.longest), END, dtype=torch.int64, device=device)
        self.length_B = torch.zeros(items, dtype=torch.int64, device=device)
        self.label_B = begun.label_B.to(device)
        # of those still being written: which they are, their last piece, their place in the lexicon, whether they go on
        self.item_A = torch.arange(items, device=device)
        self.last_A = torch.full((items,), END, device=device)
        self.node_A = torch.zeros(items, dtype=torch.int64, device=device)
        self.going_A = torch.ones(items, dtype=torch.bool, device=device)

    def __len__(self) -> int:
        return int(self.going_A.sum())

    @property
    def label_A(self) -> Tensor:
        return self.label_B[self.item_A]

    def write(self, logits_AV: Tensor, temperature: float, place: int) -> None:
        """Choose the next piece of each text, or take the one that is given."""
        logits_AV[:, BLANK] = -torch.inf
        lexicon = self.style.lexicon
        if lexicon is not None:
            logits_AV = logits_AV.masked_fill(~lexicon.allowed(self.node_A), -torch.inf)
        piece_A = _choose(logits_AV, temperature, self.style)
        if place < self.given_BN.shape[1]:
            is_given_A = place < self.given_B[self.item_A]
            piece_A = torch.where(is_given_A, self.given_BN[self.item_A, place], piece_A)
        self.token_BN[self.item_A[self.going_A], place] = piece_A[self.going_A]
        whole_A = self.going_A
        if lexicon is not None:
            self.node_A = lexicon.step(self.node_A, piece_A)
            whole_A = whole_A & (lexicon.ends(self.node_A) | (piece_A == END))
        self.length_B[self.item_A[whole_A]] = place + 1
        self.last_A = piece_A
        self.going_A = self.going_A & (piece_A != END)

    def sift(self) -> Tensor | None:
        """Leave finished texts behind, once they are a quarter: which are kept, or None for all."""
        if len(self) > 0.75 * len(self.item_A):
            return None
        kept = self.going_A.nonzero()[:, 0]
        self.item_A, self.last_A, self.node_A = self.item_A[kept], self.last_A[kept], self.node_A[kept]
        self.going_A = self.going_A[kept]
        return kept

    def texts(self) -> TextBatch:
        mask_BN = torch.arange(self.token_BN.shape[1], device=self.token_BN.device) < self.length_B[:, None]
        strip_T = self.token_BN[mask_BN].int()
        return TextBatch(strip_T, self.length_B.cumsum(0) - self.length_B, self.length_B, self.label_B)


def _choose(logits_AV: Tensor, temperature: float, style: Style) -> Tensor:
    if temperature == 0:
        return logits_AV.argmax(1)
    logits_AV = logits_AV / temperature
    if style.top_k is not None and style.top_k < logits_AV.shape[1]:
        least_A1 = logits_AV.topk(style.top_k, dim=1).values[:, -1:]
        logits_AV = logits_AV.masked_fill(logits_AV < least_A1, -torch.inf)
    if style.top_p is not None and style.top_p < 1:
        sorted_AV, order_AV = logits_AV.sort(dim=1, descending=True)
        before_AV = sorted_AV.softmax(1).cumsum(1) - sorted_AV.softmax(1)  # the likeliest always stays
        beyond_AV = torch.zeros_like(logits_AV, dtype=torch.bool).scatter(1, order_AV, before_AV >= style.top_p)
        logits_AV = logits_AV.masked_fill(beyond_AV, -torch.inf)
    # Gumbel's trick: a draw from each softmax in one pass
    return (logits_AV - torch.empty_like(logits_AV).exponential_().log()).argmax(1)
