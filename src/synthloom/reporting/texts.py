"""What a report on texts says, as one plain dict that JSON can write: scores, a verdict, lengths, and samples."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import sklearn
import torch

from synthloom import __version__
from synthloom.evaluation import Scores, judge
from synthloom.metrics import BASELINES, READERS, Context, Score
from synthloom.reporting.facts import Fitted, of_model, plain_facts
from synthloom.reporting.verdict import alarm, privacy, summed
from synthloom.sources import Texts

__all__ = ["gather"]

_SAMPLES, _MOST_LETTERS = 20, 600
"""Synthetic texts that are shown, and how much of each."""

_CLOSE, _FAR = 1.1, 1.5
"""Perplexities by those of held-out real texts."""

_NEARLY_AS_USEFUL, _LESS_USEFUL = 0.97, 0.9
"""Accuracy by that after training on real texts."""

_LEAKING, _LEAKED = 2.0, 5.0
"""Bits of a planted secret."""


def gather(
    real: Any,
    synthetic: Any,
    holdout: Any = None,
    *,
    reconstruction: Any = None,
    canaries: Sequence[str] = (),
    seed: int = 0,
    model: Fitted | None = None,
    scores: Scores | None = None,
    shareable: bool = True,
    progress: bool | None = None,
) -> dict[str, Any]:
    """The facts of a report on texts. With the `scores` that `evaluate` found for them, nothing is judged twice.

    No real text is shown in either form.
    """
    context = Context(seed, reconstruction=reconstruction, canaries=canaries)
    data = {"real": real, "synthetic": synthetic} | ({} if holdout is None else {"holdout": holdout})
    read, notes = READERS["text"](data, context)
    scores = scores or judge("text", read, notes, context, progress)
    found = _alarms(scores)
    facts = {
        "synthloom": __version__,
        "kind": "text",
        "things": "texts",
        "parts": "words",
        "baseline": BASELINES["text"],
        "shareable": shareable,
        "seed": seed,
        "rows": dict(zip(data, map(len, read), strict=True)),
        "verdict": summed(
            {"likeness": _likeness(scores), "usefulness": _usefulness(scores), "privacy": privacy(found, "texts")}
        ),
        "alarms": found,
        "scores": [asdict(score) for score in scores],
        "samples": _samples(read[1]),
        "lengths": {"type": "number", "log": False, "whole": True} | dict(scores["length_error"].detail),
        "reconstruction": scores["recon_bleu"].detail.get("lengths", []),
        "model": None if model is None else of_model(model),
        "notes": list(scores.notes),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "torch": torch.__version__,
        },
    }
    return plain_facts(facts)


def _samples(texts: Texts) -> list[dict[str, Any]]:
    labels = texts.labels or [None] * len(texts)
    return [
        {"text": text[:_MOST_LETTERS], "label": label}
        for text, label in zip(texts[:_SAMPLES], labels[:_SAMPLES], strict=True)
    ]


def _likeness(scores: Scores) -> tuple[str, str]:
    """By how surprised language models are: the worse of how real ones read these, and how these prepare for real."""
    forward, reverse = scores["forward_ppl"], scores["reverse_ppl"]
    if forward.value is None or forward.reference is None or reverse.value is None or reverse.reference is None:
        reason = next(score.about for score in (reverse, forward) if score.reference is None)
        return "unknown", f"How alike they are was not tested: {reason.removeprefix('not available: ')}."
    numbers = (
        f"a language model that has read the real texts finds them {forward.value / forward.reference:.2f} times as "
        f"surprising as held-out ones, and one that has read them finds held-out texts "
        f"{reverse.value / reverse.reference:.2f} times as surprising as one that has read real texts"
    )
    off = max(forward.value / forward.reference, reverse.value / reverse.reference)
    if off < _CLOSE:
        return "good", f"The synthetic texts read like real ones: {numbers}."
    if off < _FAR:
        return "fair", f"The synthetic texts read much like real ones, though not quite: {numbers}."
    return "poor", f"The synthetic texts do not read like real ones: {numbers}."


def _usefulness(scores: Scores) -> tuple[str, str]:
    score = scores["utility"]
    if score.value is None or score.reference is None:
        return "unknown", f"How useful they are was not tested: {score.about.removeprefix('not available: ')}."
    numbers = (
        f"naming the labels of held-out texts, balanced accuracy {score.value:.3f} after training on synthetic texts, "
        f"{score.reference:.3f} after real ones"
    )
    kept = score.value / score.reference
    if kept >= _NEARLY_AS_USEFUL:
        return "good", f"Classifiers trained on them do nearly as well as on real texts: {numbers}."
    if kept >= _LESS_USEFUL:
        return "fair", f"Classifiers trained on them do less well than on real texts: {numbers}."
    return "poor", f"Classifiers trained on them do much worse than on real texts: {numbers}."


def _alarms(scores: Scores) -> list[dict[str, str]]:
    """Each attack with its level and what it found, in words."""
    novel = scores["novelty"]
    copies = Score(
        "novelty",
        None if novel.value is None else 1 - novel.value,
        None if novel.reference is None else 1 - novel.reference,
        "lower",
        None if novel.interval is None else (1 - novel.interval[1], 1 - novel.interval[0]),
        novel.about,
    )
    return [
        _of_share(copies, "equal a training text", "held-out ones do"),
        _of_share(scores["overlap_8"], "have eight words in a row from a training text", "held-out ones have"),
        _of_secrets(scores["exposure"]),
    ]


def _of_share(score: Score, what: str, held: str) -> dict[str, str]:
    if score.value is None or score.interval is None:
        return alarm(score.name, "unknown", score.about.removeprefix("not available: "))
    text = f"{100 * score.value:.1f} % of the synthetic texts {what}"
    if score.reference is None:
        return alarm(score.name, "fair" if score.interval[0] > 0.05 else "good", text)
    level = "alarm" if score.interval[0] > 1.5 * score.reference + 0.005 else "good"
    return alarm(score.name, level, f"{text}, as {100 * score.reference:.1f} % of {held} by chance")


def _of_secrets(score: Score) -> dict[str, str]:
    if score.value is None or score.reference is None:
        return alarm("exposure", "unknown", score.about.removeprefix("not available: "))
    level = "alarm" if score.value > _LEAKED else "fair" if score.value > _LEAKING else "good"
    text = f"{score.value:.1f} bits of the planted secrets are exposed, where {score.reference:.1f} are by chance"
    return alarm("exposure", level, text)
