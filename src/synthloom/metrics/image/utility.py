"""What synthetic images are good for: a classifier taught by them, tested on real ones."""

from __future__ import annotations

import numpy as np

from synthloom.metrics.image.features import taught
from synthloom.metrics.image.read import Pictures
from synthloom.metrics.score import Context, Score, wilson
from synthloom.rng import generator

__all__ = ["utility"]

_MOST_IMAGES = 20_000
_FEWEST_IMAGES = 50


def utility(real: Pictures, synthetic: Pictures, holdout: Pictures | None, context: Context) -> Score:
    """How many held-out images a small network labels rightly that synthetic images have taught; the reference: as many
    real ones.

    Real-valued (Medical) Time Series Generation with Recurrent Conditional GANs (Esteban et al., 2017),
    https://arxiv.org/abs/1706.02633, for "train on synthetic, test on real"
    """
    if holdout is None:
        return Score.unavailable("utility", "higher", "it needs a holdout")
    parts = [_labelled(pictures) for pictures in (real, synthetic, holdout)]
    if (few := min(map(len, parts))) < _FEWEST_IMAGES:
        return Score.unavailable("utility", "higher", f"it needs {_FEWEST_IMAGES} labelled images of each, not {few}")
    n = min(_MOST_IMAGES, len(parts[0]), len(parts[1]))
    rng = generator(context.seed, "utility")
    taught_by = {name: part.sample(n, rng) for name, part in zip(("real", "synthetic"), parts, strict=False)}
    assert parts[2].label_N is not None
    right = {
        name: float((taught(part, context.seed).labels(parts[2]) == parts[2].label_N).mean())
        for name, part in taught_by.items()
    }
    interval = wilson(right["synthetic"] * len(parts[2]), len(parts[2]))
    about = f"share of held-out images that a network taught by {n:,} synthetic ones labels rightly"
    return Score("utility", right["synthetic"], right["real"], "higher", interval, about)


def _labelled(pictures: Pictures) -> Pictures:
    if pictures.label_N is None:
        return pictures.take(np.zeros(0, np.int64))
    return pictures.take(np.flatnonzero(pictures.label_N >= 0))
