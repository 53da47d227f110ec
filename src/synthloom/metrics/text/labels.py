"""What labelled texts are good for, and whether they are what their labels say."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthloom.metrics.score import Context, Interval, Score, resampled, wilson
from synthloom.metrics.text.read import some, too_few
from synthloom.rng import generator
from synthloom.sources import Texts, take_texts

__all__ = ["label_match", "utility"]

_MOST = 20_000

Classifier = Callable[[list[str]], NDArray[Any]]


def utility(real: Texts, synthetic: Texts, holdout: Texts | None, context: Context) -> Score:
    """How well a classifier trained on synthetic texts names the labels of held-out ones; the reference: on real texts.

    Both trainings see equally many texts. Balanced accuracy: the mean over labels of how often each is named right.
    """
    sides = _labelled(real, synthetic, holdout)
    if isinstance(sides, str):
        return Score.unavailable("utility", "higher", sides)
    real, synthetic, test = sides
    n = min(len(real), len(synthetic), _MOST)
    value, interval = _balanced(_learn(_some(synthetic, n, context)), test, context)
    reference, _ = _balanced(_of_real(real, n, context), test, context)
    labels = sorted({str(label) for label in test.labels or []})
    about = (
        f"balanced accuracy for {len(labels)} labels of held-out texts, by logistic regression on words and pairs of "
        f"words, trained on {n:,} synthetic texts; blind to all that does not help to tell labels apart"
    )
    target = {"target": "label", "measure": "accuracy", "value": value, "interval": list(interval)}
    target |= {"reference": reference, "baseline": 1 / len(labels)}
    return Score("utility", value, reference, "higher", interval, about, 1 / len(labels), {"targets": [target]})


def label_match(real: Texts, synthetic: Texts, holdout: Texts | None, context: Context) -> Score:
    """The share of synthetic texts to which a classifier trained on real texts gives the label that they came with."""
    sides = _labelled(real, synthetic, holdout)
    if isinstance(sides, str):
        return Score.unavailable("label_match", "higher", sides)
    real, synthetic, test = sides
    classify = _of_real(real, min(len(real), len(synthetic), _MOST), context)

    def of(texts: Texts) -> float:
        return float(np.mean(classify(list(texts)) == _names(texts)))

    value = of(synthetic)
    about = "share of synthetic texts to which a classifier that has read real ones gives their own label"
    interval = wilson(value * len(synthetic), len(synthetic))
    return Score("label_match", value, of(test), "higher", interval, about)


def _labelled(real: Texts, synthetic: Texts, holdout: Texts | None) -> tuple[Texts, Texts, Texts] | str:
    """The texts whose labels the real ones know, or why there is nothing to be had from labels."""
    if holdout is None:
        return "it needs a holdout"
    if real.labels is None or synthetic.labels is None or holdout.labels is None:
        return "it needs texts with labels, real, synthetic and held-out"
    known = {label for label in real.labels if label is not None}
    sides = real, synthetic, holdout
    kept = [take_texts(side, [i for i, label in enumerate(side.labels or []) if label in known]) for side in sides]
    if not 2 <= len(known) <= 100:
        return f"it needs 2 to 100 different labels, however: {len(known)}"
    if why := too_few(*kept):
        return f"{why} with a label"
    return kept[0], kept[1], kept[2]


def _some(texts: Texts, n: int, context: Context) -> Texts:
    return take_texts(texts, some(range(len(texts)), n, context.seed, "labels"))


def _of_real(real: Texts, n: int, context: Context) -> Classifier:
    return context.once("classifier", lambda: _learn(_some(real, n, context)))


def _learn(texts: Texts) -> Classifier:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    labels = _names(texts)
    if len(set(labels)) < 2:  # who has seen one label only can only guess
        return lambda others: np.full(len(others), labels[0])
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]")
    regression = make_pipeline(words, LogisticRegression(C=10.0, max_iter=300))
    return regression.fit(list(texts), labels).predict  # type: ignore[no-any-return]


def _names(texts: Texts) -> NDArray[Any]:
    labels: list[Hashable] = texts.labels or []
    return np.array([str(label) for label in labels])


def _balanced(classify: Classifier, test: Texts, context: Context) -> tuple[float, Interval]:
    truth_N = _names(test)
    class_K = np.unique(truth_N)
    is_NK = truth_N[:, None] == class_K
    right_N = classify(list(test)) == truth_N
    part_ND = np.concatenate([is_NK & right_N[:, None], is_NK], axis=1).astype(np.float64)

    def of(mean_RD: NDArray[np.float64]) -> NDArray[np.float64]:
        right_RK, all_RK = np.split(mean_RD, 2, axis=1)
        share_R: NDArray[np.float64] = (right_RK / np.maximum(all_RK, 1e-12)).mean(axis=1)
        return share_R

    low, high = resampled(part_ND, of, generator(context.seed, "labels"))
    return float(of(part_ND.mean(axis=0)[None])[0]), (low, min(high, 1.0))
