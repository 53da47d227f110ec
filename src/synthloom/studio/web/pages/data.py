"""What the data are: columns with their types and roles, or texts, or images, as they were found."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from synthloom.errors import UsageError
from synthloom.studio.web.forms import form, whole
from synthloom.studio.web.state import Here, TheStudio
from synthloom.studio.web.view import go, page

__all__ = ["routes"]

routes = APIRouter()

_AT_A_TIME = 40
"""Columns on one page, at most."""

ROLES = {"use": "in the table", "target": "in it, to be predicted", "out": "kept out"}


@routes.get("/p/{id}")
def begin(request: Request, project: Here) -> Response:
    """Where one was."""
    step = "result" if project.has_result else "draw" if project.has_model else "data"
    if project.job.get("action") == "train" and not project.has_model:
        step = "train"
    return go(request, f"/p/{project.id}/{step}")


@routes.get("/p/{id}/data")
def data(request: Request, project: Here) -> Response:
    """What was found; while it is being looked for, so much is said."""
    facts, said = project.load("facts"), project.load("settings").get("columns", {})
    columns = facts.get("columns", [])
    start = whole(request.query_params.get("from", ""), "the column", 0, max(0, len(columns) - 1), 0)
    shown = list(enumerate(columns))[start : start + _AT_A_TIME]
    pages = [(first, min(first + _AT_A_TIME, len(columns))) for first in range(0, len(columns), _AT_A_TIME)]
    return page(request, "data", project, facts=facts, said=said, start=start, shown=shown, pages=pages, ROLES=ROLES)


@routes.post("/p/{id}/data")
async def say(request: Request, project: Here, studio: TheStudio) -> Response:
    """Keep what the user says of the columns; a type that is new to us is tried on the data."""
    sent, facts = await form(request), project.load("facts")
    old = project.load("settings").get("columns", {})
    columns: dict[str, dict[str, Any]] = dict(old)
    for i, column in enumerate(facts.get("columns", [])):
        if f"role-{i}" not in sent and f"type-{i}" not in sent:  # it is on another page
            continue
        role, type_ = sent.get(f"role-{i}") or "use", sent.get(f"type-{i}")
        if role not in ROLES or (type_ and type_ not in facts["types"]):
            raise UsageError("a column must have a type and a role of the list, however: one has another")
        said = {"role": role} if role != "use" else {}
        if type_ and (type_ != column["type"] or "type" in old.get(str(i), {})):
            said["type"] = type_
        columns.pop(str(i), None)
        if said:
            columns[str(i)] = said
    if sum(column.get("role") == "target" for column in columns.values()) > 1:
        raise UsageError("one column at most can be the one to be predicted, however: several are; go back and choose")
    project.change("settings", columns=columns)
    project.touch()
    if any(old.get(i, {}).get("type") != column.get("type") for i, column in columns.items()):
        studio.jobs.start(project, "read")
    start = whole(sent.get("go") or sent.get("from"), "the column", 0, len(facts.get("columns", [])), 0)
    return go(request, f"/p/{project.id}/{'rules' if 'next' in sent else f'data?from={start}' if start else 'data'}")
