"""Drawing: how many, what they shall be like, and by which seed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from synthloom.errors import UsageError
from synthloom.studio.web.forms import Form, form, whole
from synthloom.studio.web.state import Here, TheStudio
from synthloom.studio.web.view import go, page

__all__ = ["routes"]

routes = APIRouter()

MOST = {"table": 5_000_000, "text": 100_000, "image": 20_000}


@routes.get("/p/{id}/draw")
def draw(request: Request, project: Here) -> Response:
    """A picker for each column of which something can be asked."""
    if not project.has_model:
        return go(request, f"/p/{project.id}/train")
    columns = project.load("pickers")["columns"]
    learnt = project.load("model")
    return page(request, "draw", project, columns=columns, model=learnt, most=MOST[project.kind])


@routes.post("/p/{id}/draw")
async def begin(request: Request, project: Here, studio: TheStudio) -> Response:
    """Begin to draw, and show what comes."""
    sent = await form(request)
    if not project.has_model:
        return go(request, f"/p/{project.id}/train")
    n = whole(sent.get("n"), "how many", 1, MOST[project.kind], 1_000)
    seed = whole(sent.get("seed"), "seed", 0, 2**31)
    columns = enumerate(project.load("pickers")["columns"])
    given = [asked for i, column in columns if (asked := _asked(column, f"c{i}", sent))]
    if not studio.jobs.start(project, "draw", n=n, seed=seed, given=given):
        raise UsageError("one thing can be done for a project at a time, however: something is being done; wait for it")
    project.touch()
    return go(request, f"/p/{project.id}/result")


def _asked(column: dict[str, Any], field: str, sent: Form) -> dict[str, Any] | None:
    """What is asked of a column, if anything is."""
    name = column["name"]
    if "values" in column:
        chosen = [value for value in sent.all(field) if value in column["values"]]
        return {"name": name, "values": chosen, "said": f"{name}: {', '.join(chosen)}"} if chosen else None
    if column["type"] == "word":
        word = sent.get(field)
        return {"name": name, "word": word, "said": f"{name}: {word}"} if word else None
    low, high = sent.get(f"{field}-low"), sent.get(f"{field}-high")
    if column["type"] == "number":
        for end in (low, high):
            _number(end, name)
    if not low and not high:
        return None
    words = f"from {low} to {high}" if low and high else f"{low} or more" if low else f"{high} or less"
    return {"name": name, "low": low, "high": high, "said": f"{name}: {words}"}


def _number(text: str, name: str) -> None:
    try:
        float(text or 0)
    except ValueError:
        raise UsageError(f"column {name!r} must be asked for by numbers, however: {text[:30]!r}") from None
