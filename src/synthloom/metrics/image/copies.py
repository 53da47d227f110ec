"""An alarm that rings when synthetic images repeat training images. Silence proves nothing.

Legend: N real images, S others, K pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthloom.metrics.image.read import Pictures
from synthloom.metrics.score import Context, Score, wilson
from synthloom.rng import generator

__all__ = ["copy_rate"]

_FEWEST_IMAGES = 200
_MOST_IMAGES = 2_000
_NEAR = 1 / 3
_SHOWN = 10
_BLOCK = 500


def copy_rate(real: Pictures, synthetic: Pictures, holdout: Pictures | None, context: Context) -> Score:
    """The share of synthetic images that lie three times nearer to a training image than its nearest like does.

    Distances are between pixels. The reference is the share of held-out images that do. The detail names the nearest
    pairs, by their numbers in the two sets, for whoever may see them.

    Extracting Training Data from Diffusion Models (Carlini et al., 2023), https://arxiv.org/abs/2301.13188, measures
    distances by those of the neighbourhood as well
    """
    if (few := min(len(real), len(synthetic))) < _FEWEST_IMAGES:
        return Score.unavailable("copy_rate", "lower", f"below {_FEWEST_IMAGES} images chance decides, however: {few}")
    rng = generator(context.seed, "copies")
    number_S = np.sort(rng.permutation(len(synthetic))[:_MOST_IMAGES])
    ratio_S, nearest_S = _nearness(real, synthetic.take(number_S))
    copies = float((ratio_S <= _NEAR).mean())
    held = None if holdout is None else holdout.sample(_MOST_IMAGES, rng)
    reference = None if held is None else float((_nearness(real, held)[0] <= _NEAR).mean())
    closest = np.argsort(ratio_S, kind="stable")[:_SHOWN]
    pairs = [
        {"synthetic": int(number_S[s]), "real": int(nearest_S[s]), "ratio": float(min(ratio_S[s], 1e6))}
        for s in closest
    ]
    about = (
        f"share of {len(number_S):,} synthetic images three times nearer to a training image than any other is; "
        f"held-out images are so by nature; an alarm, not a proof"
    )
    interval = wilson(copies * len(number_S), len(number_S))
    return Score("copy_rate", copies, reference, "lower", interval, about, None, {"pairs": pairs})


def _nearness(real: Pictures, other: Pictures) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Of each image its distance to the nearest real one, over the distance of that to its own nearest, and which."""
    real_NK, other_SK = (
        pictures.level_NHWC.reshape(len(pictures), -1).astype(np.float32) / np.float32(255)
        for pictures in (real, other)
    )
    distance_S, nearest_S = _nearest(other_SK, real_NK)
    met, place_S = np.unique(nearest_S, return_inverse=True)
    own_M, _ = _nearest(real_NK[met], real_NK, itself=met)
    return distance_S / np.maximum(own_M[place_S], 1e-6), nearest_S


def _nearest(
    one_SK: NDArray[np.float32], other_NK: NDArray[np.float32], itself: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The distance of each to its nearest among the others, and which; `itself` says which of them it is itself."""
    squared_N = np.einsum("nk,nk->n", other_NK, other_NK)
    found = []
    for start in range(0, len(one_SK), _BLOCK):
        part_SK = one_SK[start : start + _BLOCK]
        score_SN = squared_N - 2 * part_SK @ other_NK.T
        if itself is not None:
            score_SN[np.arange(len(part_SK)), itself[start : start + _BLOCK]] = np.inf
        found.append(score_SN.argmin(1))
    nearest_S = np.concatenate(found)
    # from the coordinates, so that equal images are 0 apart
    gap_SK = one_SK.astype(np.float64) - other_NK[nearest_S]
    return np.sqrt(np.einsum("sk,sk->s", gap_SK, gap_SK)), nearest_S
