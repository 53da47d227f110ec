"""Rows as points between which distances are measured, and the nearest of many.

Legend: N rows, M others, D coordinates, K categories.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from synthloom.metrics.table.data import Table

__all__ = ["Points", "nearest", "place", "ranks", "spans", "stretched"]

Points: TypeAlias = NDArray[np.float32]
"""[N, D]"""

Scale: TypeAlias = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""(known real numbers, numbers) -> the numbers on a scale on which the real ones fill 0 to 1."""

_DIRECTIONS = 64
"""Coordinates for the categories of a column that has too many of them for a coordinate each."""

_FAR = 1e3
"""Numbers lie this many real ranges away at most."""


def spans(real_N: NDArray[np.float64], value_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a number lies between the real minimum and maximum."""
    low, high = real_N.min(), real_N.max()
    return np.asarray(np.clip((value_N - low) / ((high - low) or 1.0), -_FAR, _FAR))


def ranks(real_N: NDArray[np.float64], value_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of real numbers that lie below, those that are equal counting half."""
    sorted_N = np.sort(real_N)
    return (sorted_N.searchsorted(value_N, "left") + sorted_N.searchsorted(value_N, "right")) / (2 * len(sorted_N))


def stretched(real_N: NDArray[np.float64], value_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks with their ends drawn out: a sixth of the logarithm of their odds. No tail is so long that it hides what
    happens elsewhere, and yet the last of a thousand lies farther out than the last of ten."""
    least = 0.5 / len(real_N)
    rank_N = np.clip(ranks(real_N, value_N), least, 1 - least)
    return np.asarray(np.log(rank_N / (1 - rank_N)) / 6)


@dataclass(frozen=True)
class Placed:
    """Tables as points, and which coordinates are whose."""

    tables: list[Points]
    columns: dict[Hashable, slice]


def place(real: Table, *tables: Table, scale: Scale = spans, one_hot: int = _DIRECTIONS) -> Placed:
    """The tables as points of one space in which squared distances are sums over columns.

    A number is one coordinate, and a second says that it is missing (it then lies at the real median). A category is a
    one-hot code, so that two that differ are sqrt(2) apart; where there are more than `one_hot` of them, each is a
    random direction in 64 coordinates, which leaves that distance as it is, give or take a sixteenth.
    """
    parts: list[list[Points]] = [[] for _ in tables]
    columns, width = {}, 0
    for name, real_N in real.columns.items():
        columns_N = [table.columns[name] for table in tables]
        placed = _numbers(real_N, columns_N, scale) if real_N.dtype == np.float64 else _categories(columns_N, one_hot)
        for part, coordinate_ND in zip(parts, placed, strict=True):
            part.append(coordinate_ND)
        columns[name] = slice(width, width + placed[0].shape[1])
        width = columns[name].stop
    return Placed([np.concatenate(part, axis=1) for part in parts], columns)


def _numbers(real_N: NDArray[np.float64], columns_N: list[NDArray[np.float64]], scale: Scale) -> list[Points]:
    known_N = real_N[~np.isnan(real_N)]
    known_N = known_N if len(known_N) else np.zeros(1)
    middle = float(np.median(known_N))
    gaps_N = [np.isnan(column_N) for column_N in columns_N]
    scaled_N = [scale(known_N, np.where(gap_N, middle, x_N)) for x_N, gap_N in zip(columns_N, gaps_N, strict=True)]
    if not any(gap_N.any() for gap_N in gaps_N):
        return [x_N[:, None].astype(np.float32) for x_N in scaled_N]
    return [np.stack(pair, axis=1).astype(np.float32) for pair in zip(scaled_N, gaps_N, strict=True)]


def _categories(columns_N: list[NDArray[np.int64]], one_hot: int) -> list[Points]:
    present_K, code_N = np.unique(np.concatenate(columns_N), return_inverse=True)
    if len(present_K) <= one_hot:
        code_KD = np.eye(len(present_K), dtype=np.float32)
    else:
        code_KD = np.random.default_rng(0).normal(size=(len(present_K), _DIRECTIONS)).astype(np.float32)
        code_KD /= np.linalg.norm(code_KD, axis=1, keepdims=True)
    cuts = np.cumsum([len(column_N) for column_N in columns_N])[:-1]
    return [code_KD[part_N] for part_N in np.split(code_N, cuts)]


def nearest(
    source_ND: Points, target_MD: Points, *, itself: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Each source point's distance to its nearest target point, and which that is.

    With `itself`, the two are the same points, and a point is not its own neighbour. Blocks of distances are worked on
    at a time, never all; the distance that is returned is worked out from the coordinates, so that equal points are 0
    apart.
    """
    search = NearestNeighbors(n_neighbors=2 if itself else 1, algorithm="brute").fit(target_MD)
    index_NK = search.kneighbors(source_ND, return_distance=False)
    if itself:  # among equal points, a point may come after another, or not at all
        own_N = np.arange(len(source_ND))
        index_NK = np.where(index_NK[:, :1] == own_N[:, None], index_NK[:, 1:], index_NK[:, :1])
    index_N = index_NK[:, 0]
    gap_ND = source_ND.astype(np.float64) - target_MD[index_N]
    return np.sqrt(np.einsum("nd,nd->n", gap_ND, gap_ND)), index_N
