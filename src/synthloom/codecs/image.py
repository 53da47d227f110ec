"""Images to tensors and back: levels as they are, labels as numbers."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from synthloom.errors import DataError
from synthloom.spec import ImageBatch, ImageSpec

__all__ = ["ImageCodec", "Options"]

_FEWEST_PER_LABEL = 5


@dataclass(frozen=True)
class Options:
    """What can be asked of an image codec."""

    protect: bool = True


class ImageCodec:
    """`learn` takes images in and gives them out as training shall see them; `encode` and `decode` are for use.

    >>> codec = ImageCodec(Options(protect=False))
    >>> level_NHWC = np.arange(32, dtype=np.uint8).reshape(2, 4, 4, 1)
    >>> batch = codec.learn(level_NHWC, ["a", "b"])
    >>> bool((codec.decode(batch) == level_NHWC).all()), codec.decode_labels(batch)
    (True, ['a', 'b'])
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.labels_: list[Any] = []

    # -- learning -------------------------------------------------------------------------------------------------

    def learn(self, level_NHWC: NDArray[np.uint8], labels: Sequence[Hashable] | None = None) -> ImageBatch:
        """Learn the size and the labels; return the images for training."""
        if not len(level_NHWC):
            raise DataError("there must be at least one image to learn from, however: there is none")
        self.shape_ = tuple(map(int, level_NHWC.shape[1:]))
        self.counts_ = {"images": len(level_NHWC)}
        if labels is not None:
            self._keep_labels(labels)
        return self.encode(level_NHWC, labels)

    def _keep_labels(self, labels: Sequence[Hashable]) -> None:
        counts = Counter(label for label in labels if label is not None)
        kept = [label for label in counts if counts[label] >= (_FEWEST_PER_LABEL if self.options.protect else 1)]
        odd = next((label for label in kept if not isinstance(label, (str, int))), None)
        if odd is not None:
            raise DataError(
                f"a label must be a text, a whole number or a boolean, however: {odd!r}; give labels another form"
            )
        self.labels_ = sorted(kept, key=lambda label: (not isinstance(label, int), label))
        self.counts_["labels of too few images"] = len(counts) - len(kept)

    # -- use ------------------------------------------------------------------------------------------------------

    @property
    def spec(self) -> ImageSpec:
        height, width, channels = self.shape_
        return ImageSpec(height, width, channels, len(self.labels_))

    def encode(self, level_NHWC: NDArray[np.uint8], labels: Sequence[Hashable] | None = None) -> ImageBatch:
        """The images as they are, not copied. A label that is not known, or None, leaves the label open."""
        if level_NHWC.shape[1:] != self.shape_:
            raise DataError(
                f"images must be {_said(self.shape_)} like those of training, however: they are "
                f"{_said(level_NHWC.shape[1:])}; bring them to that size"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what is mapped into memory cannot be written, nor need it be
            store_SHWC = torch.from_numpy(np.asarray(level_NHWC))
        if labels is None:
            return ImageBatch.of(store_SHWC)
        number = {label: i for i, label in enumerate(self.labels_)}
        return ImageBatch.of(store_SHWC, torch.tensor([number.get(label, -1) for label in labels], dtype=torch.int64))

    def decode(self, batch: ImageBatch) -> NDArray[np.uint8]:
        """Levels uint8 [N, H, W, C]."""
        store_BHWC = batch.store_SHWC[batch.row_B].cpu()
        if store_BHWC.dtype != torch.uint8:
            store_BHWC = (store_BHWC.float() * 255).round().to(torch.uint8)
        level_NHWC: NDArray[np.uint8] = store_BHWC.numpy()
        return level_NHWC

    def decode_labels(self, batch: ImageBatch) -> list[Any] | None:
        """The labels of a batch, None where open; None for all if labels were never learnt."""
        if not self.labels_:
            return None
        return [None if number < 0 else self.labels_[number] for number in batch.label_B.tolist()]

    # -- the model file -------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {
            "options": asdict(self.options),
            "shape": list(self.shape_),
            "labels": self.labels_,
            "counts": self.counts_,
        }

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> Self:
        codec = cls(Options(**document["options"]))
        codec.shape_, codec.labels_ = tuple(document["shape"]), document["labels"]
        codec.counts_ = document["counts"]
        return codec


def _said(shape: Sequence[int]) -> str:
    height, width, channels = shape
    return f"{height} x {width} {'in colour' if channels == 3 else 'in grey'}"
