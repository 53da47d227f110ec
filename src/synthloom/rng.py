"""The one door for randomness: the only file that seeds anything.

A seed makes a call repeatable and leaves the caller's random streams as they were. No seed still gives fresh draws.
What keeps a secret comes from the operating system: noise that a seed in the model file could make again hides nothing.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

__all__ = ["NO_CHANCE", "fresh_seed", "generator", "mix", "scrambled", "secret_normal", "secret_uniform", "seeded"]


def fresh_seed() -> int:
    """A seed from the operating system, for when the user gave none; record it, and the run can be repeated."""
    return secrets.randbits(48)


def mix(*parts: int | str) -> int:
    """One seed out of several parts: `mix(seed, "shard", 3)` is as good as a new seed, and always the same.

    >>> mix(0, "shard", 3) == mix(0, "shard", 3) != mix(0, "shard", 4)
    True
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def generator(*parts: int | str) -> np.random.Generator:
    """A numpy generator of its own, seeded by `mix(*parts)`."""
    return np.random.default_rng(mix(*parts))


def scrambled(bits_N: np.ndarray, key: np.ndarray | np.uint64 | int) -> np.ndarray:
    """64 bits that look like chance for each number of 64 bits, no two of which come out alike under one key.

    Fast Splittable Pseudorandom Number Generators (Steele, Lea & Flood, 2014), https://doi.org/10.1145/2660193.2660195
    """
    z = (bits_N.astype(np.uint64) + np.asarray(key, np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


@contextmanager
def seeded(*parts: int | str) -> Iterator[None]:
    """Within the block, torch (on every device) draws the stream named by `parts`; afterwards the caller's goes on."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(mix(*parts))
        yield


def secret_uniform(count: int) -> np.ndarray:
    """Even draws from (0, 1) that no seed repeats and no state of a generator gives away."""
    bits = np.frombuffer(os.urandom(8 * count), np.uint64)
    return np.asarray(((bits >> np.uint64(11)) + 0.5) * 2.0**-53)


def secret_normal(count: int) -> np.ndarray:
    """Standard normal draws of the same kind."""
    import torch

    return np.asarray(torch.special.ndtri(torch.from_numpy(secret_uniform(count))))


class _NoChance(np.random.Generator):
    """Draws the middle of whatever it is asked for: where code draws, and just this once nothing shall be random."""

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        return np.full(() if size is None else size, (low + high) / 2)

    def gumbel(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        return np.full(() if size is None else size, loc)


NO_CHANCE = _NoChance(np.random.PCG64(0))
