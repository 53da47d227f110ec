"""The Transformer, before it is told what it is for: attention, an encoder, and a decoder that remembers.

Attention Is All You Need (Vaswani et al., 2017), https://arxiv.org/abs/1706.03762, with the normalisation before each
sublayer as in On Layer Normalization in the Transformer Architecture (Xiong et al., 2020),
https://arxiv.org/abs/2002.04745. Positions and embeddings are the caller's.

Legend: B items, N tokens, M queries, D width of the model, H heads, E width of a head. Masks are bool [B, N], True
where there is a token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from synthloom.attention import Memory, merge_heads, split_heads
from synthloom.errors import UsageError

__all__ = ["Attention", "Cache", "Decoder", "DecoderLayer", "Encoder", "EncoderLayer", "feed_forward"]


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
        value_BHME = scaled_dot_product_attention(
            q_BHME, memory.key_BHNK, memory.value_BHNK, attn_mask=mask, is_causal=causal and M > 1
        )
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
class Cache:
    """What a decoder keeps between steps: per layer the tokens so far, and the code that it looks at."""

    past: tuple[Memory | None, ...]
    code: tuple[Memory, ...]

    def take(self, index: Tensor) -> Cache:
        """The items at `index`, in that order: for beams, and for leaving finished items behind."""
        past = tuple(None if memory is None else memory.take(index) for memory in self.past)
        return Cache(past, tuple(memory.take(index) for memory in self.code))


class DecoderLayer(nn.Module):
    """x + causal attention to the tokens so far, x + attention to the code, x + feed forward; each of norm(x)."""

    def __init__(self, width: int, heads: int, hidden: int, cross: nn.Module, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.cross_norm = nn.LayerNorm(width)
        self.cross: Any = cross
        self.forward_norm = nn.LayerNorm(width)
        self.feed_forward = feed_forward(width, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BMD: Tensor, past: Memory | None, code: Memory) -> tuple[Tensor, Memory]:
        y_BMD = self.norm(x_BMD)
        memory = self.attention.remember(y_BMD)
        if past is not None:
            memory = Memory(
                torch.cat([past.key_BHNK, memory.key_BHNK], dim=2),
                torch.cat([past.value_BHNK, memory.value_BHNK], dim=2),
                None,
            )
        x_BMD = x_BMD + self.dropout(self.attention(y_BMD, memory, causal=True))
        x_BMD = x_BMD + self.dropout(self.cross(self.cross_norm(x_BMD), code))
        return x_BMD + self.dropout(self.feed_forward(self.forward_norm(x_BMD))), memory


class Decoder(nn.Module):
    """A stack of layers that sees the tokens so far and a code.

    `cross()` makes what each layer looks at the code with: an `Attention` for vectors, a `DenoisingAttention` for a
    mixture. All tokens at once (training) or one by one (writing) is the same call. Padding follows the tokens, so that
    no token sees it and it needs no mask.

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
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            DecoderLayer(width, heads, hidden or 4 * width, cross(), dropout) for _ in range(layers)
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
            x_BMD, memory = layer(x_BMD, so_far, code)
            past.append(memory)
        return self.norm(x_BMD), Cache(tuple(past), cache.code)
