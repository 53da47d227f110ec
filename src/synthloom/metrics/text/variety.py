"""Whether texts differ from each other as real ones do, from those of training, and in length."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from synthloom.metrics.score import Context, Interval, Score, resampled, wilson
from synthloom.metrics.text import bleu
from synthloom.metrics.text.read import shuffled, some, too_few
from synthloom.rng import generator
from synthloom.sources import Texts

__all__ = ["distinct_2", "length_error", "novelty", "self_bleu"]

_GROUP, _GROUPS = 250, 8
"""How much texts repeat each other depends on how many there are: they are compared in groups of one size."""
_LENGTHS = 40


def self_bleu(real: Texts, synthetic: Texts, holdout: Texts | None, context: Context) -> Score:
    """BLEU of each text against the others of its group of 250.

    Texygen: A Benchmarking Platform for Text Generation Models (Zhu et al., 2018), https://arxiv.org/abs/1802.01886
    """
    about = (
        "BLEU of each text against the others of a group of {}: how much they repeat each other; texts of words at "
        "random score lowest, so the held-out texts' is the aim"
    )
    return _in_groups("self_bleu", "lower", bleu.self_bleu, about, real, synthetic, holdout, context)


def distinct_2(real: Texts, synthetic: Texts, holdout: Texts | None, context: Context) -> Score:
    """The share of different ones among all pairs of neighbouring words in a group of 250 texts.

    A Diversity-Promoting Objective Function for Neural Conversation Models (Li et al., 2016),
    https://arxiv.org/abs/1510.03055
    """
    about = (
        "share of different ones among the pairs of neighbouring words of {} texts; words at random score highest, so "
        "the held-out texts' is the aim"
    )
    return _in_groups("distinct_2", "higher", _distinct_pairs, about, real, synthetic, holdout, context)


def _distinct_pairs(texts: Sequence[str]) -> float:
    pairs = [pair for text in texts for pair in bleu.runs(bleu.words_13a(text), 2)]
    return len(set(pairs)) / max(1, len(pairs))


def _in_groups(
    name: str,
    better: str,
    measure: Callable[[Sequence[str]], float],
    about: str,
    real: Texts,
    synthetic: Texts,
    holdout: Texts | None,
    context: Context,
) -> Score:
    sides = [real, synthetic, *([] if holdout is None else [holdout])]
    if why := too_few(*sides):
        return Score.unavailable(name, "lower" if better == "lower" else "higher", why)
    size = min(_GROUP, *map(len, sides))

    def of(texts: Sequence[str]) -> tuple[float, Interval | None]:
        chosen = some(texts, size * min(_GROUPS, len(texts) // size), context.seed, name)
        order = generator(context.seed, name, "groups").permutation(len(chosen)).tolist()
        found_G = [
            measure([chosen[i] for i in order[start : start + size]])
            for start in range(0, len(chosen) - size + 1, size)
        ]
        half = 1.96 * float(np.std(found_G, ddof=1)) / len(found_G) ** 0.5 if len(found_G) > 2 else None
        value = float(np.mean(found_G))
        return value, None if half is None else (value - half, value + half)

    value, interval = of(synthetic)
    reference = None if holdout is None else of(holdout)[0]
    baseline, _ = of(shuffled(some(real, _GROUPS * _GROUP, context.seed, "words"), context.seed))
    return Score(
        name,
        value,
        reference,
        "lower" if better == "lower" else "higher",
        interval,
        about.format(size),
        baseline,
    )


def novelty(real: Texts, synthetic: Texts, holdout: Texts | None, context: Context) -> Score:
    """The share of synthetic texts that equal no training text; case and white space do not count."""
    known = set(map(_key, real))

    def of(texts: Texts) -> float:
        return sum(_key(text) not in known for text in texts) / len(texts)

    value = of(synthetic)
    about = "share of synthetic texts that equal no real text that they were made from; blind to texts almost equal"
    interval = wilson(value * len(synthetic), len(synthetic))
    return Score("novelty", value, None if holdout is None else of(holdout), "higher", interval, about)


def _key(text: str) -> str:
    return " ".join(text.casefold().split())


def length_error(real: Texts, synthetic: Texts, holdout: Texts | None, context: Context) -> Score:
    """How far apart the distributions of lengths in words are: the largest difference of shares below any length, %."""
    words_N = np.array([len(text.split()) for text in real])
    cut_K = np.unique(np.quantile(words_N, np.linspace(0, 1, _LENGTHS), method="inverted_cdf"))
    below_K = (words_N[:, None] <= cut_K).mean(axis=0)

    def off(mean_RK: NDArray[np.float64]) -> NDArray[np.float64]:
        off_R: NDArray[np.float64] = 100 * np.abs(mean_RK - below_K).max(axis=1)
        return off_R

    def of(texts: Texts) -> NDArray[np.float64]:
        return (np.array([len(text.split()) for text in texts])[:, None] <= cut_K).astype(np.float64)

    below_SK = of(synthetic)
    value = float(off(below_SK.mean(axis=0)[None])[0])
    low, high = resampled(below_SK, off, generator(context.seed, "lengths"))
    reference = None if holdout is None else float(off(of(holdout).mean(axis=0)[None])[0])
    about = (
        "largest difference, in %, between the shares of real and of synthetic texts that have at most so many words; "
        "blind to all but length"
    )
    longest = int(max(words_N.max(), *(len(text.split()) for text in synthetic)))
    edge_K = np.unique(np.linspace(0, longest + 1, 31).round()) - 0.5
    shares = {
        side: (np.histogram([len(text.split()) for text in texts], edge_K)[0] / len(texts)).tolist()
        for side, texts in (("real", real), ("synthetic", synthetic))
    }
    return Score(
        "length_error",
        value,
        reference,
        "lower",
        (max(0.0, low), high),
        about,
        detail={"edges": edge_K.tolist()} | shares,
    )
