"""How a training goes, for a page to show: a tracker that writes it to a file, and does what the page wishes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from synthloom.errors import SynthloomError
from synthloom.latents.health import check_rate
from synthloom.studio.projects import Project
from synthloom.training.tracking import Lately, Progress

__all__ = ["Live", "PausedError"]

_EVERY = 0.4
"""Seconds between two notes at least; who looks wants one a second."""

_STALE = 0.6
"""Seconds after which the curve wants a point more: training tells one every few steps, and steps may be slow."""

_POINTS = 150
"""Points of the curve at most; of more, every other one is dropped, of either curve."""

_GLIMPSES = 5

_CALM = 20
"""How many times longer than a glimpse takes training goes on before the next."""


class PausedError(Exception):
    """The page asked for a pause, and all that was learnt is on disk."""


class Live(Progress):
    """What the bar in a terminal says, as a document; `glimpse` draws a few items from the model as it is by now."""

    def __init__(self, project: Project, glimpse: Callable[[], dict[str, Any]]) -> None:
        self.project, self.glimpse = project, glimpse
        old = project.load("live")
        self.points: list[list[float | None]] = old.get("points", [])
        self.glimpses: list[dict[str, Any]] = old.get("glimpses", [])
        self.notes: list[str] = old.get("notes", [])
        self.now: dict[str, Any] = {"epoch": old.get("epoch", 0.0)}

    def start(self, info: Mapping[str, Any]) -> None:
        self._began = self._shown = self._pointed = monotonic()
        self._next_glimpse = self._began + 2.0
        self._from = self.share = float(info["share"])
        self.now |= {"epochs": info["epochs"], "parameters": info["parameters"]}
        self.points = [point for point in self.points if point[0] is not None and point[0] <= info["step"]]
        self._write()

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        if "loss" in scalars:
            nats = sum(value for name, value in scalars.items() if name.startswith("kl_"))
            self.now |= {"epoch": scalars["epoch"], "loss": scalars["loss"], "nats": nats}
            self.now["health"] = [str(finding) for finding in check_rate(nats)]
        if "best" in scalars:
            self.now["best"] = scalars["best"]
        self._pointed = monotonic()
        self.points.append([step, scalars.get("loss"), scalars.get("validation_loss")])
        if len(self.points) > _POINTS:
            curves = [[point for point in self.points if (point[1] is None) is judged] for judged in (False, True)]
            self.points = sorted((point for curve in curves for point in curve[::2]), key=lambda point: point[0] or 0)

    def advance(self, share: float, lately: Lately) -> None:
        self.share = share
        self._obey()
        now = monotonic()
        if now - self._pointed >= _STALE:
            self.log(*lately())
        if now >= self._next_glimpse:
            self._look()
        if now - self._shown >= _EVERY:
            self._write()

    def say(self, sentence: str) -> None:
        self.notes = [*self.notes, sentence]

    def close(self) -> None:
        self._write()

    def _obey(self) -> None:
        wish = self.project.path("wish")
        try:
            word, asked = wish.read_text(), wish.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if word == "stop":
            wish.unlink(missing_ok=True)
            raise KeyboardInterrupt
        checkpoint = self.project.path("model.loom.checkpoint")
        if word == "pause" and checkpoint.exists() and checkpoint.stat().st_mtime_ns > asked:
            raise PausedError

    def _look(self) -> None:
        began = monotonic()
        try:
            seen = self.glimpse()
        except SynthloomError:  # as it is by now it cannot do what is asked of it
            seen = {}
        if seen:
            self.glimpses = [{"epoch": self.now["epoch"]} | seen, *self.glimpses][:_GLIMPSES]
        self._next_glimpse = monotonic() + max(2.0, _CALM * (monotonic() - began))

    def _write(self) -> None:
        self._shown = monotonic()
        passed = self._shown - self._began
        left = passed * (1 - self.share) / max(self.share - self._from, 1e-9) if self.share > self._from else None
        document = self.now | {
            "stage": "training",
            "share": self.share,
            "left": left,
            "passed": passed,
            "points": self.points,
            "glimpses": self.glimpses,
            "notes": self.notes,
        }
        part = self.project.path("live.part")  # a look that a power cut may lose: not worth waiting for the disk
        part.write_text(json.dumps(document), "utf-8")
        part.replace(self.project.path("live.json"))
