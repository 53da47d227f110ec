"""Are synthetic images where real ones are, and are they everywhere where real ones are? In a space of features.

Legend: N real images, M others, D features, K neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthloom.metrics.image.features import Features, features
from synthloom.metrics.image.read import Pictures
from synthloom.metrics.score import Context, Score, resampled, wilson
from synthloom.rng import generator

__all__ = ["coverage", "density", "frechet_distance", "precision", "recall"]

_MOST_IMAGES = 5_000
_FEWEST_IMAGES = 50
_NEIGHBOURS = 5
_BLOCK = 1_000

_OWN = "features of a small network trained on the real images"
_GIVEN = "features that were given"


def frechet_distance(real: Pictures, synthetic: Pictures, holdout: Pictures | None, context: Context) -> Score:
    """The distance between the Gaussians that the features of two sets of images have.

    The formula is that of the FID: GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium
    (Heusel et al., 2017), https://arxiv.org/abs/1706.08500. The features are not, so no number of this is an FID, and
    numbers compare for the same real images only. Fewer images make it larger: both sides have equally many.
    """
    found = _sides(real, synthetic, holdout, context)
    if isinstance(found, str):
        return Score.unavailable("frechet_distance", "lower", found)
    value, reference = (None if side is None else _frechet(side.real_ND, side.other_MD) for side in found)
    about = (
        f"how far apart the {_what(context)} lie as Gaussians ({len(found[0].other_MD):,} images); not an FID, and "
        f"comparable for the same real images only"
    )
    return Score("frechet_distance", value, reference, "lower", None, about)


def precision(real: Pictures, synthetic: Pictures, holdout: Pictures | None, context: Context) -> Score:
    """The share of synthetic images that lie among real ones: nearer to one than its fifth neighbour is.

    Improved Precision and Recall Metric for Assessing Generative Models (Kynkäänniemi et al., 2019),
    https://arxiv.org/abs/1904.06991
    """
    about = "share of synthetic images that lie among real ones, by {}; blind to what is missing"
    return _share("precision", about, real, synthetic, holdout, context)


def recall(real: Pictures, synthetic: Pictures, holdout: Pictures | None, context: Context) -> Score:
    """The share of real images that lie among synthetic ones; the reference is that of `precision`."""
    about = "share of real images that lie among synthetic ones, by {}; a few far-off synthetic images raise it"
    return _share("recall", about, real, synthetic, holdout, context)


def coverage(real: Pictures, synthetic: Pictures, holdout: Pictures | None, context: Context) -> Score:
    """The share of real images with a synthetic one nearer than their fifth real neighbour.

    Reliable Fidelity and Diversity Metrics for Generative Models (Naeem et al., 2020), https://arxiv.org/abs/2002.09797
    """
    about = "share of real images that have a synthetic one for a neighbour, by {}; copies earn 1"
    return _share("coverage", about, real, synthetic, holdout, context)


def density(real: Pictures, synthetic: Pictures, holdout: Pictures | None, context: Context) -> Score:
    """How densely real images lie where synthetic ones do: 1 as among themselves, more in the thick of them.

    The reference is that of `coverage`.
    """
    found = _sides(real, synthetic, holdout, context)
    if isinstance(found, str):
        return Score.unavailable("density", "higher", found)
    value, reference = (None if side is None else float(side.density_M.mean()) for side in found)
    rng = generator(context.seed, "density")
    interval = resampled(found[0].density_M[:, None], lambda mean_RD: mean_RD[:, 0], rng)
    about = (
        f"how densely real images lie around synthetic ones, by {_what(context)}: 1 as among themselves; more says "
        f"that the unusual is missing"
    )
    return Score("density", value, reference, "higher", interval, about)


def _share(
    name: str, about: str, real: Pictures, synthetic: Pictures, holdout: Pictures | None, context: Context
) -> Score:
    found = _sides(real, synthetic, holdout, context)
    if isinstance(found, str):
        return Score.unavailable(name, "higher", found)
    inside_I = getattr(found[0], f"{name}_I")
    reference = None if found[1] is None else float(getattr(found[1], f"{name}_I").mean())
    interval = wilson(float(inside_I.sum()), len(inside_I))
    return Score(name, float(inside_I.mean()), reference, "higher", interval, about.format(_what(context)))


def _what(context: Context) -> str:
    return _OWN if context.features is None else _GIVEN


@dataclass(frozen=True)
class _Side:
    """Real images beside others: features, and who is in whose neighbourhood (I: images of either kind)."""

    real_ND: Features
    other_MD: Features
    precision_I: NDArray[np.bool_]
    recall_I: NDArray[np.bool_]
    coverage_I: NDArray[np.bool_]
    density_M: NDArray[np.float64]


def _sides(
    real: Pictures, synthetic: Pictures, holdout: Pictures | None, context: Context
) -> tuple[_Side, _Side | None] | str:
    """The synthetic images, and the holdout in their place; or why they cannot be judged."""
    few = min(len(pictures) for pictures in (real, synthetic, holdout or real))
    if few < _FEWEST_IMAGES:
        return f"below {_FEWEST_IMAGES} images, however: {few}"

    def find() -> tuple[_Side, _Side | None]:
        n = min(_MOST_IMAGES, few)
        see, rng = features(real, context), generator(context.seed, "space")
        real_ND, other_MD = see(real.sample(n, rng)), see(synthetic.sample(n, rng))
        held = None if holdout is None else _beside(real_ND, see(holdout.sample(n, rng)))
        return _beside(real_ND, other_MD), held

    return context.once("sides", find)


def _beside(real_ND: Features, other_MD: Features) -> _Side:
    real_radius_N, other_radius_M = _radius(real_ND), _radius(other_MD)
    in_real_M = np.zeros(len(other_MD))
    recall_N, coverage_N = np.zeros(len(real_ND), bool), np.zeros(len(real_ND), bool)
    for start in range(0, len(real_ND), _BLOCK):
        block = slice(start, start + _BLOCK)
        distance_BM = _distances(real_ND[block], other_MD)
        within_BM = distance_BM <= real_radius_N[block, None]
        in_real_M += within_BM.sum(0)
        coverage_N[block] = within_BM.any(1)
        recall_N[block] = (distance_BM <= other_radius_M).any(1)
    return _Side(real_ND, other_MD, in_real_M > 0, recall_N, coverage_N, in_real_M / _NEIGHBOURS)


def _radius(point_ND: Features) -> Features:
    """Each point's distance to its fifth neighbour."""
    radius = [
        np.partition(_distances(point_ND[start : start + _BLOCK], point_ND), _NEIGHBOURS, axis=1)[:, _NEIGHBOURS]
        for start in range(0, len(point_ND), _BLOCK)
    ]
    return np.concatenate(radius)


def _distances(one_ND: Features, other_MD: Features) -> Features:
    squared_NM = (one_ND**2).sum(1)[:, None] + (other_MD**2).sum(1) - 2 * one_ND @ other_MD.T
    return np.asarray(np.sqrt(squared_NM.clip(0)))


def _frechet(one_ND: Features, other_MD: Features) -> float:
    """|m - m'|^2 + tr(S + S' - 2 (S S')^(1/2))."""
    away_D = one_ND.mean(0) - other_MD.mean(0)
    one_DD, other_DD = (np.atleast_2d(np.cov(point_ND.T)) for point_ND in (one_ND, other_MD))
    value_D, vector_DD = np.linalg.eigh(one_DD)
    root_DD = (vector_DD * np.sqrt(value_D.clip(0))) @ vector_DD.T
    shared = np.sqrt(np.linalg.eigvalsh(root_DD @ other_DD @ root_DD).clip(0)).sum()
    return float(max(0.0, away_D @ away_D + np.trace(one_DD) + np.trace(other_DD) - 2 * shared))
