"""Drawing: synthetic items in every form that can be downloaded, the verdict on them, and a map of the latent."""

from __future__ import annotations

import csv
import shutil
import zipfile
from collections.abc import Iterable
from typing import Any

import numpy as np

from synthloom import rng, synthesizers
from synthloom.codecs.conditions import Conditions
from synthloom.files import atomic
from synthloom.reporting import report
from synthloom.reporting.facts import plain_facts
from synthloom.sources import SOURCES, Images, read_table, write_images, write_table, write_texts
from synthloom.sources.images import join
from synthloom.studio.projects import Project
from synthloom.studio.work.files import parts, said, shown
from synthloom.synthesizers import Synthesizer, TableSynthesizer

__all__ = ["alike", "run"]

_PREVIEW = {"table": 12, "text": 8, "image": 40}
_JUDGED = {"table": 20_000, "text": 2_000, "image": 5_000}
"""Items that are judged at most: a verdict should not take longer than the training."""

_MAPPED = 400

_FEWEST = 200
"""Real items that are like what was asked for, of which it takes so many to judge by."""


def run(project: Project) -> str:
    """Draw what is asked for; show it at once, and judge it then."""
    asked = project.job["asked"]
    model = synthesizers.load(project.path("model.loom"))
    given = _conditions(model, asked.get("given", []))
    n, seed = int(asked["n"]), asked["seed"]
    project.path("result.json").unlink(missing_ok=True)
    _stage(project, "drawing")
    drawn = _WRITERS[project.kind](model.stream(n, seed=seed, **given), project)
    real, held = parts(project)
    near = [alike(model, side, given) for side in (real, held) if side is not None]
    some = _PREVIEW[project.kind]
    result = {
        "n": n,
        "seed": seed,
        "said": [pair["said"] for pair in asked.get("given", [])],
        "synthetic": shown(_few(model, drawn, some)),
        "real": shown(_few(model, near[0] if len(near[0]) else real, some)),
    }
    share = getattr(model, "given_share_", None)
    if given and share is not None:
        result["share"] = share
    project.save("result", plain_facts(result))
    _stage(project, "mapping")
    project.save("map", plain_facts(_map(model, real, drawn)))
    _stage(project, "judging")
    judged = _few(model, drawn, _JUDGED[project.kind])
    enough = not given or min(map(len, near)) >= _FEWEST
    beside, aside = (*near, None)[:2] if enough else (real, held)
    facts = report(
        _few(model, beside, _JUDGED[project.kind]),
        judged,
        project.path("report.html"),
        aside,
        kind=project.kind,
        model=model,
        progress=False,
        **_target(project),
    )
    found = {"verdict": facts["verdict"], "judged": len(judged), "beside": len(beside), "enough": enough}
    project.save("result", plain_facts(result | found))
    return "done"


def _stage(project: Project, name: str) -> None:
    project.save("live", {"stage": name})


def _few(model: Synthesizer[Any], items: Any, most: int) -> Any:
    """So many of the items, from all over: real ones may lie in some order. The same ones every time."""
    if len(items) <= most:
        return items
    return model.source.take(items, np.sort(rng.generator(0, "few").permutation(len(items))[:most]))


def _target(project: Project) -> dict[str, Any]:
    """The column that the user wants to predict."""
    names = [name for name, role in said(project, "role").items() if role == "target"]
    return {"target": names[0]} if names else {}


# -- what is asked for ------------------------------------------------------------------------------------------------


def _conditions(model: Synthesizer[Any], pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """What the page says of columns, as `sample` wants it."""
    if not pairs:
        return {}
    if not isinstance(model, TableSynthesizer):
        return {"label": pairs[0]["values"][0]}
    given: dict[Any, Any] = {}
    names = {str(name): name for name in model.schema_.names}
    for pair in pairs:
        name = names[pair["name"]]
        type_ = model.schema_[name].type
        known = {str(value): value for value in getattr(model.codec_.column(name), "values", [])}
        if "values" in pair:
            values = [known.get(value, value) for value in pair["values"]]
            given[name] = [value == "True" for value in values] if type_ == "boolean" else values
        elif "word" in pair:
            words = next(csv.reader([pair["word"]], skipinitialspace=True))
            given[name] = [known.get(word, word) for word in words]
        else:
            given[name] = tuple(_end(pair.get(side), type_) for side in ("low", "high"))
    return {"given": given}


def alike(model: Synthesizer[Any], items: Any, given: dict[str, Any]) -> Any:
    """Those of the real items that are like what was asked for."""
    if not given:
        return items
    if isinstance(model, TableSynthesizer):
        good = Conditions(model.codec_, given["given"]).holds(items)
        for name, wanted in given["given"].items():
            if isinstance(wanted, list):
                good &= items[name].isin(wanted).to_numpy(bool)
    else:
        good = np.array([str(label) == given["label"] for label in items.labels])
    return model.source.take(items, np.flatnonzero(good))


def _end(text: str | None, type_: str) -> Any:
    if not text:
        return None
    return float(text) if type_ == "number" else text


# -- what is written --------------------------------------------------------------------------------------------------


def _write_table(frames: Iterable[Any], project: Project) -> Any:
    write_table(frames, project.path("synthetic.parquet"))
    frame = read_table(project.path("synthetic.parquet"))
    write_table(frame, project.path("synthetic.csv"), excel_safe=True)
    return frame


def _write_texts(texts: Iterable[Any], project: Project) -> Any:
    write_texts(texts, project.path("synthetic.jsonl"))
    drawn = SOURCES["text"].read(project.path("synthetic.jsonl"))
    write_texts(drawn, project.path("synthetic.csv"), excel_safe=True)
    write_texts(drawn, project.path("synthetic.parquet"))
    return drawn


def _write_images(images: Iterable[Images], project: Project) -> Images:
    drawn = join(images)
    write_images(drawn, project.path("synthetic.npz"))
    write_images(drawn, folder := project.path("synthetic"))
    with atomic(project.path("synthetic.zip")) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(folder))
    shutil.rmtree(folder)
    return drawn


_WRITERS = {"table": _write_table, "text": _write_texts, "image": _write_images}


# -- where it lies ----------------------------------------------------------------------------------------------------


def _map(model: Synthesizer[Any], real: Any, drawn: Any) -> dict[str, Any]:
    """Codes of some real and some synthetic items, seen from the side on which they spread the most."""
    order = np.sort(rng.generator(0, "map").permutation(len(real))[:_MAPPED])
    sides = [model.source.take(real, order), _few(model, drawn, _MAPPED)]
    code_NF = np.concatenate([model.encode(side) for side in sides]).astype(np.float64)
    code_NF = np.nan_to_num(code_NF, posinf=0.0, neginf=0.0)
    centred_NF = code_NF - code_NF[: len(order)].mean(0)
    axes_2F = np.linalg.svd(centred_NF[: len(order)], full_matrices=False)[2][:2]
    place_N2 = centred_NF @ axes_2F.T
    if place_N2.shape[1] < 2:
        place_N2 = np.pad(place_N2, ((0, 0), (0, 2 - place_N2.shape[1])))
    cut = len(order)
    return {"rows": order.tolist(), "real": place_N2[:cut].tolist(), "synthetic": place_N2[cut:].tolist()}
