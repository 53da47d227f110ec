"""Answers about a latent: one question a line on standard input, one answer a line on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from synthloom import synthesizers
from synthloom.errors import SynthloomError, UsageError
from synthloom.sources import SOURCES, Texts
from synthloom.sources.images import sheet
from synthloom.studio.projects import Project
from synthloom.studio.work.files import parts, png, shown
from synthloom.synthesizers import ImageSynthesizer, Synthesizer

__all__ = ["run"]

_MOST = 100


def run(project: Project) -> None:
    """Load the model, and answer until nobody asks any more."""
    torch.set_num_threads(1)
    model: Any = synthesizers.load(project.path("model.loom"))
    real, _ = parts(project)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = VERBS[asked.pop("verb")](model, real, **asked)
        except SynthloomError as error:
            answer = {"refused": str(error)}
        except Exception as error:
            answer = {"refused": f"{type(error).__name__} (an error of ours)"}
        print(json.dumps(answer), flush=True)


def _vary(model: Synthesizer[Any], real: Any, row: int = 0, text: str = "", n: int = 6, strength: float = 0.3) -> Any:
    """An item and its neighbours."""
    one = _one(model, real, row, text)
    near = model.vary(one, min(n, _MOST), strength, seed=0)
    return {"item": shown(one), "near": shown(near), "vectors": _vectors(model, one)}


def _interpolate(
    model: Synthesizer[Any], real: Any, a: Any = 0, b: Any = 1, n: int = 7, text_a: str = "", text_b: str = ""
) -> Any:
    """What lies on the way from one item to another."""
    ends = _one(model, real, a, text_a), _one(model, real, b, text_b)
    return {
        "a": shown(ends[0]),
        "b": shown(ends[1]),
        "way": shown(model.interpolate(*ends, steps=min(n, _MOST))),
        "vectors": [_vectors(model, end) for end in ends],
    }


def _traverse(model: Synthesizer[Any], real: Any, row: int = 0, rows: int = 6) -> Any:
    """What single numbers of an image's code do."""
    assert isinstance(model, ImageSynthesizer)
    steps = 9
    moved = model.traverse(_one(model, real, row, ""), rows=rows, steps=steps)
    return {"picture": png(sheet(moved, columns=steps))}


def _one(model: Synthesizer[Any], real: Any, row: int, text: str) -> Any:
    """The item that is meant: a text that somebody wrote, or a real one by its number."""
    if text and isinstance(real, Texts):
        return Texts([text])
    if not 0 <= row < len(real):
        raise UsageError(
            f"{SOURCES[model.kind].things} are numbered from 0 to {len(real) - 1:,}, however: there is no {row}"
        )
    return model.source.take(real, np.array([row]).tolist())


def _vectors(model: Synthesizer[Any], item: Any) -> int | None:
    """How many vectors its code keeps, where that varies."""
    counts = model.survivors(item)
    return None if counts is None else int(counts[0])


VERBS: dict[str, Callable[..., dict[str, Any]]] = {"vary": _vary, "interpolate": _interpolate, "traverse": _traverse}
