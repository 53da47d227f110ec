"""Learning: a fit that the page can follow, pause, stop early and go on with."""

from __future__ import annotations

from typing import Any

from synthloom.sources import SOURCES
from synthloom.studio.projects import Project
from synthloom.studio.work.files import build, parts, shown
from synthloom.studio.work.live import Live, PausedError
from synthloom.synthesizers import TableSynthesizer
from synthloom.training import Interrupted

__all__ = ["run"]

_SAVE = 5.0
"""Seconds between two checkpoints: what a pause waits for, and a crash loses, at most."""

_PICKED, _PICKED_IN_ALL = 60, 600
"""Values of a category that a page lets one pick from, and of all of them together; of more, by typing."""


def run(project: Project) -> str:
    """Fit the model of a project; "paused" if the page asked for that."""
    items, _ = parts(project)
    synthesizer = build(project, items)
    few = {"table": 2, "text": 2, "image": 10}[project.kind]
    live = Live(project, lambda: shown(synthesizer.glimpse(few)))
    checkpoint = project.path("model.loom.checkpoint")
    go_on = bool(project.job.get("asked", {}).get("go_on"))
    try:
        synthesizer.fit(
            items, checkpoint=checkpoint, checkpoint_seconds=_SAVE, resume=go_on, trackers=[live], progress=False
        )
    except PausedError:
        project.path("wish").unlink(missing_ok=True)
        return "paused"
    except Interrupted:
        pass  # stopped early: what has been learnt will do
    synthesizer.save(project.path("model.loom"))
    project.save("pickers", {"columns": _pickers(synthesizer)})
    info = synthesizer.info_
    kept = ("model", "items", "parameters", "best_epoch", "stopped", "seed")
    about = {key: info[key] for key in kept} | {"notes": info["notes"], "notices": info.get("notices", {})}
    about["statement"] = info.get("privacy", {}).get("statement")
    about["things"] = SOURCES[project.kind].things
    project.save("model", about)
    project.path("result.json").unlink(missing_ok=True)  # it was of another model
    return "done"


def _pickers(synthesizer: Any) -> list[dict[str, Any]]:
    """What can be asked of each column of what is drawn."""
    if not isinstance(synthesizer, TableSynthesizer):
        labels = synthesizer.codec_.labels_
        return [{"name": "label", "type": "category", "values": [str(label) for label in labels]}] if labels else []
    found: list[dict[str, Any]] = []
    room = _PICKED_IN_ALL
    for name in synthesizer.schema_.names:
        type_ = synthesizer.schema_[name].type
        column: Any = synthesizer.codec_.column(name)
        if type_ in ("number", "datetime", "duration"):
            found.append({"name": str(name), "type": type_})
        elif type_ == "category" and len(values := column.values) <= min(_PICKED, room):
            room -= len(values)
            found.append({"name": str(name), "type": type_, "values": [str(value) for value in values]})
        elif type_ == "category":
            found.append({"name": str(name), "type": "word"})
        elif type_ == "boolean":
            found.append({"name": str(name), "type": "boolean", "values": ["True", "False"]})
    return found
