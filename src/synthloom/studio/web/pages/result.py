"""What was drawn, beside what is real; the verdict; and all that can be taken along."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from synthloom.studio.web.pages.files import offered
from synthloom.studio.web.state import Here
from synthloom.studio.web.view import go, page, part

__all__ = ["routes"]

routes = APIRouter()


@routes.get("/p/{id}/result")
def result(request: Request, project: Here) -> Response:
    """As much as there is by now."""
    found = project.load("result")
    if not found and project.job.get("action") != "draw":
        return go(request, f"/p/{project.id}/draw")
    return page(request, "result", project, result=found, stage=_stage(project, found), files=offered(project))


@routes.get("/p/{id}/result/live")
def live(request: Request, project: Here, seen: str = "") -> Response:
    """How far it is; when there is more to see than was `seen`, the page is to be loaded anew."""
    stage = _stage(project, project.load("result"))
    answer = part(request, "stage.html", stage=stage, job=project.job)
    if stage != seen:
        answer.headers["x-studio"] = "over"
    return answer


def _stage(project: Here, result: dict[str, Any]) -> str:
    """Nothing follows the verdict, though its worker takes a moment to end: the page is at rest from there on."""
    if not project.busy:
        return ""
    stage = str(project.load("live").get("stage", "waiting")) if project.job["state"] == "running" else "waiting"
    return "" if stage == "judging" and "verdict" in result else stage
