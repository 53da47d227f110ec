"""Reading and writing images: convolutions in residual blocks, and patches for Transformers.

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

_SMALLEST = 4
"""An image is halved until no side is longer than this."""
_WIDEST = 4
"""Times the width that a level may have."""


def levels(spec: ImageSpec) -> list[tuple[int, int]]:
    """Height and width of an image at each level: halved, rounded up, until it is small.

    >>> levels(ImageSpec(28, 28))
    [(28, 28), (14, 14), (7, 7), (4, 4)]
    """
    sizes = [(spec.height, spec.width)]
    while max(sizes[-1]) > _SMALLEST:
        height, width = sizes[-1]
        sizes.append((-(-height // 2), -(-width // 2)))
    return sizes


def _widths(sizes: list[tuple[int, int]], width: int) -> list[int]:
    """The width of each level: doubled from the second on."""
    return [min(2 ** max(0, level - 1), _WIDEST) * width for level in range(len(sizes))]


class _Block(nn.Module):
    """x + conv(conv(x)), each of a normalised x; told the label, if there is one to tell."""

    def __init__(self, width: int, labels: int = 0) -> None:
        super().__init__()
        groups = math.gcd(width, 8)
        self.norm, self.next_norm = nn.GroupNorm(groups, width), nn.GroupNorm(groups, width)
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
    """An image to features [B, D]: blocks at each level but the first, whose pixels one convolution gathers.

    >>> reader = ConvReader(ImageSpec(9, 5, 3), width=8, blocks=1)
    >>> reader(ImageBatch.of(torch.rand(2, 9, 5, 3))).shape, reader.features
    (torch.Size([2, 96]), 96)
    """

    def __init__(self, spec: ImageSpec, width: int, blocks: int) -> None:
        super().__init__()
        sizes = levels(spec)
        widths = _widths(sizes, width)
        steps: list[nn.Module] = []
        if len(sizes) == 1:
            steps = [nn.Conv2d(spec.channels, width, 3, padding=1), *(_Block(width) for _ in range(blocks))]
        for level, (before, after) in enumerate(pairwise(widths)):
            steps.append(nn.Conv2d(before if level else spec.channels, after, 3, stride=2, padding=1))
            steps += [_Block(after) for _ in range(blocks)]
        self.steps = nn.Sequential(*steps)
        self.norm = nn.GroupNorm(math.gcd(widths[-1], 8), widths[-1])
        self.features = widths[-1] * math.prod(sizes[-1])

    def forward(self, batch: ImageBatch) -> Tensor:
        x_BDHW = self.steps(2 * batch.pixel_BCHW - 1)
        return F.silu(self.norm(x_BDHW)).flatten(1)


class ConvWriter(nn.Module):
    """A code [B, Z] and a label to maps [B, K * C, H, W]: the way of `ConvReader` back.

    >>> writer = ConvWriter(ImageSpec(9, 5, 3, labels=2), size=6, width=8, blocks=1, maps=2)
    >>> writer(torch.randn(2, 6), torch.tensor([1, -1])).shape
    torch.Size([2, 6, 9, 5])
    """

    def __init__(self, spec: ImageSpec, size: int, width: int, blocks: int, maps: int) -> None:
        super().__init__()
        self.sizes = levels(spec)[::-1]
        widths = _widths(self.sizes[::-1], width)[::-1]
        self.start = nn.Linear(size, widths[0] * math.prod(self.sizes[0]))
        self.width = widths[0]
        self.doubles = len(self.sizes) > 1
        widths = widths[:-1] if self.doubles else widths  # the last doubling is that of the maps
        self.blocks = nn.ModuleList(nn.ModuleList(_Block(each, spec.labels) for _ in range(blocks)) for each in widths)
        self.widen = nn.ModuleList(nn.Conv2d(before, 4 * after, 3, padding=1) for before, after in pairwise(widths))
        last = widths[-1]
        self.norm = nn.GroupNorm(math.gcd(last, 8), last)
        self.maps = nn.Conv2d(last, maps * spec.channels * (4 if self.doubles else 1), 3, padding=1)
        nn.init.zeros_(self.maps.weight)
        nn.init.zeros_(self.maps.bias)  # type: ignore[arg-type]

    def forward(self, code_BZ: Tensor, label_B: Tensor) -> Tensor:
        x_BDHW = self.start(code_BZ).unflatten(1, (self.width, *self.sizes[0]))
        for level, blocks in enumerate(self.blocks):
            if level:
                x_BDHW = _doubled(self.widen[level - 1](x_BDHW), self.sizes[level])
            for block in blocks:  # type: ignore[attr-defined]
                x_BDHW = block(x_BDHW, label_B)
        maps_BKHW: Tensor = self.maps(F.silu(self.norm(x_BDHW)))
        return _doubled(maps_BKHW, self.sizes[-1]) if self.doubles else maps_BKHW


def _doubled(x_BDHW: Tensor, size: tuple[int, int]) -> Tensor:
    """Four maps as one of twice the size, cut to the size of its level."""
    return F.pixel_shuffle(x_BDHW, 2)[:, :, : size[0], : size[1]]


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
        places, patch = self.places, self.places.patch
        x_BCHW = 2 * batch.pixel_BCHW - 1
        H, W = x_BCHW.shape[2:]
        x_BCHW = F.pad(x_BCHW, (0, places.columns * patch - W, 0, places.rows * patch - H))
        patch_BNK = F.pixel_unshuffle(x_BCHW, patch).flatten(2).transpose(1, 2)
        x_BND = self.encoder(self.patches(patch_BNK) + places.place_ND)
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
