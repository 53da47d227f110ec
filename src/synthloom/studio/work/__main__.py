"""`python -m synthloom.studio.work ACTION FOLDER`: how the studio starts a worker."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import threading
from pathlib import Path

from synthloom.errors import SynthloomError
from synthloom.studio.projects import Project

_ACTIONS = {"read": "reading", "train": "training", "draw": "drawing", "explore": "exploring"}
"""Action -> the module whose `run` does it."""


def main() -> int:
    """What this process is for."""
    action, folder = sys.argv[1:]
    if action != "explore":  # to which standard input speaks
        threading.Thread(target=_end_with_the_studio, daemon=True).start()
    return act(action, Project(Path(folder)))


def act(action: str, project: Project) -> int:
    """Do one action for one project, and leave word of how it ended."""
    run = importlib.import_module(f"synthloom.studio.work.{_ACTIONS[action]}").run
    try:
        state = run(project)
    except SynthloomError as error:
        project.save("outcome", {"state": "failed", "said": _said(project, error)})
        return 1
    except MemoryError:
        project.save("outcome", {"state": "failed", "said": "memory ran out; try with less data"})
        return 1
    except Exception as error:
        with contextlib.suppress(OSError):
            project.save("outcome", {"state": "failed", "said": f"{type(error).__name__}: {error} (an error of ours)"})
        return 1
    if state:
        project.save("outcome", {"state": state})
    return 0


def _end_with_the_studio() -> None:
    """Standard input is a pipe from the studio: when it closes there is nobody left to work for."""
    while os.read(0, 1):  # not by sys.stdin, whose lock would be held when this process ends
        pass
    os._exit(3)


def _said(project: Project, error: Exception) -> str:
    """A message without names that only we know: paths here, and what we called a file of the upload."""
    words = str(error).replace(f"{project.folder}{os.sep}", "")
    card = project.card
    return re.sub(r"raw[/\\]\d{6}[/\\]\d{6}[.\w-]*", card["name"] if card.get("files") == 1 else "one file", words)


if __name__ == "__main__":
    # all is on disk; threads of libraries that would not end must not keep the studio waiting
    os._exit(main())
