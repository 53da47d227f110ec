"""How well a model remembers texts, from what it made of them: the one score that needs more than synthetic texts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthloom.errors import DataError
from synthloom.metrics.score import Context, Score, resampled
from synthloom.metrics.text.bleu import bleu, counts, score
from synthloom.rng import generator
from synthloom.sources import Texts, texts_of

__all__ = ["recon_bleu"]

_CUTS = (5, 10, 15, 20, 30, 50)
"""Words at which one bucket of lengths ends and the next begins."""


def recon_bleu(real: Texts, synthetic: Texts, holdout: Texts | None, context: Context) -> Score:
    """BLEU of reconstructions with the texts that they were made from: the held-out ones, or, without them, the real.

    The detail has it by length, with the share that came back to the letter.
    """
    if context.reconstruction is None:
        why = "it needs what a model makes of the held-out texts, as `synthloom reconstruct` writes it"
        return Score.unavailable("recon_bleu", "higher", why)
    back, texts = texts_of(context.reconstruction), real if holdout is None else holdout
    if len(back) != len(texts):
        raise DataError(
            f"there must be a reconstruction for each {'held-out' if holdout is not None else 'real'} text, however: "
            f"{len(back):,} for {len(texts):,}"
        )
    count_ND = counts(back, texts)

    def of(mean_RD: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([score(len(count_ND) * row) for row in mean_RD])

    low, high = resampled(count_ND, of, generator(context.seed, "reconstruction"))
    order = generator(context.seed, "strangers").permutation(len(texts)).tolist()
    about = (
        "BLEU, as sacrebleu computes it, of what the model made of texts that it had not seen, through its code and "
        "back; independent: with other such texts"
    )
    length_N = np.array([len(text.split()) for text in texts])
    bucket_N = np.digitize(length_N, _CUTS)
    detail = [
        {
            "words": f"{[0, *_CUTS][b]} to {_CUTS[b] - 1}" if b < len(_CUTS) else f"{_CUTS[-1]} and more",
            "texts": int((bucket_N == b).sum()),
            "bleu": score(count_ND[bucket_N == b].sum(axis=0)),
            "exact": float(np.mean([back[i] == texts[i] for i in np.flatnonzero(bucket_N == b)])),
        }
        for b in np.unique(bucket_N).tolist()
    ]
    return Score(
        "recon_bleu",
        score(count_ND.sum(axis=0)),
        1.0,
        "higher",
        (max(0.0, low), min(1.0, high)),
        about,
        bleu(back, [texts[i] for i in order]),
        {"lengths": detail},
    )
