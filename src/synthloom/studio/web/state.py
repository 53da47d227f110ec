"""What all pages share: the projects, who is at work, the secret of the address, and what may come in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from synthloom.studio.explorer import Explorer
from synthloom.studio.intake import Limits
from synthloom.studio.jobs import Jobs
from synthloom.studio.projects import Project, Projects

__all__ = ["Here", "Studio", "TheStudio"]


@dataclass
class Studio:
    """One studio, from its start to its end."""

    projects: Projects
    hosts: tuple[str, ...]
    """What it is called by whoever may call it: 127.0.0.1 and localhost, with the port."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    jobs: Jobs = field(default_factory=Jobs)
    explorer: Explorer = field(default_factory=Explorer)
    limits: Limits = field(default_factory=Limits)

    @property
    def base(self) -> str:
        """What every address begins with."""
        return f"/{self.token}"

    def close(self) -> None:
        self.explorer.close()
        self.jobs.close()


def _studio(request: Request) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


TheStudio = Annotated[Studio, Depends(_studio)]


def _project(id: str, studio: TheStudio) -> Project:
    if id not in studio.projects:
        raise HTTPException(404)
    return studio.projects[id]


Here = Annotated[Project, Depends(_project)]
"""The project that an address names."""
