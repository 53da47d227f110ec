"""All that a network may know of the data: widths, cardinalities, masks. No names, no units, no raw values.

Legend for tensor names: B items (rows, texts, images), C columns, N pieces of a text, T pieces of all texts; of images
S in a store, H height, W width, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = [
    "BLANK",
    "END",
    "WIDE",
    "Batch",
    "Block",
    "Digit",
    "ImageBatch",
    "ImageSpec",
    "TableBatch",
    "TableSpec",
    "TextBatch",
    "TextSpec",
]

WIDE = 1024
"""A column of more choices than this is spelled with two digits, so that nobody ever holds a logit for each."""


class Batch(Protocol):
    """Encoded items: what training, models and codecs hand to each other, whatever the kind of data."""

    def __len__(self) -> int: ...

    def take(self, index: Tensor) -> Self:
        """The items at `index`, in that order."""
        ...

    def to(self, device: torch.device) -> Self: ...


@dataclass(frozen=True)
class Block:
    """One column: a choice among `choices`; the first `numbered` of them each carry a number as well.

    A category is `Block(7)`. A number cut into 32 cells, with two inflated values and a slot for "missing", is
    `Block(35, numbered=32)`: choose a cell and say where in it, or choose one of the rest and say nothing more.
    """

    choices: int
    numbered: int = 0

    def __post_init__(self) -> None:
        assert 0 <= self.numbered <= self.choices, self
        assert self.choices >= 1, self

    @property
    def digits(self) -> list[tuple[int, int]]:
        """How a choice is spelled, as (divisor, base) of each digit: with one, or with two where there are many.

        >>> Block(7).digits, Block(300_000).digits
        ([(1, 7)], [(548, 548), (1, 548)])
        """
        if self.choices <= WIDE:
            return [(1, self.choices)]
        base = math.isqrt(self.choices - 1) + 1
        return [(base, -(-self.choices // base)), (1, base)]


class Digit(NamedTuple):
    """One of the one or two digits of a column's choices: choice // divisor % base."""

    column: int
    divisor: int
    base: int


@dataclass(frozen=True)
class TableSpec:
    """The columns of a table, in order; `bounded` if every number lies in [-1, 1]."""

    blocks: tuple[Block, ...]
    bounded: bool = False

    @cached_property
    def digits(self) -> tuple[Digit, ...]:
        """The digits of all columns, in order."""
        return tuple(Digit(c, *digit) for c, block in enumerate(self.blocks) for digit in block.digits)

    def follows(self, d: int) -> bool:
        """Whether digit d is the second of its column."""
        return self.digits[d].column == self.digits[d - 1].column and d > 0


@dataclass(frozen=True)
class TableBatch:
    """Rows of an encoded table.

    A cell that is not `known` has nothing to say: it adds nothing to a likelihood, and an encoder is told so. `value`
    counts only where the choice carries a number, and is 0 elsewhere.
    """

    choice_BC: Tensor  # int64
    value_BC: Tensor  # float32
    known_BC: Tensor  # bool

    def __len__(self) -> int:
        return self.choice_BC.shape[0]

    def take(self, index: Tensor) -> TableBatch:
        return TableBatch(*(getattr(self, f.name).index_select(0, index) for f in fields(self)))

    def spelled(self, spec: TableSpec) -> tuple[Tensor, Tensor]:
        """Choices in digits, and which of them are known: both [B, D]."""
        if len(spec.digits) == len(spec.blocks):  # all columns have one digit
            return self.choice_BC, self.known_BC
        import torch

        digit_DB = [self.choice_BC[:, digit.column] // digit.divisor % digit.base for digit in spec.digits]
        return torch.stack(digit_DB, 1), self.known_BC[:, [digit.column for digit in spec.digits]]

    def to(self, device: torch.device) -> TableBatch:
        return TableBatch(*(getattr(self, f.name).to(device) for f in fields(self)))

    @staticmethod
    def cat(batches: Sequence[TableBatch]) -> TableBatch:
        import torch

        return TableBatch(*(torch.cat([getattr(b, f.name) for b in batches]) for f in fields(TableBatch)))


END = 0
"""The piece that ends a text; it also fills what lies beyond, and stands for what comes before the first piece."""


BLANK = 1
"""The piece that stands where a word must not be learnt: never asked for, never written."""


@dataclass(frozen=True)
class TextSpec:
    """Texts of up to `longest` of `pieces` different pieces, the end of each text among them, and so many labels."""

    pieces: int
    longest: int
    labels: int = 0


@dataclass(frozen=True)
class TextBatch:
    """Encoded texts: the pieces of all of them in one strip, and where on it each text lies.

    Taking texts copies none of them, so that the strip may be a file that is mapped into memory; `to` cuts out what is
    needed. The last piece of a text is its END, unless the text is only begun. A label of -1 is not known.

    >>> import torch
    >>> batch = TextBatch.of([[7, 8, END], [9, END]])
    >>> batch.token_BN
    tensor([[7, 8, 0],
            [9, 0, 0]])
    """

    strip_T: Tensor  # int32
    start_B: Tensor  # int64, as are the others
    length_B: Tensor
    label_B: Tensor

    @staticmethod
    def of(texts: Sequence[Sequence[int]], labels: Sequence[int] | None = None) -> TextBatch:
        """The batch of these texts."""
        import torch

        length_B = torch.tensor([len(text) for text in texts], dtype=torch.int64)
        strip_T = torch.tensor([piece for text in texts for piece in text], dtype=torch.int32)
        label_B = torch.tensor([-1] * len(texts) if labels is None else labels, dtype=torch.int64)
        return TextBatch(strip_T, length_B.cumsum(0) - length_B, length_B, label_B)

    def __len__(self) -> int:
        return len(self.length_B)

    @property
    def token_BN(self) -> Tensor:
        """The pieces [B, N], with END beyond the end of shorter texts."""
        import torch

        if not self.strip_T.numel():  # nothing but texts not yet begun
            return self.start_B.new_zeros(len(self), 0)
        place_BN = self.start_B[:, None] + torch.arange(self.mask_BN.shape[1], device=self.start_B.device)
        token_BN = self.strip_T[place_BN.clamp(max=len(self.strip_T) - 1)].long()
        return token_BN.masked_fill(~self.mask_BN, END)

    @property
    def mask_BN(self) -> Tensor:
        """True where there is a piece."""
        import torch

        longest = int(self.length_B.max()) if len(self) else 0
        return torch.arange(longest, device=self.length_B.device) < self.length_B[:, None]

    def take(self, index: Tensor) -> TextBatch:
        return TextBatch(self.strip_T, self.start_B[index], self.length_B[index], self.label_B[index])

    def to(self, device: torch.device) -> TextBatch:
        strip_T = self.token_BN[self.mask_BN].to(self.strip_T.dtype)
        start_B = self.length_B.cumsum(0) - self.length_B
        return TextBatch(*(tensor.to(device) for tensor in (strip_T, start_B, self.length_B, self.label_B)))

    @staticmethod
    def cat(batches: Sequence[TextBatch]) -> TextBatch:
        import torch

        before = torch.tensor([0, *(len(b.strip_T) for b in batches)]).cumsum(0).tolist()
        starts = [batch.start_B + offset for batch, offset in zip(batches, before, strict=False)]
        return TextBatch(
            torch.cat([b.strip_T for b in batches]),
            torch.cat(starts),
            torch.cat([b.length_B for b in batches]),
            torch.cat([b.label_B for b in batches]),
        )


@dataclass(frozen=True)
class ImageSpec:
    """Images of this size and so many channels (1 grey, 3 colour), of 256 levels, and so many labels."""

    height: int
    width: int
    channels: int = 1
    labels: int = 0

    @property
    def numbers(self) -> int:
        """How many numbers an image is made of."""
        return self.height * self.width * self.channels


@dataclass(frozen=True)
class ImageBatch:
    """Images: a store of them, and which of it are meant.

    Taking images copies none of them, so that the store may be a file that is mapped into memory; `to` cuts out what is
    needed. The store holds levels as uint8, or floats from 0 to 1, as networks see and draw them. A label of -1 is not
    known. Where `known_BHW` is False a pixel is not known; without it all are.
    """

    store_SHWC: Tensor
    row_B: Tensor  # int64, as is the next
    label_B: Tensor
    known_BHW: Tensor | None = None

    @staticmethod
    def of(store_SHWC: Tensor, label_B: Tensor | None = None, known_BHW: Tensor | None = None) -> ImageBatch:
        """The batch of all of these images."""
        import torch

        row_B = torch.arange(len(store_SHWC), device=store_SHWC.device)
        return ImageBatch(store_SHWC, row_B, torch.full_like(row_B, -1) if label_B is None else label_B, known_BHW)

    @staticmethod
    def blank(label_B: Tensor, spec: ImageSpec) -> ImageBatch:
        """Images of which nothing but the label is known."""
        store_SHWC = label_B.new_zeros(1, spec.height, spec.width, spec.channels).float()
        known_BHW = store_SHWC[:, :, :, 0].bool().expand(len(label_B), -1, -1)
        return ImageBatch(store_SHWC, label_B.new_zeros(len(label_B)), label_B, known_BHW)

    def __len__(self) -> int:
        return len(self.row_B)

    @property
    def pixel_BCHW(self) -> Tensor:
        """The pixels, from 0 to 1."""
        import torch

        pixel_BCHW = self.store_SHWC[self.row_B].permute(0, 3, 1, 2)
        return pixel_BCHW / 255 if pixel_BCHW.dtype == torch.uint8 else pixel_BCHW

    def take(self, index: Tensor) -> ImageBatch:
        known_BHW = None if self.known_BHW is None else self.known_BHW[index]
        return ImageBatch(self.store_SHWC, self.row_B[index], self.label_B[index], known_BHW)

    def to(self, device: torch.device) -> ImageBatch:
        known_BHW = None if self.known_BHW is None else self.known_BHW.to(device)
        return ImageBatch.of(self.store_SHWC[self.row_B].to(device), self.label_B.to(device), known_BHW)

    @staticmethod
    def cat(batches: Sequence[ImageBatch]) -> ImageBatch:
        """All of them, with every pixel known."""
        import torch

        store_SHWC = torch.cat([batch.store_SHWC[batch.row_B] for batch in batches])
        return ImageBatch.of(store_SHWC, torch.cat([batch.label_B for batch in batches]))
