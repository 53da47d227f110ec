"""Worker processes: at most one that trains, and one that reads or draws; whatever else is asked for waits in line.

A worker's standard input is a pipe that nobody writes to. When the studio ends, however it ends, the pipe closes, and
the worker ends with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

from synthloom.studio.projects import Project

__all__ = ["Jobs", "command"]

_LANES = {"read": "short", "train": "long", "draw": "short"}
"""What can be asked for, and in which line it waits."""


def command(action: str, project: Project) -> dict[str, Any]:
    """How a worker is started."""
    # threads that wait for each other sleep: the pages want the same cores
    environment = {"OMP_WAIT_POLICY": "PASSIVE"} | os.environ
    arguments = [sys.executable, "-m", "synthloom.studio.work", action, str(project.folder)]
    return {"args": arguments, "env": environment, "stdin": subprocess.PIPE, "stderr": subprocess.DEVNULL}


class Jobs:
    """Who is at work on what."""

    def __init__(self) -> None:
        self._lines = {lane: ThreadPoolExecutor(1, f"studio-{lane}") for lane in _LANES.values()}
        self._lock = Lock()
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self._closed = False

    def start(self, project: Project, action: str, **asked: Any) -> bool:
        """Put a job into its line; False if the project has one already."""
        with self._lock:
            if project.busy or self._closed:
                return False
            for name in ("wish", "outcome.json", "live.json"):
                if name != "live.json" or not asked.get("go_on"):
                    project.path(name).unlink(missing_ok=True)
            project.save("job", {"action": action, "state": "waiting", "asked": asked, "began": time.time()})
        self._lines[_LANES[action]].submit(self._run, project, action)
        return True

    def wish(self, project: Project, word: str) -> None:
        """Ask a worker to "stop" early with what it has, or to "pause"; one that still waits is just let go."""
        with self._lock:
            job = project.job
            if job.get("state") == "waiting":
                project.change("job", state="cancelled")
            elif job.get("state") == "running":
                project.path("wish").write_text(word)

    def end(self, project: Project) -> None:
        """End whatever is being done for a project, at once."""
        with self._lock:
            if project.job.get("state") == "waiting":
                project.change("job", state="cancelled")
            worker = self._workers.get(project.id)
        if worker is not None:
            worker.kill()
            worker.wait()

    def close(self) -> None:
        """End all; what was running can be gone on with."""
        with self._lock:
            self._closed = True
            for worker in self._workers.values():
                worker.kill()
        for line in self._lines.values():
            line.shutdown(cancel_futures=True)

    def _run(self, project: Project, action: str) -> None:
        with self._lock:
            if self._closed or project.job.get("state") != "waiting":
                return
            project.change("job", state="running", began=time.time())
            worker = subprocess.Popen(**command(action, project), stdout=subprocess.DEVNULL)
            self._workers[project.id] = worker
        worker.wait()
        with self._lock:
            del self._workers[project.id]
            if worker.stdin is not None:
                worker.stdin.close()
            if project.card:
                died = {"state": "interrupted"} if self._closed else _died(worker.returncode)
                project.change("job", **(project.load("outcome") or died))


def _died(code: int) -> dict[str, str]:
    why = "memory may have run out" if code == -9 else f"code {code}"
    return {"state": "failed", "said": f"the worker ended without a word ({why}); try with less data, or again"}
