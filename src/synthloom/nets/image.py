"""Reading and writing images in patches: convolutions in residual blocks, and Transformers.

Deep Residual Learning for Image Recognition (He et al., 2016), https://arxiv.org/abs/1512.03385; patches as in An Image
is Worth 16x16 Words (Dosovitskiy et al., 2021), https://arxiv.org/abs/2010.11929.

Legend: B images, C channels, H height, W width, D width of the network at some level, N patches, K maps of a channel.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthloom.nets.transformer import Decoder, Encoder
from synthloom.spec import ImageBatch, ImageSpec

__all__ = ["ConvReader", "ConvWriter", "PatchReader", "PatchWriter", "levels"]

_SMALLEST = 8
"""The grid of patches is halved until no side is longer than this; what is left, one layer looks at as a whole."""
_WIDER, _WHOLE = 2, 4
"""Times the width that further levels have, and the layer that looks at the whole."""
_GROUP = 32
"""Maps that are normalised together; with fewer than 16 a block takes three times as long."""


def levels(spec: ImageSpec, patch: int) -> list[tuple[int, int]]:
    """Rows and columns at each level: the patches of an image, then halved, rounded up, until there are few.

    >>> levels(ImageSpec(28, 28), 4), levels(ImageSpec(64, 48), 4)
    ([(7, 7)], [(16, 12), (8, 6)])
    """
    sizes = [(-(-spec.height // patch), -(-spec.width // patch))]
    while max(sizes[-1]) > _SMALLEST:
        rows, columns = sizes[-1]
        sizes.append((-(-rows // 2), -(-columns // 2)))
    return sizes


def _widths(sizes: list[tuple[int, int]], width: int) -> list[int]:
    return [width if level == 0 else _WIDER * width for level in range(len(sizes))]


def _patches(batch: ImageBatch, patch: int) -> Tensor:
    """Pixels from -1 to 1, those of a patch as the maps of a place [B, C * patch^2, rows, columns]; beyond is grey."""
    x_BCHW = 2 * batch.pixel_BCHW - 1
    H, W = x_BCHW.shape[2:]
    return F.pixel_unshuffle(F.pad(x_BCHW, (0, -W % patch, 0, -H % patch)), patch)


def _doubled(x_BDHW: Tensor, size: tuple[int, int]) -> Tensor:
    """Four maps as one of twice the size, cut to the size of its level."""
    return F.pixel_shuffle(x_BDHW, 2)[:, :, : size[0], : size[1]]


def _channels_last(x_BDHW: Tensor) -> Tensor:
    """The same numbers, in memory place by place: what convolutions make of it is so too, and they are faster."""
    return x_BDHW.contiguous(memory_format=torch.channels_last)


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(width // math.gcd(width, _GROUP), width)


class _Block(nn.Module):
    """x + conv(conv(x)), each of a normalised x; told the label, if there is one to tell."""

    def __init__(self, width: int, labels: int = 0) -> None:
        super().__init__()
        self.norm, self.next_norm = _norm(width), _norm(width)
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.next_conv = nn.Conv2d(width, width, 3, padding=1)
        self.label = nn.Embedding(labels + 1, width) if labels else None  # the first for a label left open
        nn.init.zeros_(self.next_conv.weight)
        if self.label is not None:
            nn.init.zeros_(self.label.weight)

    def forward(self, x_BDHW: Tensor, label_B: Tensor | None = None) -> Tensor:
        y_BDHW = self.next_norm(self.conv(F.silu(self.norm(x_BDHW))))
        if self.label is not None and label_B is not None:  # after the norm, which would take it out again
            y_BDHW = y_BDHW + self.label(label_B + 1)[:, :, None, None]
        out_BDHW: Tensor = x_BDHW + self.next_conv(F.silu(y_BDHW))
        return out_BDHW


class ConvReader(nn.Module):
    """An image to features [B, D]: its patches, blocks at each level, and one layer that looks at the whole.

    >>> reader = ConvReader(ImageSpec(9, 5, 3), patch=4, width=8, blocks=1)
    >>> reader(ImageBatch.of(torch.rand(2, 9, 5, 3))).shape, reader.features
    (torch.Size([2, 32]), 32)
    """

    def __init__(self, spec: ImageSpec, patch: int, width: int, blocks: int) -> None:
        super().__init__()
        self.patch = patch
        sizes = levels(spec, patch)
        widths = _widths(sizes, width)
        steps: list[nn.Module] = [nn.Conv2d(spec.channels * patch**2, width, 3, padding=1)]
        steps += [_Block(width) for _ in range(blocks)]
        for before, after in pairwise(widths):
            steps.append(nn.Conv2d(before, after, 3, stride=2, padding=1))
            steps += [_Block(after) for _ in range(blocks)]
        self.steps = nn.Sequential(*steps, _norm(widths[-1]))
        self.features = _WHOLE * width
        self.whole = nn.Linear(widths[-1] * math.prod(sizes[-1]), self.features)

    def forward(self, batch: ImageBatch) -> Tensor:
        x_BDHW = self.steps(_channels_last(_patches(batch, self.patch)))
        return F.silu(self.whole(F.silu(x_BDHW).flatten(1)))


class ConvWriter(nn.Module):
    """A code [B, Z] and a label to maps [B, K * C, H, W]: the way of `ConvReader` back.

    >>> writer = ConvWriter(ImageSpec(9, 5, 3, labels=2), size=6, patch=4, width=8, blocks=1, maps=2)
    >>> writer(torch.randn(2, 6), torch.tensor([1, -1])).shape
    torch.Size([2, 6, 9, 5])
    """

    def __init__(self, spec: ImageSpec, size: int, patch: int, width: int, blocks: int, maps: int) -> None:
        super().__init__()
        self.spec, self.patch = spec, patch
        self.sizes = levels(spec, patch)[::-1]
        widths = _widths(self.sizes, width)[::-1]
        self.start = nn.Sequential(
            nn.Linear(size, _WHOLE * width),
            nn.SiLU(),
            nn.Linear(_WHOLE * width, widths[0] * math.prod(self.sizes[0])),
            nn.Unflatten(1, (widths[0], *self.sizes[0])),
        )
        self.blocks = nn.ModuleList(nn.ModuleList(_Block(each, spec.labels) for _ in range(blocks)) for each in widths)
        self.widen = nn.ModuleList(nn.Conv2d(before, 4 * after, 3, padding=1) for before, after in pairwise(widths))
        self.norm = _norm(width)
        self.maps = nn.Conv2d(width, maps * spec.channels * patch**2, 3, padding=1)
        nn.init.zeros_(self.maps.weight)
        nn.init.zeros_(self.maps.bias)  # type: ignore[arg-type]

    def forward(self, code_BZ: Tensor, label_B: Tensor) -> Tensor:
        x_BDHW = _channels_last(self.start(code_BZ))
        for level, blocks in enumerate(self.blocks):
            if level:
                x_BDHW = _doubled(self.widen[level - 1](x_BDHW), self.sizes[level])
            for block in blocks:  # type: ignore[attr-defined]
                x_BDHW = block(x_BDHW, label_B)
        maps_BKHW = F.pixel_shuffle(self.maps(F.silu(self.norm(x_BDHW))), self.patch)
        return maps_BKHW[:, :, : self.spec.height, : self.spec.width]


class _Places(nn.Module):
    """A vector for each patch of an image, which are counted row by row."""

    def __init__(self, spec: ImageSpec, patch: int, width: int) -> None:
        super().__init__()
        self.patch = patch
        self.rows, self.columns = -(-spec.height // patch), -(-spec.width // patch)
        self.place_ND = nn.Parameter(0.3 * torch.randn(self.rows * self.columns, width))


class PatchReader(nn.Module):
    """An image as one vector per patch, each of which has seen the others, and the mask: every patch is there.

    Shape: `ImageBatch` of B images -> [B, N, D] and [B, N].

    >>> reader = PatchReader(ImageSpec(9, 5, 3), 4, Encoder(width=8, layers=1), width=8)
    >>> [tuple(part.shape) for part in reader(ImageBatch.of(torch.rand(2, 9, 5, 3)))]
    [(2, 6, 8), (2, 6)]
    """

    def __init__(self, spec: ImageSpec, patch: int, encoder: Encoder, width: int) -> None:
        super().__init__()
        self.places = _Places(spec, patch, width)
        self.patches = nn.Linear(spec.channels * patch**2, width)
        self.encoder = encoder

    def forward(self, batch: ImageBatch) -> tuple[Tensor, Tensor]:
        patch_BNK = _patches(batch, self.places.patch).flatten(2).transpose(1, 2)
        x_BND = self.encoder(self.patches(patch_BNK) + self.places.place_ND)
        return x_BND, torch.ones(x_BND.shape[:2], dtype=torch.bool, device=x_BND.device)


class PatchWriter(nn.Module):
    """A mixture and a label to maps [B, K * C, H, W]: every patch looks at the code, and at what the others found."""

    def __init__(self, spec: ImageSpec, patch: int, decoder: Decoder, width: int, maps: int) -> None:
        super().__init__()
        self.spec, self.decoder = spec, decoder
        self.places = _Places(spec, patch, width)
        self.label = nn.Embedding(spec.labels + 1, width)  # the first for a label left open
        self.maps = nn.Linear(width, maps * spec.channels * patch**2)
        nn.init.zeros_(self.label.weight)
        nn.init.zeros_(self.maps.weight)

    def forward(self, code: Any, label_B: Tensor) -> Tensor:
        places = self.places
        x_BND, _ = self.decoder(places.place_ND + self.label(label_B + 1)[:, None], self.decoder.start(code))
        maps_BKHW = self.maps(x_BND).transpose(1, 2).unflatten(2, (places.rows, places.columns))
        return F.pixel_shuffle(maps_BKHW, places.patch)[:, :, : self.spec.height, : self.spec.width]
