"""Projects on disk: a folder for each, with a name that the server made, and all that belongs to it inside.

    card.json       what it is called, its kind of data, when it was made and last worked on
    settings.json   what the user has said of it
    facts.json      what was found in the data
    job.json        what is being done, or was done last, and how it ended
    live.json       how that is going; outcome.json, what its worker said last
    result.json     what was drawn last, and the verdict
    raw/            the upload, under names of ours; gone once it is read
    data.*  model.loom  synthetic.*  report.html ...

Deleting the folder deletes all there is of a project.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from synthloom.errors import FileError, UsageError
from synthloom.files import atomic

__all__ = ["ACTIVE", "Project", "Projects", "home"]

ACTIVE = ("waiting", "running")
"""States of a job that is not over."""

_ID = re.compile(r"[0-9a-f]{16}")

_DAY = 86_400


class Project:
    """One project: documents of JSON, and files under fixed names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name

    def load(self, name: str) -> dict[str, Any]:
        """A document; an empty one if there is none yet."""
        try:
            document: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return document

    def save(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a document, whole or not at all."""
        with atomic(self.folder / f"{name}.json") as part:
            part.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False), "utf-8")

    def change(self, document: str, /, **changes: Any) -> dict[str, Any]:
        """Change some entries of a document, and say what it is now."""
        changed = self.load(document) | changes
        self.save(document, changed)
        return changed

    def introduce(self, name: str, kind: str, **more: Any) -> Project:
        """From here on it is one of the list. `name` is only ever shown."""
        now = time.time()
        self.save("card", {"name": clean(name) or "untitled", "kind": kind, "made": now, "touched": now} | more)
        return self

    def touch(self) -> None:
        """It has been worked on: from here on its days are counted."""
        self.change("card", touched=time.time())

    def path(self, name: str) -> Path:
        return self.folder / name

    @property
    def card(self) -> dict[str, Any]:
        return self.load("card")

    @property
    def kind(self) -> str:
        return str(self.card["kind"])

    @property
    def job(self) -> dict[str, Any]:
        return {"action": "", "state": ""} | self.load("job")

    @property
    def busy(self) -> bool:
        """Whether something is being done for it."""
        return self.job.get("state") in ACTIVE

    @property
    def is_read(self) -> bool:
        return self.path("facts.json").exists()

    @property
    def has_model(self) -> bool:
        return self.path("model.loom").exists()

    @property
    def has_result(self) -> bool:
        return self.path("result.json").exists()

    @property
    def can_go_on(self) -> bool:
        """Whether a training was left in the middle."""
        return self.path("model.loom.checkpoint").exists()


class Projects:
    """All projects of one folder.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     projects = Projects(Path(folder))
    ...     project = projects.new().introduce("people.csv", "table")
    ...     projects[project.id].card["name"], "../people" in projects
    ('people.csv', False)
    """

    def __init__(self, folder: Path, days: float = 30) -> None:
        self.folder, self.days = folder, days
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise FileError(
                f"projects must be kept in a folder, however: {folder}: {error.strerror}; name another with --folder"
            ) from error

    def __iter__(self) -> Iterator[Project]:
        """The one worked on last comes first."""
        found = [Project(path) for path in self.folder.iterdir() if _ID.fullmatch(path.name)]
        return iter(sorted((p for p in found if p.card), key=lambda p: -p.card["touched"]))

    def __contains__(self, name: str) -> bool:
        return bool(_ID.fullmatch(name)) and bool(Project(self.folder / name).card)

    def __getitem__(self, name: str) -> Project:
        """A name is only ever looked up in the list of those that there are."""
        if name not in self:
            raise UsageError(f"a project must be one of the list, however: {name[:40]!r} is none")
        return Project(self.folder / name)

    def new(self) -> Project:
        """An empty folder, in which what comes in can lie. Once it is introduced it is a project of the list."""
        project = Project(self.folder / secrets.token_hex(8))
        project.folder.mkdir(mode=0o700)
        return project

    def delete(self, project: Project) -> None:
        """All of it. The card goes first: what is half deleted is gone from the list."""
        project.path("card.json").unlink(missing_ok=True)
        shutil.rmtree(project.folder, ignore_errors=True)

    def sweep(self) -> int:
        """Delete what nobody has worked on for so many days, and what is half made or half deleted."""
        count = 0
        for path in self.folder.iterdir():
            if not _ID.fullmatch(path.name):
                continue
            project = Project(path)
            age = time.time() - project.card.get("touched", path.stat().st_mtime + (self.days - 1) * _DAY)
            if age > self.days * _DAY and not project.busy:
                self.delete(project)
                count += 1
        return count

    def recover(self) -> None:
        """What was running when the studio ended is over: its worker went with it. Checkpoints remain."""
        for project in self:
            if project.busy:
                project.change("job", **(project.load("outcome") or {"state": "interrupted"}))


def clean(name: str) -> str:
    """A foreign name as it may be shown: its last part, on one line, not too long.

    >>> clean("../../etc/pass" + chr(0) + "wd"), clean("C:" + chr(92) + "people.csv"), len(clean("x" * 4096))
    ('passwd', 'people.csv', 80)
    """
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in last if c.isprintable() and not 0x202A <= ord(c) <= 0x202E)[:80].strip()


def home() -> Path:
    """Where projects lie unless one says otherwise."""
    base = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "synthloom" / "studio"
