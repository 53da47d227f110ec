"""Images as their metrics take them.

Legend: N images, H height, W width, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthloom.errors import DataError
from synthloom.metrics.score import Context
from synthloom.sources import Images, images_of

__all__ = ["Pictures", "read"]


@dataclass(frozen=True)
class Pictures:
    """Images of one size, and the number of each one's label, -1 where it has none; None if no image has any."""

    level_NHWC: NDArray[np.uint8]
    label_N: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.level_NHWC)

    def take(self, index: NDArray[np.int64]) -> Pictures:
        return Pictures(self.level_NHWC[index], None if self.label_N is None else self.label_N[index])

    def sample(self, n: int, rng: np.random.Generator) -> Pictures:
        """At most n of them, in their order."""
        return self if n >= len(self) else self.take(np.sort(rng.choice(len(self), n, replace=False)))


def read(data: Mapping[str, Any], context: Context) -> tuple[list[Pictures], list[str]]:
    """Images from whatever may stand for them; all must be of one size, and labels are told apart by their names."""
    found = {name: images_of(value) for name, value in data.items()}
    shape = found["real"].level_NHWC.shape[1:]
    for name, images in found.items():
        if not len(images):
            raise DataError(f"there must be at least one image to judge, however: the {name} ones are none")
        if images.level_NHWC.shape[1:] != shape:
            sizes = [" x ".join(map(str, size)) for size in (shape, images.level_NHWC.shape[1:])]
            raise DataError(
                f"all images must be of one size, however: the real ones are {sizes[0]} and the {name} ones "
                f"{sizes[1]}; bring them to the same"
            )
    names = sorted({str(label) for images in found.values() for label in images.labels or [] if label is not None})
    pictures = [Pictures(images.level_NHWC, _numbers(images, names)) for images in found.values()]
    notes = [f"the {name} images have no labels" for name, images in found.items() if images.labels is None]
    return pictures, notes if len(notes) < len(found) else []


def _numbers(images: Images, names: list[str]) -> NDArray[np.int64] | None:
    if images.labels is None or not any(label is not None for label in images.labels):
        return None
    number = {name: i for i, name in enumerate(names)}
    return np.array([-1 if label is None else number[str(label)] for label in images.labels])
