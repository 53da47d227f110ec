"""What a report on images says, as one plain dict that JSON can write: scores, a verdict, and pictures."""

from __future__ import annotations

import base64
import io
import platform
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import PIL

from synthloom import __version__
from synthloom.evaluation import Scores, judge
from synthloom.metrics import READERS, Context, Score
from synthloom.metrics.image.read import Pictures
from synthloom.reporting.facts import Fitted, of_model, plain_facts
from synthloom.reporting.verdict import of_copies, summed
from synthloom.rng import generator
from synthloom.sources import Images
from synthloom.sources.images import sheet

__all__ = ["gather"]

_SHOWN = 100
"""Images on a sheet."""

_GOOD, _FAIR = 0.9, 0.7
"""Of what held-out images score."""

_LITTLE_LOST, _MORE_LOST = 1.5, 3.0
"""Times as many mistakes as a network makes that real images have taught."""


def gather(
    real: Any,
    synthetic: Any,
    holdout: Any = None,
    *,
    features: Callable[[Any], Any] | None = None,
    seed: int = 0,
    model: Fitted | None = None,
    scores: Scores | None = None,
    shareable: bool = True,
    progress: bool | None = None,
) -> dict[str, Any]:
    """The facts of a report on images. With the `scores` that `evaluate` found for them, nothing is judged twice.

    In the shareable form there are synthetic images alone; the other shows real ones, and those that are most like
    synthetic ones, beside them.
    """
    context = Context(seed, features=features)
    data = {"real": real, "synthetic": synthetic} | ({} if holdout is None else {"holdout": holdout})
    read, notes = READERS["image"](data, context)
    scores = scores or judge("image", read, notes, context, progress)
    rows = dict(zip(data, map(len, read), strict=True))
    found = [_of_copies(scores["copy_rate"])]
    facts = {
        "synthloom": __version__,
        "kind": "image",
        "things": "images",
        "parts": "pixels",
        "baseline": None,
        "shareable": shareable,
        "seed": seed,
        "rows": rows,
        "verdict": summed(
            {"likeness": _likeness(scores), "usefulness": _usefulness(scores), "privacy": _privacy(found)}
        ),
        "alarms": found,
        "scores": [asdict(score) for score in scores],
        "pictures": _pictures(read, scores, seed, shareable),
        "model": None if model is None else of_model(model),
        "notes": list(scores.notes),
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "pillow": PIL.__version__},
    }
    return plain_facts(facts)


def _pictures(read: list[Pictures], scores: Scores, seed: int, shareable: bool) -> dict[str, str]:
    """Name -> a PNG as a data URI."""
    real, synthetic = read[:2]
    found = {"synthetic": synthetic.sample(_SHOWN, generator(seed, "shown")).level_NHWC}
    if not shareable:
        found["real"] = real.sample(_SHOWN, generator(seed, "shown")).level_NHWC
        if pairs := scores["copy_rate"].detail.get("pairs"):
            numbers = ([pair[side] for pair in pairs] for side in ("synthetic", "real"))
            found["pairs"] = np.concatenate(
                [side.level_NHWC[number] for side, number in zip((synthetic, real), numbers, strict=True)]
            )
    return {name: _uri(level_NHWC, 10) for name, level_NHWC in found.items()}


def _uri(level_NHWC: np.ndarray, columns: int) -> str:
    file = io.BytesIO()
    sheet(Images.of(level_NHWC), min(columns, len(level_NHWC))).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _likeness(scores: Scores) -> tuple[str, str]:
    kept, covered = scores["precision"], scores["coverage"]
    if kept.value is None or covered.value is None:
        return "unknown", f"Whether they look real was not tested: {kept.about.removeprefix('not available: ')}."
    said = (
        f"{_of(kept)} of them lie among real ones, and {_of(covered)} of the real ones have one of them for a neighbour"
    )
    if kept.reference is None or covered.reference is None:
        return "unknown", f"{said}; how much that is only held-out images could say."
    share = min(kept.value / max(kept.reference, 1e-9), covered.value / max(covered.reference, 1e-9))
    if share >= _GOOD:
        return "good", f"The synthetic images are where real ones are: {said}."
    if share >= _FAIR:
        return "fair", f"The synthetic images are roughly where real ones are: {said}."
    return "poor", f"The synthetic images are not where real ones are: {said}."


def _of(score: Score) -> str:
    assert score.value is not None
    held = "" if score.reference is None else f" (held-out: {100 * score.reference:.0f} %)"
    return f"{100 * score.value:.0f} %{held}"


def _usefulness(scores: Scores) -> tuple[str, str]:
    score = scores["utility"]
    if score.value is None or score.reference is None:
        return "unknown", f"How useful they are was not tested: {score.about.removeprefix('not available: ')}."
    said = (
        f"a network taught by them labels {100 * score.value:.1f} % of held-out images rightly, "
        f"{100 * score.reference:.1f} % if real ones have taught it"
    )
    lost = (1 - score.value) / max(1 - score.reference, 0.005)
    if lost <= _LITTLE_LOST:
        return "good", f"They teach nearly as well as real ones: {said}."
    if lost <= _MORE_LOST:
        return "fair", f"They teach less well than real ones: {said}."
    return "poor", f"They teach much less well than real ones: {said}."


def _of_copies(score: Score) -> dict[str, str]:
    return of_copies(score, "of the synthetic images are all but copies of training images", "held-out images")


def _privacy(found: list[dict[str, str]]) -> tuple[str, str]:
    (copies,) = found
    if copies["level"] == "alarm":
        return (
            "alarm",
            f"Alarm: the synthetic images give training images away, so do not share them: {copies['text']}.",
        )
    if copies["level"] == "unknown":
        return "unknown", f"Whether they give training images away was not tested: {copies['text']}."
    return copies["level"], f"The search for copies found none to speak of: {copies['text']}; its silence is no proof."
