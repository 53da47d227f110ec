"""From an upload to data of a kind, and what was found in them: all that the page of the schema shows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from synthloom import rng
from synthloom.codecs.columns import COLUMNS, RARE, Options
from synthloom.codecs.table import TableCodec
from synthloom.errors import DataError, SynthloomError
from synthloom.metrics.table.read import read_tables
from synthloom.reporting.facts import plain_facts
from synthloom.reporting.marginals import marginal
from synthloom.sources import SOURCES, Frame, Images, Texts
from synthloom.sources.images import join, sheet
from synthloom.studio.projects import Project
from synthloom.studio.work.files import DATA, png, said

__all__ = ["find", "run"]

_LARGEST = 64
"""Images are brought to so many pixels a side at most."""

_MIXED = 32
"""Images of several sizes are brought to this one."""

_LOOK = 50_000
"""Rows that are looked at to say what columns are; training looks at all."""


def run(project: Project) -> str:
    """Read the upload into one file of a known form, look at it, and let the upload go."""
    raw, card = project.path("raw"), project.card
    kind = card["kind"]
    if not raw.exists():  # it was read before, and types are looked at anew
        columns = find(SOURCES[kind].read(project.path(DATA[kind])), said(project, "type"))
        project.save("facts", plain_facts(project.load("facts") | {"columns": columns}))
        return "done"
    items: Any
    items, notes = _images(raw) if kind == "image" else (SOURCES[kind].read(_place(raw)), list[str]())
    if not len(items):
        raise DataError(f"there must be {SOURCES[kind].things} in the upload, however: there are none")
    named = card.get("labels")
    if named and getattr(items, "labels", None) and not _idx(raw):  # folders go by numbers on disk
        items.labels = [named[int(label)] for label in items.labels]
    SOURCES[kind].write(items, project.path(DATA[kind]))
    facts = _FACTS[kind](items) | {"notes": notes, "things": SOURCES[kind].things}
    project.save("facts", plain_facts(facts))
    shutil.rmtree(raw)
    return "done"


def _place(raw: Path) -> Path:
    """The one file of an upload, its one folder, or all of them."""
    files = sorted(raw.glob("*/*"))
    folders = {file.parent for file in files}
    return files[0] if len(files) == 1 else files[0].parent if len(folders) == 1 else raw


def _idx(raw: Path) -> list[Path]:
    """The idx files of images; those of labels lie beside them, and are read along."""
    return sorted(path for path in raw.glob("*/*idx*") if "idx1" not in path.name)


def _images(raw: Path) -> tuple[Images, list[str]]:
    """Images of one size that can be learnt here."""
    paths, notes = _idx(raw) or [_place(raw)], []

    def read(frame: Frame | None = None) -> Images:
        return join(SOURCES["image"].read(path, frame=frame) for path in paths)

    try:
        images = read()
    except DataError:  # of several sizes
        images = read(Frame((_MIXED, _MIXED)))
        notes.append(f"the images were of several sizes; they have been brought to {_MIXED} x {_MIXED} pixels")
    _, H, W, _ = images.level_NHWC.shape
    if max(H, W) > _LARGEST:
        images = read(Frame((_LARGEST, _LARGEST)))
        notes.append(f"the images had {H} x {W} pixels; they have been brought to {_LARGEST} x {_LARGEST}")
    return images, notes


# -- tables -----------------------------------------------------------------------------------------------------------


def _of_table(frame: pd.DataFrame) -> dict[str, Any]:
    return {"rows": len(frame), "types": list(COLUMNS), "columns": find(frame, {})}


def find(frame: pd.DataFrame, types: dict[str, str]) -> list[dict[str, Any]]:
    """Column by column: its type (`types` override what it looks like), gaps, a histogram, and what is kept back.

    >>> df = pd.DataFrame({"age": [31, 42, 27, 42, 31] * 9, "sex": ["f", "m", "f", "m", "f"] * 9})
    >>> [(column["type"], column["missing"]) for column in find(df, {})]
    [('number', 0.0), ('category', 0.0)]
    """
    shown = frame if len(frame) <= _LOOK else frame.iloc[np.sort(rng.generator(0).permutation(len(frame))[:_LOOK])]
    tables, _ = read_tables({"real": shown})
    drawn = set(tables[0].columns)
    found = []
    for i, name in enumerate(frame.columns):
        column: dict[str, Any] = {"name": str(name), "missing": float(frame.iloc[:, i].isna().mean())}
        own = shown.iloc[:, [i]]
        schema = {name: types[str(name)]} if str(name) in types else None
        try:
            codec = TableCodec(Options(), schema).fit(own)
            column |= {"type": codec.schema_.fields[0].type, "notice": next(iter(codec.notices.values()), "")}
        except SynthloomError as error:
            column |= {"type": types.get(str(name), ""), "notice": "", "error": str(error)}
        column["distinct"] = int(own.iloc[:, 0].nunique())
        if name in drawn:
            column["figure"] = marginal(name, tables[0], tables[0], RARE)
        found.append(column)
    return found


# -- texts and images -------------------------------------------------------------------------------------------------


def _of_texts(texts: Texts) -> dict[str, Any]:
    words = np.array([len(text.split()) for text in texts])
    low, middle, high = np.quantile(words, [0.05, 0.5, 0.95]).round().astype(int).tolist()
    return {
        "rows": len(texts),
        "distinct": len(set(texts)),
        "words": {"few": low, "middle": middle, "many": high},
        "examples": [text[:300] for text in texts[:: max(1, len(texts) // 5)][:5]],
        "labels": _counts(texts.labels),
    }


def _of_images(images: Images) -> dict[str, Any]:
    N, H, W, C = images.level_NHWC.shape
    some = SOURCES["image"].take(images, np.linspace(0, N - 1, min(N, 30)).astype(int))
    return {
        "rows": N,
        "size": f"{H} x {W}",
        "colour": C == 3,
        "sheet": png(sheet(some, columns=10) if N > 1 else Image.fromarray(np.asarray(some)[0])),
        "labels": _counts(images.labels),
    }


def _counts(labels: list[Any] | None) -> list[dict[str, Any]]:
    """How many items each label has, the commonest first."""
    counts = pd.Series(labels or [], dtype=object).value_counts()
    return [{"label": str(label), "count": int(count)} for label, count in counts.head(50).items()]


_FACTS: dict[str, Callable[[Any], dict[str, Any]]] = {"table": _of_table, "text": _of_texts, "image": _of_images}
