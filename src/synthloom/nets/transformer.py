"""The Transformer, before it is told what it is for: attention, an encoder, and a decoder that remembers.

Attention Is All You Need (Vaswani et al., 2017), https://arxiv.org/abs/1706.03762, with the normalisation before each
sublayer as in On Layer Normalization in the Transformer Architecture (Xiong et al., 2020),
https://arxiv.org/abs/2002.04745. Positions and embeddings are the caller's.

Legend: B items, N tokens, M queries, D width of the model, H heads, E width of a head. Masks are bool [B, N], True
where there is a token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from synthloom.attention import Memory, attend, merge_heads, split_heads
from synthloom.errors import UsageError

__all__ = ["Attention", "Cache", "Decoder", "DecoderLayer", "Encoder", "EncoderLayer", "Past", "feed_forward"]


class Attention(nn.Module):
    """Multi-head attention of a model of width D to vectors of any width.

    >>> attention = Attention(width=16, heads=2, memory_width=5)
    >>> attention(torch.randn(4, 3, 16), attention.remember(torch.randn(4, 7, 5))).shape
    torch.Size([4, 3, 16])
    """

    def __init__(self, width: int, heads: int = 1, memory_width: int | None = None) -> None:
        super().__init__()
        if width % heads:
            raise UsageError(f"the width must be a multiple of the number of heads, however: {width=}, {heads=}")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(memory_width or width, width, bias=False)  # a bias would be the same for every key
        self.value = nn.Linear(memory_width or width, width)
        self.out = nn.Linear(width, width)

    def remember(self, y_BND: Tensor, mask_BN: Tensor | None = None) -> Memory:
        key_BHNE, value_BHNE = (split_heads(linear(y_BND), self.heads) for linear in (self.key, self.value))
        return Memory(key_BHNE, value_BHNE, None if mask_BN is None else mask_BN[:, None, None])

    def forward(self, x_BMD: Tensor, memory: Memory, *, causal: bool = False) -> Tensor:
        """`causal`: the queries are the last M tokens of the memory, and none sees those that follow it."""
        q_BHME = split_heads(self.query(x_BMD), self.heads)
        mask, (M, N) = memory.mask_B11N, (q_BHME.shape[2], memory.key_BHNK.shape[2])
        if causal and 1 < M < N:
            mask, causal = torch.ones(M, N, dtype=torch.bool, device=x_BMD.device).tril(N - M), False
        value_BHME = attend(q_BHME, memory.key_BHNK, memory.value_BHNK, mask, causal=causal and M > 1)
        out_BMD: Tensor = self.out(merge_heads(value_BHME))
        return out_BMD


def feed_forward(width: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))


class EncoderLayer(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.forward_norm = nn.LayerNorm(width)
        self.feed_forward = feed_forward(width, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BND: Tensor, mask_BN: Tensor | None = None) -> Tensor:
        y_BND = self.norm(x_BND)
        x_BND = x_BND + self.dropout(self.attention(y_BND, self.attention.remember(y_BND, mask_BN)))
        out_BND: Tensor = x_BND + self.dropout(self.feed_forward(self.forward_norm(x_BND)))
        return out_BND


class Encoder(nn.Module):
    """A stack of layers in which every token sees every other.

    >>> encoder = Encoder(width=16, layers=2, heads=4)
    >>> encoder(torch.randn(3, 5, 16), torch.ones(3, 5, dtype=torch.bool)).shape
    torch.Size([3, 5, 16])
    """

    def __init__(
        self, width: int, layers: int, heads: int = 1, hidden: int | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(width, heads, hidden or 4 * width, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x_BND: Tensor, mask_BN: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            x_BND = layer(x_BND, mask_BN)
        return self.norm(x_BND)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Past:
    """The tokens that a layer has seen: the first `count` places of a store that has room for more.

    What is added goes into that room, so that a step copies only what is new. Hence a past can be gone on from once;
    `take` makes a copy.
    """

    key_BHSE: Tensor
    value_BHSE: Tensor
    present_BS: Tensor | None  # None: every token is there in every item
    count: int

    @staticmethod
    def of(memory: Memory) -> Past:
        return Past(memory.key_BHNK, memory.value_BHNK, None, memory.key_BHNK.shape[2])

    @property
    def memory(self) -> Memory:
        mask = None if self.present_BS is None else self.present_BS[:, None, None, : self.count]
        return Memory(self.key_BHSE[:, :, : self.count], self.value_BHSE[:, :, : self.count], mask)

    def add(self, new: Memory) -> Past:
        """With the tokens of `new` behind those that are there."""
        count = self.count + new.key_BHNK.shape[2]
        if torch.is_grad_enabled():
            memory = self.memory
            key_BHSE = torch.cat([memory.key_BHNK, new.key_BHNK], dim=2)
            value_BHSE = torch.cat([memory.value_BHNK, new.value_BHNK], dim=2)
        else:
            key_BHSE, value_BHSE = _with_room(self.key_BHSE, count), _with_room(self.value_BHSE, count)
            key_BHSE[:, :, self.count : count] = new.key_BHNK
            value_BHSE[:, :, self.count : count] = new.value_BHNK
        present_BS = self.present_BS
        if present_BS is not None:
            present_BS = torch.cat(
                [present_BS[:, : self.count], present_BS.new_ones(len(present_BS), count - self.count)], 1
            )
        return Past(key_BHSE, value_BHSE, present_BS, count)

    def only(self, present_BN: Tensor) -> Past:
        """Where `present_BN` is False there is no token after all."""
        return replace(self, present_BS=present_BN)

    def take(self, index: Tensor) -> Past:
        present_BS = None if self.present_BS is None else self.present_BS[index]
        return Past(self.key_BHSE[index], self.value_BHSE[index], present_BS, self.count)


_ROOM = 16
"""Tokens for which a store has room once it grows: by doubling alone short items would be copied four times."""


def _with_room(store_BHSE: Tensor, count: int) -> Tensor:
    """The store, or one of twice the size and more with the same in it."""
    B, H, S, E = store_BHSE.shape
    if count <= S:
        return store_BHSE
    larger_BHSE = store_BHSE.new_empty(B, H, max(count, 2 * S, _ROOM), E)
    larger_BHSE[:, :, :S] = store_BHSE
    return larger_BHSE


@dataclass(frozen=True)
class Cache:
    """What a decoder keeps between steps: per layer the tokens so far, and the code that it looks at."""

    past: tuple[Past | None, ...]
    code: tuple[Memory, ...]

    def __len__(self) -> int:
        return len(self.code[0].key_BHNK)

    def only(self, present_BN: Tensor) -> Cache:
        """Without the tokens so far where `present_BN` is False: items need not have written the same ones."""
        return replace(self, past=tuple(None if past is None else past.only(present_BN) for past in self.past))

    def take(self, index: Tensor) -> Cache:
        """The items at `index`, in that order: for beams, and for leaving finished items behind."""
        past = tuple(None if past is None else past.take(index) for past in self.past)
        return Cache(past, tuple(memory.take(index) for memory in self.code))


class DecoderLayer(nn.Module):
    """x + attention to the tokens so far (all of them, if not `causal`), x + attention to the code, x + feed forward;
    each of norm(x)."""

    def __init__(
        self, width: int, heads: int, hidden: int, cross: nn.Module, dropout: float = 0.0, *, causal: bool = True
    ) -> None:
        super().__init__()
        self.causal = causal
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.cross_norm = nn.LayerNorm(width)
        self.cross: Any = cross
        self.forward_norm = nn.LayerNorm(width)
        self.feed_forward = feed_forward(width, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BMD: Tensor, past: Past | None, code: Memory) -> tuple[Tensor, Past]:
        y_BMD = self.norm(x_BMD)
        new = self.attention.remember(y_BMD)
        past = Past.of(new) if past is None else past.add(new)
        x_BMD = x_BMD + self.dropout(self.attention(y_BMD, past.memory, causal=self.causal))
        x_BMD = x_BMD + self.dropout(self.cross(self.cross_norm(x_BMD), code))
        return x_BMD + self.dropout(self.feed_forward(self.forward_norm(x_BMD))), past


class Decoder(nn.Module):
    """A stack of layers that sees the tokens so far and a code.

    `cross()` makes what each layer looks at the code with: an `Attention` for vectors, a `DenoisingAttention` for a
    mixture. All tokens at once (training) or one by one (writing) is the same call. Padding follows the tokens, so that
    no token sees it and it needs no mask. If it is not `causal`, tokens are written at once and each sees all.

    >>> decoder = Decoder(width=16, layers=2, heads=4, cross=lambda: Attention(16, heads=4, memory_width=3))
    >>> x_BMD, cache = torch.randn(2, 5, 16), decoder.start(torch.randn(2, 7, 3))
    >>> at_once, _ = decoder(x_BMD, cache)
    >>> steps = []
    >>> for m in range(5):
    ...     step, cache = decoder(x_BMD[:, [m]], cache)
    ...     steps.append(step)
    >>> torch.allclose(torch.cat(steps, 1), at_once, atol=1e-5)
    True
    """

    def __init__(
        self,
        width: int,
        layers: int,
        heads: int = 1,
        hidden: int | None = None,
        dropout: float = 0.0,
        *,
        cross: Callable[[], nn.Module],
        causal: bool = True,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            DecoderLayer(width, heads, hidden or 4 * width, cross(), dropout, causal=causal) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def start(self, *code: Any) -> Cache:
        """A cache in which the code is remembered and nothing written; `code` is what `cross.remember` takes."""
        layers = cast("Iterable[DecoderLayer]", self.layers)
        return Cache((None,) * len(self.layers), tuple(layer.cross.remember(*code) for layer in layers))

    def forward(self, x_BMD: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """The tokens that follow those in the cache, and the cache with them in it."""
        past = []
        for layer, so_far, code in zip(self.layers, cache.past, cache.code, strict=True):
            x_BMD, seen = layer(x_BMD, so_far, code)
            past.append(seen)
        return self.norm(x_BMD), Cache(tuple(past), cache.code)
