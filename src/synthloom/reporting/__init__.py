"""Reports: facts, a plain dict, and the forms in which they are written.

A new form is a file with a `render` that turns facts into text, and a line in `FORMS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from synthloom.errors import FileError
from synthloom.evaluation import Scores
from synthloom.files import atomic
from synthloom.metrics import Roles
from synthloom.reporting import html, markdown
from synthloom.reporting.facts import Fitted, gather

__all__ = ["FORMS", "Fitted", "form_of", "gather", "report"]

Form = Callable[[Mapping[str, Any]], str]


def _json(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


FORMS: dict[str, Form] = {".html": html.render, ".htm": html.render, ".md": markdown.render, ".json": _json}
"""Ending of a file -> from facts to its text."""


def report(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    path: Path | str,
    holdout: pd.DataFrame | None = None,
    *,
    target: Hashable | None = None,
    columns: Roles | None = None,
    seed: int = 0,
    model: Fitted | None = None,
    scores: Scores | None = None,
    shareable: bool = True,
    progress: bool | None = None,
) -> dict[str, Any]:
    """Judge synthetic rows and write what was found: a page (.html), Markdown (.md) or the bare facts (.json).

    The page is one file that needs no network. `holdout`, `target`, `columns` and `seed` are those of `evaluate`, and
    with the `scores` that it found for them nothing is judged twice. With the `model` that made the rows, its training
    curves and settings are told too. The shareable form, the default, shows no value that fewer than five real rows
    hold. The facts are returned.

    >>> import tempfile
    >>> from synthloom.datasets import visits
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     facts = report(visits(100, seed=0), visits(100, seed=1), f"{folder}/report.html")
    ...     Path(f"{folder}/report.html").read_text("utf-8")[:15]
    '<!doctype html>'
    """
    render = form_of(path)
    facts = gather(
        real,
        synthetic,
        holdout,
        target=target,
        columns=columns,
        seed=seed,
        model=model,
        scores=scores,
        shareable=shareable,
        progress=progress,
    )
    with atomic(path) as part:
        part.write_text(render(facts), "utf-8")
    return facts


def form_of(path: Path | str) -> Form:
    """How to write a report that goes to this path."""
    ending = Path(path).suffix.lower()
    if ending not in FORMS:
        raise FileError(f"a report must be a file of a known kind ({', '.join(FORMS)}), however: {path}; rename it")
    return FORMS[ending]
