"""From whatever holds texts to texts that can be judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from synthloom.errors import DataError
from synthloom.metrics.score import Context
from synthloom.rng import generator
from synthloom.sources import Texts, take_texts, texts_of

__all__ = ["FEWEST", "read", "shuffled", "some", "too_few"]

FEWEST = 50
"""Below this many texts chance decides, so no number is given."""

T = TypeVar("T")


def read(data: Mapping[str, Any], context: Context) -> tuple[list[Texts], list[str]]:
    """Texts, and notes on what is not judged: empty ones."""
    found, notes = [], []
    for where, held in data.items():
        texts = texts_of(held)
        full = [i for i, text in enumerate(texts) if text.strip()]
        if not full:
            raise DataError(f"there must be texts to judge, however: all {len(texts)} {where} texts are empty")
        if len(full) < len(texts):
            notes.append(f"{len(texts) - len(full):,} of the {len(texts):,} {where} texts are empty, and left out")
        found.append(take_texts(texts, full))
    return found, notes


def too_few(*sides: Sequence[str]) -> str | None:
    """Why texts cannot be judged, if they cannot."""
    few = min(map(len, sides))
    return f"below {FEWEST} texts chance decides, however: {few}" if few < FEWEST else None


def some(texts: Sequence[T], most: int, *seed: int | str) -> list[T]:
    """At most so many of them, at random, in their order."""
    if len(texts) <= most:
        return list(texts)
    return [texts[i] for i in sorted(generator(*seed).choice(len(texts), most, replace=False))]


def shuffled(texts: Sequence[str], seed: int) -> list[str]:
    """The same words, dealt anew to texts as long: what a writer knows who has learnt words and lengths alone."""
    words = [text.split() for text in texts]
    pool = [word for text in words for word in text]
    dealt = iter(generator(seed, "words").permutation(len(pool)))
    return [" ".join(pool[next(dealt)] for _ in text) for text in words]
