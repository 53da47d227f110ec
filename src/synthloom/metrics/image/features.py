"""A small network that learns to see: its last layer but one is the space in which images are compared.

Legend: N images, H height, W width, C channels, D features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from synthloom import devices
from synthloom.errors import DataError
from synthloom.metrics.image.read import Pictures
from synthloom.metrics.score import Context
from synthloom.rng import generator, seeded

__all__ = ["Features", "Seer", "features", "taught"]

Features: TypeAlias = NDArray[np.float64]

_MOST_IMAGES = 10_000
_STEPS, _BATCH = 400, 128
_AT_ONCE = 1_000


def features(real: Pictures, context: Context) -> Callable[[Pictures], Features]:
    """What maps images to features: `context.features` where there is one, else a network trained on the real images.

    It learns to tell their labels, or, where there are none, how an image was flipped: Unsupervised Representation
    Learning by Predicting Image Rotations (Gidaris et al., 2018), https://arxiv.org/abs/1803.07728
    """
    given = context.features
    if given is not None:

        def asked(pictures: Pictures) -> Features:
            level_NHWC = pictures.level_NHWC
            found = np.asarray(given(level_NHWC[..., 0] if level_NHWC.shape[3] == 1 else level_NHWC), np.float64)
            if found.ndim != 2 or len(found) != len(pictures) or not np.isfinite(found).all():
                raise DataError(
                    f"features must be finite numbers [N, D] for N images, however: {len(pictures)} images gave "
                    f"{list(found.shape)}"
                )
            return found

        return asked
    return context.once("seer", lambda: _trained(real, context)).features


def _trained(real: Pictures, context: Context) -> Seer:
    some = real.sample(_MOST_IMAGES, generator(context.seed, "seer"))
    if some.label_N is not None and len(np.unique(some.label_N[some.label_N >= 0])) > 1:
        return taught(some.take(np.flatnonzero(some.label_N >= 0)), context.seed)
    flipped = [some.level_NHWC, some.level_NHWC[:, ::-1], some.level_NHWC[:, :, ::-1], some.level_NHWC[:, ::-1, ::-1]]
    return taught(Pictures(np.concatenate(flipped), np.arange(4).repeat(len(some))), context.seed)


def taught(pictures: Pictures, seed: int) -> Seer:
    """A network that has learnt to tell the labels of these images."""
    assert pictures.label_N is not None
    with seeded(seed, "seer"):
        seer = Seer(pictures.level_NHWC.shape[3], int(pictures.label_N.max()) + 1)
        optimiser = torch.optim.AdamW(seer.parameters(), lr=2e-3)
        with devices.threads(None, sum(p.numel() for p in seer.parameters())):
            for step in range(_STEPS):
                for group in optimiser.param_groups:
                    group["lr"] = 2e-3 * (1 - step / _STEPS)
                index = torch.randint(len(pictures), (_BATCH,)).numpy()
                logits_NK = seer(_pixels(pictures.level_NHWC[index]))
                loss = nn.functional.cross_entropy(logits_NK, torch.from_numpy(pictures.label_N[index]))
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    return seer.eval()


class Seer(nn.Module):
    """Two convolutions, what they find in each of 16 places, and 64 features of it."""

    def __init__(self, channels: int, labels: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(512, 64),
        )
        self.last = nn.Linear(64, labels)

    def forward(self, pixel_NCHW: Tensor) -> Tensor:
        logits_NK: Tensor = self.last(torch.relu(self.convolutions(pixel_NCHW)))
        return logits_NK

    @torch.no_grad()
    def features(self, pictures: Pictures) -> Features:
        """What it sees in the images [N, D]."""
        parts = [self.convolutions(_pixels(part)) for part in _parts(pictures)]
        return torch.cat(parts).double().numpy()

    @torch.no_grad()
    def labels(self, pictures: Pictures) -> NDArray[np.int64]:
        """The label that it would give each image."""
        return torch.cat([self(_pixels(part)).argmax(1) for part in _parts(pictures)]).numpy()


def _parts(pictures: Pictures) -> list[NDArray[np.uint8]]:
    return [pictures.level_NHWC[i : i + _AT_ONCE] for i in range(0, len(pictures), _AT_ONCE)]


def _pixels(level_NHWC: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.array(level_NHWC, order="C")).permute(0, 3, 1, 2).float() / 127.5 - 1
