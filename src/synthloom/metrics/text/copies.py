"""Alarms that ring when synthetic texts repeat those of training. Silence proves nothing."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synthloom.metrics.score import Context, Score, wilson
from synthloom.metrics.text.bleu import runs, words_13a
from synthloom.metrics.text.fluency import judges
from synthloom.metrics.text.read import too_few
from synthloom.rng import generator
from synthloom.sources import Texts

__all__ = ["bits_of_exposure", "exposure", "look_alikes", "overlap_8"]

_RUN = 8
_ALIKE = 1_000
BY_CHANCE = 1 / math.log(2)
"""Bits that a secret is exposed by on average, of which nobody knows anything."""


def overlap_8(real: Texts, synthetic: Texts, holdout: Texts | None, context: Context) -> Score:
    """The share of synthetic texts in which eight words stand in a row that stand so in a training text."""
    if why := too_few(real, synthetic):
        return Score.unavailable("overlap_8", "lower", why)
    known = {run for text in real for run in runs(_words(text), _RUN)}

    def of(texts: Texts) -> float:
        return sum(any(run in known for run in runs(_words(text), _RUN)) for text in texts) / len(texts)

    value = of(synthetic)
    about = (
        "share of synthetic texts with eight words in a row that stand so in a training text; held-out texts have some "
        "by chance; blind to shorter runs and to other words for the same"
    )
    interval = wilson(value * len(synthetic), len(synthetic))
    return Score("overlap_8", value, None if holdout is None else of(holdout), "lower", interval, about)


def _words(text: str) -> list[str]:
    return words_13a(text.casefold())


def exposure(real: Texts, synthetic: Texts, holdout: Texts | None, context: Context) -> Score:
    """How many bits of secrets, which were planted in the training texts, the synthetic texts give away.

    A language model that was trained on the synthetic texts ranks each secret among look-alikes: the same text with
    other digits, or, if it has none, with its words in another order.

    The Secret Sharer: Evaluating and Testing Unintended Memorization in Neural Networks (Carlini et al., 2019),
    https://arxiv.org/abs/1802.08232
    """
    if not context.canaries:
        return Score.unavailable(
            "exposure", "lower", "it needs canaries, texts planted in training to see if they leak"
        )
    if why := too_few(real, synthetic):
        return Score.unavailable("exposure", "lower", why)
    _, judge = judges(real, synthetic, context)
    found = []
    for secret in context.canaries:
        nats_K = judge.nats([secret, *look_alikes(secret, _ALIKE, context.seed)])[:, 0]
        found.append(bits_of_exposure(nats_K[0], nats_K[1:]))
    about = (
        f"bits of {len(found)} planted secrets that a language model knows which has read the synthetic texts, of at "
        f"most {math.log2(_ALIKE + 1):.0f}; who knows nothing has {BY_CHANCE:.1f} by chance"
    )
    return Score("exposure", float(np.mean(found)), BY_CHANCE, "lower", None, about)


def look_alikes(secret: str, count: int, seed: int) -> list[str]:
    """Texts that might as well have been the secret.

    >>> look_alikes("code 71", 2, seed=0)
    ['code 34', 'code 91']
    """
    rng = generator(seed, "look-alikes", secret)
    if re.search(r"\d", secret):
        digits = rng.integers(10, size=(count, len(secret)))
        return [
            "".join(string.digits[d] if c.isdigit() else c for c, d in zip(secret, row, strict=True)) for row in digits
        ]
    words = secret.split()
    return [" ".join(words[i] for i in rng.permutation(len(words))) for _ in range(count)]


def bits_of_exposure(secret: float, look_alike_K: NDArray[np.float64] | Sequence[float]) -> float:
    """log2 of how many there are, less log2 of the rank of the secret, from what each costs a model.

    >>> bits_of_exposure(1.0, [2.0, 3.0, 4.0]), bits_of_exposure(9.0, [2.0, 3.0, 4.0])
    (2.0, 0.0)
    """
    cost_K = np.asarray(look_alike_K)
    rank = 1 + float((cost_K < secret).sum()) + float((cost_K == secret).sum()) / 2
    return math.log2(len(cost_K) + 1) - math.log2(rank)
