"""The first page: what there is, and a place to drop something new."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import Response

from synthloom.errors import UsageError
from synthloom.studio.intake import Intake
from synthloom.studio.web.state import Here, TheStudio
from synthloom.studio.web.uploads import receive
from synthloom.studio.web.view import go, part

__all__ = ["routes"]

routes = APIRouter()

KINDS = ("table", "text", "image")


@routes.get("/")
def home(request: Request, studio: TheStudio) -> Response:
    """All projects, the one worked on last first."""
    return part(request, "home.html", projects=list(studio.projects), studio=studio)


@routes.post("/projects")
async def upload(request: Request, studio: TheStudio) -> Response:
    """Take in files as a new project; what goes wrong leaves nothing behind."""
    project = studio.projects.new()
    raw = project.path("raw")
    raw.mkdir()
    intake = Intake(raw, studio.limits)
    try:
        words = await receive(request, intake)
        kind = await asyncio.to_thread(intake.finish)
        said = words.get("kind", "")
        if said and said not in KINDS:
            raise UsageError(f"the kind of data must be one of {', '.join(KINDS)}, however: {said[:20]!r}")
    except BaseException:
        studio.projects.delete(project)
        raise
    project.introduce(intake.name, said or kind, labels=intake.labels, files=intake.count)
    studio.jobs.start(project, "read")
    return go(request, f"/p/{project.id}/data")


@routes.get("/p/{id}/delete")
def ask(request: Request, project: Here) -> Response:
    """Deleting is final, so it is asked for twice."""
    return part(request, "delete.html", project=project, card=project.card)


@routes.post("/p/{id}/delete")
def delete(request: Request, project: Here, studio: TheStudio) -> Response:
    """The project and all that belongs to it, now."""
    studio.jobs.end(project)
    studio.explorer.close(project)
    studio.projects.delete(project)
    return go(request, "/")
