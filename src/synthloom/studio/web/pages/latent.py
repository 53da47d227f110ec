"""The latent, made visible: where things lie, what lies near, and what lies between."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from synthloom.errors import SynthloomError
from synthloom.studio.web.forms import whole
from synthloom.studio.web.state import Here, Studio, TheStudio
from synthloom.studio.web.view import go, page, part

__all__ = ["routes"]

routes = APIRouter()

_LETTERS = 2_000


@routes.get("/p/{id}/latent")
def latent(request: Request, project: Here, studio: TheStudio) -> Response:
    """All of it; works with forms alone, and quicker with the script."""
    if not project.has_model:
        return go(request, f"/p/{project.id}/train")
    asked = _asked(request)
    facts = {name: _answer(studio, project, name, asked) for name in _VIEWS[project.kind]}
    where = project.load("map") if project.has_result else {}
    return page(request, "latent", project, asked=asked, map=where, rows=project.load("model")["items"], **_all(facts))


@routes.get("/p/{id}/latent/{name}")
def one(request: Request, project: Here, studio: TheStudio, name: str) -> Response:
    """Only the answer of one form."""
    if name not in _VIEWS[project.kind] or not project.has_model:
        return go(request, f"/p/{project.id}/latent")
    asked = _asked(request)
    return part(request, f"{name}.html", asked=asked, **_all({name: _answer(studio, project, name, asked)}))


_VIEWS = {
    "table": ("neighbours", "way"),
    "text": ("neighbours", "way"),
    "image": ("neighbours", "way", "traversal"),
}


def _all(facts: dict[str, Any]) -> dict[str, Any]:
    return {"neighbours": None, "way": None, "traversal": None} | facts


def _asked(request: Request) -> dict[str, Any]:
    """What the sliders and boxes say; what was never touched is as it begins."""
    said = request.query_params
    return {
        "row": whole(said.get("row", ""), "the number", 0, 10**9, 0),
        "to": whole(said.get("to", ""), "the other number", 0, 10**9, 1),
        "strength": whole(said.get("strength", ""), "how far", 0, 100, 30),
        "share": whole(said.get("share", ""), "the place", 0, 8, 4),
        "text": said.get("text", "")[:_LETTERS],
        "text_a": said.get("text_a", "")[:_LETTERS],
        "text_b": said.get("text_b", "")[:_LETTERS],
    }


def _answer(studio: Studio, project: Here, name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What the model answers, or why it does not."""
    try:
        return _ASK[name](studio, project, asked)
    except SynthloomError as error:
        return {"refused": str(error)}


def _neighbours(studio: Studio, project: Here, asked: dict[str, Any]) -> dict[str, Any]:
    strength = asked["strength"] / 100
    n = 10 if project.kind == "image" else 6
    return studio.explorer.ask(project, "vary", row=asked["row"], text=asked["text"], n=n, strength=strength)


def _way(studio: Studio, project: Here, asked: dict[str, Any]) -> dict[str, Any]:
    ends = {"a": asked["row"], "b": asked["to"], "text_a": asked["text_a"], "text_b": asked["text_b"]}
    return studio.explorer.ask(project, "interpolate", n=9, **ends)


def _traversal(studio: Studio, project: Here, asked: dict[str, Any]) -> dict[str, Any]:
    return studio.explorer.ask(project, "traverse", row=asked["row"])


_ASK = {"neighbours": _neighbours, "way": _way, "traversal": _traversal}
