"""What lies in a project's folder, and small things that all workers need."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from synthloom import rng
from synthloom.sources import SOURCES, Images, Texts
from synthloom.sources.images import sheet
from synthloom.studio.projects import Project
from synthloom.synthesizers import SYNTHESIZERS, Synthesizer

__all__ = ["DATA", "build", "parts", "png", "said", "shown"]

DATA = {"table": "data.parquet", "text": "data.parquet", "image": "data.npz"}
"""Kind of data -> the file in which it is kept once it is read."""

_FEWEST_TO_SPLIT = 50

_COLUMNS, _LETTERS = 40, 100
"""Columns of a table, and letters of a cell, that a page shows at most."""


def said(project: Project, what: str) -> dict[str, str]:
    """What the user has said of columns, their "type" or "role", by name; the page numbers them, as they were found."""
    names = [column["name"] for column in project.load("facts").get("columns", [])]
    columns = project.load("settings").get("columns", {})
    return {names[int(i)]: column[what] for i, column in columns.items() if what in column}


def parts(project: Project) -> tuple[Any, Any]:
    """What is learnt from, and what is kept aside to judge by (None if nothing is); the same every time."""
    kind, settings = project.kind, project.load("settings")
    source = SOURCES[kind]
    items = source.read(project.path(DATA[kind]))
    if kind == "table":
        items = items.drop(columns=[name for name, role in said(project, "role").items() if role == "out"])
    if not settings.get("aside", True) or len(items) < _FEWEST_TO_SPLIT:
        return items, None
    order = rng.generator(0, "aside").permutation(len(items))
    cut = len(items) // 5
    one, other = (source.take(items, np.sort(index)) for index in (order[cut:], order[:cut]))
    if kind == "table":
        one, other = one.reset_index(drop=True), other.reset_index(drop=True)
    return one, other


def build(project: Project, items: Any) -> Synthesizer[Any]:
    """The synthesizer that the user's settings describe."""
    settings, kind = project.load("settings"), project.kind
    knobs: dict[str, Any] = {"protect": settings.get("protect", True)}
    if settings.get("minutes"):
        knobs["max_time"] = 60.0 * settings["minutes"]
    if settings.get("epochs"):
        knobs["epochs"] = settings["epochs"]
    if kind == "table":
        types = said(project, "type")
        knobs["schema"] = {name: type_ for name, type_ in types.items() if name in items.columns} or None
        knobs["rules"] = settings.get("rules", [])
        knobs["epsilon"] = settings.get("epsilon")
    return SYNTHESIZERS[kind](settings.get("model"), seed=settings.get("seed", 0), **knobs)


def shown(items: Any) -> dict[str, Any]:
    """Items as a page can show them: a table of texts, texts, or a picture."""
    if isinstance(items, pd.DataFrame):
        some = items.iloc[:, :_COLUMNS].astype(object)
        cells = [[None if pd.isna(cell) else str(cell)[:_LETTERS] for cell in row] for row in some.values]
        more = items.shape[1] - some.shape[1]
        return {"columns": [str(name)[:_LETTERS] for name in some.columns], "rows": cells, "more": more}
    if isinstance(items, Images):
        return {"picture": png(sheet(items, columns=min(10, len(items)))), "count": len(items)}
    assert isinstance(items, Texts)
    labels = items.labels or [None] * len(items)
    return {
        "texts": [
            {"text": t[:1_000], "label": None if lb is None else str(lb)} for t, lb in zip(items, labels, strict=True)
        ]
    }


def png(image: Image.Image) -> str:
    """A picture as an address that holds all of it."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
