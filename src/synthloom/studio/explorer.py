"""A worker that keeps one model loaded and answers questions about its latent, while somebody plays with a slider."""

from __future__ import annotations

import json
import subprocess
from threading import Lock, Timer
from typing import Any

from synthloom.errors import SynthloomError, TrainingError
from synthloom.studio.jobs import command
from synthloom.studio.projects import Project

__all__ = ["Explorer"]

_IDLE = 600.0
"""Seconds after which a model that nobody asks is let go."""


class Explorer:
    """One question at a time, to one model at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._worker: subprocess.Popen[str] | None = None
        self._model: tuple[str, int] | None = None
        self._timer: Timer | None = None

    def ask(self, project: Project, verb: str, **asked: Any) -> dict[str, Any]:
        """The worker's answer; what it refuses is raised."""
        with self._lock:
            model = (project.id, project.path("model.loom").stat().st_mtime_ns)
            if self._worker is None or self._worker.poll() is not None or model != self._model:
                self._end()
                self._worker = subprocess.Popen(
                    **command("explore", project), stdout=subprocess.PIPE, text=True, encoding="utf-8"
                )
                self._model = model
            assert self._worker.stdin is not None
            assert self._worker.stdout is not None
            try:
                self._worker.stdin.write(json.dumps({"verb": verb} | asked) + "\n")
                self._worker.stdin.flush()
                line = self._worker.stdout.readline()
            except BrokenPipeError:
                line = ""
            self._rest()
        if not line:
            raise TrainingError("the model must load, however: its worker ended without a word; try again")
        answer: dict[str, Any] = json.loads(line)
        if "refused" in answer:
            raise SynthloomError(answer["refused"])
        return answer

    def close(self, project: Project | None = None) -> None:
        """Let the model go, or only if it is this project's."""
        with self._lock:
            if project is None or (self._model is not None and self._model[0] == project.id):
                self._end()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._worker is not None:
            self._worker.kill()
            self._worker.communicate()
        self._worker = self._model = self._timer = None

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = Timer(_IDLE, self.close)
        self._timer.daemon = True
        self._timer.start()
