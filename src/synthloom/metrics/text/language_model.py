"""A small language model to judge with: how likely is each piece of a text, given those before it?

A decoder-only Transformer as in Improving Language Understanding by Generative Pre-Training (Radford et al., 2018). It
sees no text but those that it is trained on, and never the one that it scores: an autoencoder in its place would say
how easily a text can be copied.

Legend: B texts, M pieces of a text, T real pieces of all texts, D width, V vocabulary; X for any of these.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from synthloom import devices, rng
from synthloom.codecs.pieces import Pieces

__all__ = ["LanguageModel"]

_BATCH = 64
_LEAST, _SHARE = 16, 8
"""Of few texts a step takes the eighth part, and so many at least: 60 texts are learnt in a quarter of the time, and no
worse."""
_CHECK = 40
"""Steps between two looks at the texts held back."""
_PATIENCE = 3
"""Looks without progress before training stops."""
_END = 0
"""What stands before and after every text; pieces are numbered from 1."""


class LanguageModel:
    """Learnt from texts; `nats(texts)` says what each text costs it, and in how many pieces.

    Training stops after `rounds` through the texts, or once the twentieth of them that is held back is no better
    predicted.

    >>> texts = ["so it goes", "so it went"] * 50
    >>> model = LanguageModel(Pieces.of("bpe").learn(texts, 300), seed=0, width=16, layers=1).fit(texts)
    >>> model.perplexity(["so it goes"]) < model.perplexity(["goes it so"])
    True
    """

    def __init__(
        self, pieces: Pieces, seed: int = 0, *, width: int = 128, layers: int = 2, heads: int = 4, longest: int = 64
    ) -> None:
        self.pieces, self.seed, self.longest = pieces, seed, longest
        with rng.seeded(seed, "language model"):
            self.net = _Decoder(len(pieces) + 1, width, layers, max(1, min(heads, width // 8)), longest)

    def fit(self, texts: Sequence[str], rounds: int = 10) -> LanguageModel:
        spelled = self._spelled(texts)
        order = rng.generator(self.seed, "held back").permutation(len(spelled))
        count = len(spelled) // 20
        held, kept = [spelled[i] for i in order[:count]], [spelled[i] for i in order[count:]]
        batch = max(_LEAST, min(_BATCH, len(kept) // _SHARE))
        steps = max(300, rounds * len(kept) // batch)
        optimiser = torch.optim.AdamW(self.net.parameters(), lr=3e-3, weight_decay=0.01, fused=True)
        best, best_loss, best_step = copy.deepcopy(self.net.state_dict()), math.inf, 0
        with (
            rng.seeded(self.seed, "training"),
            devices.threads(None, sum(p.numel() for p in self.net.parameters())),
        ):
            for step, some in zip(range(steps), self._endlessly(kept, batch), strict=False):
                if step % _CHECK == 0 and held:
                    loss = float(self._cost(held).sum())
                    if loss < best_loss:
                        best, best_loss, best_step = copy.deepcopy(self.net.state_dict()), loss, step
                    elif step - best_step >= _PATIENCE * _CHECK:
                        break
                for group in optimiser.param_groups:  # up within fifty steps, then down along a cosine
                    group["lr"] = 3e-3 * min((step + 1) / 50, 0.5 + 0.5 * math.cos(math.pi * step / steps))
                self.net.train()
                loss_BM, real_BM = self._losses(some)
                optimiser.zero_grad()
                (loss_BM.sum() / real_BM.sum()).backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
                optimiser.step()
        if held and best_loss < math.inf:
            self.net.load_state_dict(best)
        return self

    def nats(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """What each text costs, its end among it, and its pieces, likewise [N, 2]."""
        return self._cost(self._spelled(texts))

    def perplexity(self, texts: Sequence[str]) -> float:
        """exp of the mean cost per piece."""
        nats, pieces = self.nats(texts).sum(axis=0)
        return math.exp(nats / pieces)

    @torch.inference_mode()
    def sample(self, n: int, seed: int = 0) -> list[str]:
        """n texts of its own."""
        self.net.eval()
        spelled: list[list[int]] = []
        with rng.seeded(seed, "language model's own"):
            for count in [len(some) for some in np.array_split(np.arange(n), max(1, n // 500))]:
                token_BM = torch.full((count, 1), _END)
                for _ in range(self.longest):
                    logits_BV = self.net.logits(self.net(token_BM)[:, -1])
                    piece_B1 = torch.multinomial(logits_BV.float().softmax(1), 1)
                    over_B1 = (token_BM[:, 1:] == _END).any(1, keepdim=True)
                    token_BM = torch.cat([token_BM, piece_B1.masked_fill(over_B1, _END)], dim=1)
                    if (token_BM[:, 1:] == _END).any(1).all():
                        break
                spelled += [[piece - 1 for piece in row if piece != _END] for row in token_BM.tolist()]
        return self.pieces.decode(spelled)

    def _spelled(self, texts: Sequence[str]) -> list[list[int]]:
        return [[piece + 1 for piece in spelling[: self.longest - 1]] for spelling in self.pieces.encode(list(texts))]

    def _endlessly(self, spelled: list[list[int]], batch: int) -> Iterator[list[list[int]]]:
        """Batches of texts of like lengths, in a new order each time round."""
        order = rng.generator(self.seed, "batches")
        while True:
            index = sorted(order.permutation(len(spelled)).tolist(), key=lambda i: len(spelled[i]))
            batches = [index[start : start + batch] for start in range(0, len(index), batch)]
            for place in order.permutation(len(batches)):
                yield [spelled[i] for i in batches[place]]

    @torch.no_grad()
    def _cost(self, spelled: list[list[int]]) -> NDArray[np.float64]:
        self.net.eval()
        cost_N2 = np.zeros((len(spelled), 2))
        order = sorted(range(len(spelled)), key=lambda i: len(spelled[i]))
        for start in range(0, len(order), 4 * _BATCH):
            index = order[start : start + 4 * _BATCH]
            loss_BM, real_BM = self._losses([spelled[i] for i in index])
            cost_N2[index] = torch.stack([loss_BM.double().sum(1), real_BM.double().sum(1)], dim=1).numpy()
        return cost_N2

    def _losses(self, spelled: list[list[int]]) -> tuple[Tensor, Tensor]:
        """The cost of every piece [B, M], 0 where there is none, and where there is one."""
        longest = max(map(len, spelled), default=0) + 1
        token_BM = torch.tensor([[*text, *[_END] * (longest - len(text))] for text in spelled]).view(-1, longest)
        length_B1 = torch.tensor([[len(text)] for text in spelled]).view(-1, 1)
        real_BM = torch.arange(longest) <= length_B1
        with devices.autocast(token_BM.device):
            logits_TV = self.net.logits(self.net(F.pad(token_BM, (1, -1), value=_END))[real_BM])
        loss_T = F.cross_entropy(logits_TV.float(), token_BM[real_BM], reduction="none")
        return loss_T.new_zeros(real_BM.shape).masked_scatter(real_BM, loss_T), real_BM


class _Decoder(nn.Module):
    """Pieces so far to features of the next, and those to logits: a step that shares its matrix with the first."""

    def __init__(self, pieces: int, width: int, layers: int, heads: int, longest: int) -> None:
        super().__init__()
        self.piece = nn.Embedding(pieces, width)
        self.place = nn.Embedding(longest + 1, width)
        nn.init.normal_(self.piece.weight, std=width**-0.5)
        nn.init.normal_(self.place.weight, std=0.3)
        self.scale = width**0.5
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.stack = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, token_BM: Tensor) -> Tensor:
        M = token_BM.shape[1]
        x_BMD = self.scale * self.piece(token_BM) + self.place.weight[:M]
        later_MM = nn.Transformer.generate_square_subsequent_mask(M)
        features_BMD: Tensor = self.stack(x_BMD, later_MM, is_causal=True)
        return features_BMD

    def logits(self, features_XD: Tensor) -> Tensor:
        return F.linear(features_XD, self.piece.weight)
