"""From facts to pages: one set of templates, in which whatever comes from outside is text."""

from __future__ import annotations

import time
from functools import cache
from importlib import import_module
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from synthloom.studio.projects import Project

__all__ = ["STEPS", "drawing", "go", "page", "part"]

STEPS = {
    "data": "Data",
    "rules": "Rules",
    "train": "Train",
    "draw": "Draw",
    "result": "Result",
    "latent": "Latent",
}
"""The pages of a project, in the order in which one goes through them."""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("synthloom.studio.web")]),
        autoescape=True,  # by hand: what jinja2 chooses by the ending of a name leaves some alone
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"day": _day, "span": span, "percent": _percent}
    environment.globals |= {"STEPS": STEPS}
    return environment


def drawing() -> Any:
    """What draws the pictures. It takes seconds to import, so the first page does without."""
    return import_module("synthloom.studio.web.figures")


def part(request: Request, template: str, status: int = 200, **facts: Any) -> HTMLResponse:
    """A template with these facts. `base` is what every address begins with."""
    base = request.scope["root_path"]
    text = _environment().get_template(template).render(base=base, **facts)
    return HTMLResponse(text, status)


def page(request: Request, step: str, project: Project, status: int = 200, **facts: Any) -> HTMLResponse:
    """The page of a step of a project."""
    open_ = {
        "data": True,
        "rules": project.is_read,
        "train": project.is_read,
        "draw": project.has_model,
        "result": project.has_result or project.job.get("action") == "draw",
        "latent": project.has_model,
    }
    known = {
        "figures": drawing(),
        "project": project,
        "card": project.card,
        "job": project.job,
        "step": step,
        "open": open_,
    }
    return part(request, f"{step}.html", status, **known, **facts)


def go(request: Request, path: str) -> RedirectResponse:
    """On to another page, with nothing to send twice."""
    return RedirectResponse(request.scope["root_path"] + path, 303)


def _day(seconds: float) -> str:
    """
    >>> _day(0.0)[-4:]
    '1970'
    """
    return time.strftime("%-d %B %Y" if time.strftime("%-d") != "%-d" else "%d %B %Y", time.localtime(seconds))


def span(seconds: float | None) -> str:
    """
    >>> span(None), span(4.2), span(75), span(3 * 3600 + 62)
    ('', 'a few seconds', '1 min 15 s', '3 h 1 min')
    """
    if seconds is None:
        return ""
    whole = round(min(seconds, 359_999))
    if whole < 8:
        return "a few seconds"
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def _percent(share: float) -> str:
    """
    >>> _percent(0.0), _percent(0.004), _percent(0.237)
    ('0 %', '0.4 %', '24 %')
    """
    return f"{100 * share:.1f} %" if 0 < share < 0.01 else f"{100 * share:.0f} %"
