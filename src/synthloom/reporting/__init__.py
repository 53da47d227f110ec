"""Reports: facts, a plain dict, and the forms in which they are written.

A new form is a file with a `render` that turns facts into text, and a line in `FORMS`; a new kind of data, a file with
a `gather`, and a line in `GATHERERS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from synthloom.errors import FileError, UsageError
from synthloom.evaluation import Scores
from synthloom.files import atomic
from synthloom.reporting import html, images, markdown, texts
from synthloom.reporting.facts import Fitted, gather
from synthloom.sources import looks_like

__all__ = ["FORMS", "GATHERERS", "Fitted", "form_of", "gather", "report"]

Form = Callable[[Mapping[str, Any]], str]


def _json(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


FORMS: dict[str, Form] = {".html": html.render, ".htm": html.render, ".md": markdown.render, ".json": _json}
"""Ending of a file -> from facts to its text."""

GATHERERS: dict[str, Callable[..., dict[str, Any]]] = {"table": gather, "text": texts.gather, "image": images.gather}
"""Kind of data -> from data to facts."""


def report(
    real: Any,
    synthetic: Any,
    path: Path | str,
    holdout: Any = None,
    *,
    kind: str | None = None,
    seed: int = 0,
    model: Fitted | None = None,
    scores: Scores | None = None,
    shareable: bool = True,
    progress: bool | None = None,
    **asked: Any,
) -> dict[str, Any]:
    """Judge synthetic data and write what was found: a page (.html), Markdown (.md) or the bare facts (.json).

    The page is one file that needs no network. `kind`, `holdout` and `seed` are those of `evaluate`, as is what else
    can be `asked` of the kind: `target` and `columns` of tables, `reconstruction` and `canaries` of texts, `features`
    of images. With the `scores` that it found for them nothing is judged twice. With the `model` that made the data,
    its training curves and settings are told too. The shareable form, the default, shows no value that fewer than five
    real rows hold, no real text and no real image. The facts are returned.

    >>> import tempfile
    >>> from synthloom.datasets import visits
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     facts = report(visits(100, seed=0), visits(100, seed=1), f"{folder}/report.html")
    ...     Path(f"{folder}/report.html").read_text("utf-8")[:15]
    '<!doctype html>'
    """
    render = form_of(path)
    kind = looks_like(real) if kind is None else kind
    if kind not in GATHERERS:
        raise UsageError(f"kind must be one of {', '.join(GATHERERS)}, however: kind={kind!r}")
    facts = GATHERERS[kind](
        real,
        synthetic,
        holdout,
        seed=seed,
        model=model,
        scores=scores,
        shareable=shareable,
        progress=progress,
        **asked,
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
