"""All that a network may know of the data: widths, cardinalities, masks. No names, no units, no raw values.

Legend for tensor names: B items (rows, texts, images), C columns, K choices of a column, P parts of choices, N pieces
of a text, T pieces of all texts; of images S in a store, H height, W width, C channels.
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
    "Limit",
    "Limits",
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

    @staticmethod
    def unknown(rows: int, columns: int, device: torch.device | None = None) -> TableBatch:
        """Rows of which nothing is known."""
        import torch

        types = torch.int64, torch.float32, torch.bool
        return TableBatch(*(torch.zeros(rows, columns, dtype=kind, device=device) for kind in types))

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


@dataclass(frozen=True)
class Limit:
    """What a column may say: any choice that is open, with any number, or part of a choice: its number has two ends.

    There is a row for each item, or one row for all of them. A part whose ends have crossed allows nothing.

    >>> import torch
    >>> some = Limit.of(torch.tensor([[True, True, False, False]]))
    >>> ends = torch.tensor([[-1.0]]), torch.tensor([[2.0]])
    >>> part = Limit(torch.tensor([[True, False, False, True]]), torch.tensor([[1]]), *ends)
    >>> both = some & part
    >>> both.open_BK.tolist(), both.choice_BP.tolist(), both.high_BP.tolist()
    ([[True, False, False, False]], [[1]], [[2.0]])
    """

    open_BK: Tensor  # bool
    choice_BP: Tensor  # int64
    low_BP: Tensor  # float64, as is the other
    high_BP: Tensor

    @staticmethod
    def of(open_BK: Tensor) -> Limit:
        """A limit of whole choices."""
        import torch

        none_B0 = torch.zeros(len(open_BK), 0, device=open_BK.device)
        return Limit(open_BK, none_B0.long(), none_B0.double(), none_B0.double())

    @staticmethod
    def stack(limits: Sequence[Limit]) -> Limit:
        """Limits one below the other."""
        import torch

        most = max(limit.choice_BP.shape[1] for limit in limits)
        limits = [limit._pad(most) for limit in limits]
        return Limit(*(torch.cat([getattr(limit, f.name) for limit in limits]) for f in fields(Limit)))

    def __len__(self) -> int:
        return len(self.open_BK)

    def admits(self, choice_B: Tensor, value_B: Tensor) -> Tensor:
        """Which rows [B] say something that is allowed."""
        one = self._expand(len(choice_B))
        within_BP = (one.low_BP <= value_B[:, None]) & (value_B[:, None] <= one.high_BP)
        part_B = (within_BP & (one.choice_BP == choice_B[:, None])).any(1)
        return one.open_BK.gather(1, choice_B[:, None])[:, 0] | part_B

    def is_empty(self) -> bool:
        """Whether no row is allowed anything."""
        return not self.open_BK.any() and not (self.low_BP < self.high_BP).any()

    def __and__(self, other: Limit) -> Limit:
        """What both allow."""
        import torch

        rows = max(len(self), len(other))
        one, two = self._expand(rows), other._expand(rows)
        same_BPQ = one.choice_BP[:, :, None] == two.choice_BP[:, None, :]
        low_BPQ = torch.maximum(one.low_BP[:, :, None], two.low_BP[:, None, :]).masked_fill(~same_BPQ, math.inf)
        high_BPQ = torch.minimum(one.high_BP[:, :, None], two.high_BP[:, None, :])
        parts = [(one.choice_BP[:, :, None].expand(same_BPQ.shape), low_BPQ, high_BPQ)]
        for limit, against in ((one, two), (two, one)):
            shut_BP = ~against.open_BK.gather(1, limit.choice_BP)
            parts.append((limit.choice_BP, limit.low_BP.masked_fill(shut_BP, math.inf), limit.high_BP))
        choice_BP, low_BP, high_BP = (torch.cat([t.flatten(1) for t in ts], 1) for ts in zip(*parts, strict=True))
        left_P = (low_BP < high_BP).any(0)
        return Limit(one.open_BK & two.open_BK, choice_BP[:, left_P], low_BP[:, left_P], high_BP[:, left_P])

    def take(self, index: Tensor) -> Limit:
        return Limit(*(getattr(self, f.name)[index] for f in fields(self)))

    def merged(self) -> Limit:
        """One row that allows what any of them does."""
        left_BP = self.low_BP < self.high_BP
        parts = (part_BP[left_BP][None] for part_BP in (self.choice_BP, self.low_BP, self.high_BP))
        return Limit(self.open_BK.any(0, keepdim=True), *parts)

    def to(self, device: torch.device) -> Limit:
        return Limit(*(getattr(self, f.name).to(device) for f in fields(self)))

    def _expand(self, rows: int) -> Limit:
        return Limit(*(getattr(self, f.name).expand(rows, -1) for f in fields(self)))

    def _pad(self, most: int) -> Limit:
        import torch

        extra = (0, most - self.choice_BP.shape[1])
        pad = torch.nn.functional.pad
        return Limit(
            self.open_BK,
            pad(self.choice_BP, extra),
            pad(self.low_BP, extra, value=math.inf),
            pad(self.high_BP, extra, value=-math.inf),
        )


class Limits(Protocol):
    """What each cell of some rows may say."""

    def __call__(self, c: int, written: TableBatch) -> Limit | None:
        """The limit of column c for rows of which so much is written; None: none."""
        ...


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

    @staticmethod
    def begun(label_B: Tensor) -> TextBatch:
        """Texts of which nothing but the label is known."""
        import torch

        zeros_B = torch.zeros_like(label_B)
        return TextBatch(torch.zeros(0, dtype=torch.int32, device=label_B.device), zeros_B, zeros_B, label_B)

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
