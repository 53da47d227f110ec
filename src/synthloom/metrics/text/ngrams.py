"""A small language model to judge with: how likely is a word, given the three before it?

Interpolated Kneser-Ney: An Empirical Study of Smoothing Techniques for Language Modeling (Chen & Goodman, 1999),
https://doi.org/10.1006/csla.1999.0128. It counts instead of training, so it takes seconds, needs no seed, and is the
same for everybody. Words that few real texts hold are left out of what is scored, in every text alike.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

__all__ = ["NgramModel", "vocabulary", "words_of"]

_ORDER = 4
_EDGE, _UNKNOWN = "\0", "\1"
_WORD = re.compile(r"\w+|[^\w\s]")


def words_of(text: str) -> list[str]:
    """The words of a text, and its punctuation; case does not count."""
    return _WORD.findall(text.casefold())


def vocabulary(texts: Iterable[str], fewest: int = 2) -> frozenset[str]:
    """The words that so many of the texts hold."""
    holders = Counter(word for text in texts for word in set(words_of(text)))
    return frozenset(word for word, count in holders.items() if count >= fewest)


class NgramModel:
    """Learnt from texts; `perplexity(texts)` says how surprised it is.

    >>> model = NgramModel(["a b", "a b", "a c"], vocabulary(["a b c", "a b c"]))
    >>> model.perplexity(["a b"]) < model.perplexity(["a c"]) < model.perplexity(["c a"])
    True
    """

    def __init__(self, texts: Sequence[str], known: frozenset[str]) -> None:
        self.known = known
        # of the longest runs how often they occur, of shorter ones in how many ways they go on to the left
        counts: list[Counter[tuple[str, ...]]] = [Counter() for _ in range(_ORDER)]
        for text in texts:
            line = self._line(text)
            counts[-1].update(zip(*(line[i:] for i in range(_ORDER)), strict=False))
        for n in range(_ORDER - 1, 0, -1):
            counts[n - 1].update(run[1:] for run in counts[n])
        self._counts = counts
        self._totals: list[Counter[tuple[str, ...]]] = []
        self._kinds: list[Counter[tuple[str, ...]]] = []
        self._discounts: list[float] = []
        for count in counts:
            totals: Counter[tuple[str, ...]] = Counter()
            for run, times in count.items():
                totals[run[:-1]] += times
            self._totals.append(totals)
            self._kinds.append(Counter(run[:-1] for run in count))
            once, twice = (sum(times == k for times in count.values()) for k in (1, 2))
            self._discounts.append(once / (once + 2 * twice) if once and twice else 0.5)

    def perplexity(self, texts: Sequence[str]) -> float | None:
        """exp of the mean surprise per word, ends of texts included; None if there is no word."""
        nats, words = 0.0, 0
        for text in texts:
            line = self._line(text)
            for i in range(_ORDER - 1, len(line)):
                if line[i] != _UNKNOWN:
                    nats -= math.log(self._chance(line[i - _ORDER + 1 : i + 1]))
                    words += 1
        return math.exp(nats / words) if words else None

    def _line(self, text: str) -> tuple[str, ...]:
        words = (word if word in self.known else _UNKNOWN for word in words_of(text))
        return (*[_EDGE] * (_ORDER - 1), *words, _EDGE)

    def _chance(self, run: tuple[str, ...]) -> float:
        chance = 1 / (len(self.known) + 2)
        for n in range(_ORDER):
            part = run[_ORDER - 1 - n :]
            total = self._totals[n][part[:-1]]
            if not total:
                break
            discount = self._discounts[n]
            held_back = discount * self._kinds[n][part[:-1]] / total
            chance = max(self._counts[n][part] - discount, 0) / total + held_back * chance
        return chance
