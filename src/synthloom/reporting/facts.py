"""All that a report says, as one plain dict that JSON can write; the pages are other ways to write the same."""

from __future__ import annotations

import math
import platform
from collections.abc import Hashable
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
import pandas as pd
import sklearn

from synthloom import __version__
from synthloom.codecs.columns import RARE
from synthloom.evaluation import Scores, judge
from synthloom.metrics import BASELINES, READERS, Context, Roles
from synthloom.metrics.table.data import Table, plain
from synthloom.reporting.marginals import marginal
from synthloom.reporting.verdict import alarms, verdict

__all__ = ["Fitted", "gather", "of_model", "plain_facts"]

_MOST_MAPPED = 24
"""Columns in the maps of dependence: those that have most of it."""

_MOST_SHIFTED = 10
"""Pairs of columns that are named for being off."""

_HIDDEN_KNOBS = ("device", "threads")


class Fitted(Protocol):
    """What a report takes from a model: its settings, and its training curves."""

    info_: dict[str, Any]

    @property
    def history_(self) -> pd.DataFrame: ...


def gather(
    real: Any,
    synthetic: Any,
    holdout: Any = None,
    *,
    target: Hashable | None = None,
    columns: Roles | None = None,
    seed: int = 0,
    model: Fitted | None = None,
    scores: Scores | None = None,
    shareable: bool = True,
    progress: bool | None = None,
) -> dict[str, Any]:
    """The facts of a report. With the `scores` that `evaluate` found for the same arguments, it is not judged again.

    In the shareable form nothing is the value of a single record: a category, or the end of an axis, is shown if at
    least five real rows hold it or lie beyond; identifiers and texts are never shown in either form.

    >>> from synthloom.datasets import visits
    >>> facts = gather(visits(300, seed=0), visits(300, seed=1), progress=False)
    >>> [sentence["aspect"] for sentence in facts["verdict"]["sentences"]]
    ['likeness', 'usefulness', 'privacy']
    """
    context = Context(seed, target, columns)
    data = {"real": real, "synthetic": synthetic} | ({} if holdout is None else {"holdout": holdout})
    tables, notes = READERS["table"](data, context)
    scores = scores or judge("table", tables, notes, context, progress)
    facts = {
        "synthloom": __version__,
        "kind": "table",
        "things": "rows",
        "parts": "columns",
        "baseline": BASELINES["table"],
        "shareable": shareable,
        "seed": seed,
        "rows": {where: table.rows for where, table in zip(data, tables, strict=True)},
        "verdict": verdict(scores),
        "alarms": alarms(scores),
        "scores": [asdict(score) for score in scores],
        "columns": _columns(tables[0], tables[1], scores, RARE if shareable else 1),
        "dependence": _dependence(scores),
        "model": None if model is None else of_model(model),
        "notes": list(scores.notes),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pandas": pd.__version__,
            "scikit-learn": sklearn.__version__,
        },
    }
    return plain_facts(facts)


def _columns(real: Table, synthetic: Table, scores: Scores, fewest: int) -> list[dict[str, Any]]:
    """Every column with its figure, those that are most off before the others."""
    errors = {entry["column"]: entry for entry in scores["shape_error"].detail.get("columns", [])}
    found = []
    for name in real.columns:
        error = errors.get(plain(name), {})
        found.append(
            {"column": plain(name), "shape_error": error.get("value"), "reference": error.get("reference")}
            | marginal(name, real, synthetic, fewest)
        )
    return sorted(found, key=lambda entry: -(entry["shape_error"] or 0.0))


def _dependence(scores: Scores) -> dict[str, Any] | None:
    """Normalised mutual information of the columns that have most of it, and the pairs that are most off."""
    detail = scores["wnmi_error"].detail
    if not detail:
        return None
    names = detail["columns"]
    C = len(names)
    real_CC, synthetic_CC = (_square(detail[side], C) for side in ("real", "value"))
    most_C = np.sort(np.argsort(-np.maximum(real_CC, synthetic_CC).sum(axis=0), kind="stable")[:_MOST_MAPPED])
    shift_CC = np.triu(synthetic_CC - real_CC)
    worst = np.argsort(-np.abs(shift_CC), axis=None, kind="stable")[:_MOST_SHIFTED]
    return {
        "columns": [names[c] for c in most_C],
        "of": C,
        "real": real_CC[np.ix_(most_C, most_C)].tolist(),
        "synthetic": synthetic_CC[np.ix_(most_C, most_C)].tolist(),
        "shifted": [
            {
                "columns": [names[a], names[b]],
                "real": float(real_CC[a, b]),
                "synthetic": float(synthetic_CC[a, b]),
            }
            for a, b in zip(*np.unravel_index(worst, shift_CC.shape), strict=True)
            if shift_CC[a, b]
        ],
    }


def _square(pairs: list[float], C: int) -> np.ndarray:
    square_CC = np.zeros((C, C))
    square_CC[np.triu_indices(C, k=1)] = pairs
    return square_CC + square_CC.T


def of_model(model: Fitted) -> dict[str, Any]:
    """Its settings, what is wrong with its latent, and its training curves."""
    info, history = model.info_, model.history_
    curves = {
        name: [None if pd.isna(value) else float(value) for value in history[name]]
        for name in ("epoch", "loss", "validation_loss")
        if name in history
    }
    kept = ("model", "seed", "items", "parameters", "best_epoch", "stopped", "threads", "synthloom", "torch")
    return {
        "settings": {key: info[key] for key in kept if key in info},
        "knobs": {key: value for key, value in info.get("knobs", {}).items() if key not in _HIDDEN_KNOBS},
        "guarantee": info.get("privacy", {}).get("statement"),
        "health": list(info.get("notes", [])),
        "notices": dict(info.get("notices", {})),
        "curves": curves,
    }


def plain_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """The same in what JSON can say."""
    return _plain(facts)  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    """The same in what JSON can say: numbers rounded to six digits, nothing in place of NaN."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
