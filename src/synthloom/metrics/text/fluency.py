"""How likely the texts are to one who has read real ones, and real texts to one who has read these.

Adversarially Regularized Autoencoders (Zhao et al., 2018), https://arxiv.org/abs/1706.04223, for the pair.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from synthloom.codecs.pieces import Pieces
from synthloom.metrics.score import Context, Interval, Score, resampled
from synthloom.metrics.text.language_model import LanguageModel
from synthloom.metrics.text.read import shuffled, some, too_few
from synthloom.rng import generator
from synthloom.sources import Texts

__all__ = ["forward_ppl", "judges", "reverse_ppl"]

_MOST = 10_000
"""Texts that a judge reads at most; both judges read equally many."""
_SCORED = 2_000
_PIECES = 4_000


def judges(real: Texts, synthetic: Texts, context: Context) -> tuple[LanguageModel, LanguageModel]:
    """One judge who has read real texts, one who has read as many synthetic ones; pieces are those of the real."""

    def train() -> tuple[LanguageModel, LanguageModel]:
        n = min(len(real), len(synthetic), _MOST)
        sides = [some(texts, n, context.seed, "judge") for texts in (real, synthetic)]
        pieces = Pieces.of("bpe").learn(sides[0], _PIECES)
        first, second = (LanguageModel(pieces, context.seed).fit(texts) for texts in sides)
        return first, second

    return context.once("judges", train)


def forward_ppl(real: Texts, synthetic: Texts, holdout: Texts | None, context: Context) -> Score:
    """The perplexity, per piece, of the synthetic texts to a language model that was trained on the real ones."""
    if why := too_few(real, synthetic):
        return Score.unavailable("forward_ppl", "lower", why)
    judge, _ = judges(real, synthetic, context)
    value, interval = _perplexity(judge, synthetic, context)
    reference = None if holdout is None else _perplexity(judge, holdout, context)[0]
    baseline, _ = _perplexity(judge, Texts(shuffled(some(real, _SCORED, context.seed, "words"), context.seed)), context)
    about = (
        "perplexity per piece of the synthetic texts to a decoder-only language model that has read the real ones; "
        "much below the held-out texts' they are blander than real ones; blind to how much they repeat each other"
    )
    return Score("forward_ppl", value, reference, "lower", interval, about, baseline)


def reverse_ppl(real: Texts, synthetic: Texts, holdout: Texts | None, context: Context) -> Score:
    """The perplexity, per piece, of the held-out texts to a language model that was trained on the synthetic ones.

    The reference: to one that was trained on as many real texts.
    """
    if holdout is None:
        return Score.unavailable("reverse_ppl", "lower", "it needs a holdout")
    if why := too_few(real, synthetic, holdout):
        return Score.unavailable("reverse_ppl", "lower", why)
    of_real, of_synthetic = judges(real, synthetic, context)
    value, interval = _perplexity(of_synthetic, holdout, context)
    reference, _ = _perplexity(of_real, holdout, context)
    about = (
        "perplexity per piece of the held-out texts to a decoder-only language model that has read the synthetic ones: "
        "what the synthetic texts lack, it does not know; the reference has read as many real ones"
    )
    return Score("reverse_ppl", value, reference, "lower", interval, about)


def _perplexity(judge: LanguageModel, texts: Texts, context: Context) -> tuple[float, Interval]:
    cost_N2 = judge.nats(some(texts, _SCORED, context.seed, "scored"))

    def of(mean_R2: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.exp(mean_R2[:, 0] / mean_R2[:, 1])

    nats, pieces = cost_N2.sum(axis=0)
    return math.exp(nats / pieces), resampled(cost_N2, of, generator(context.seed, "fluency"))
