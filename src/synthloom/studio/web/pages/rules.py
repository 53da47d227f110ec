"""Rules that every row keeps, and how far the model may learn of single rows: in words."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from synthloom.errors import UsageError
from synthloom.studio.web.forms import form
from synthloom.studio.web.state import Here
from synthloom.studio.web.view import go, page

__all__ = ["BUDGETS", "routes"]

routes = APIRouter()

BUDGETS = {
    "": ("No guarantee", "The model learns as well as it can. Alarms will tell if it repeats what it saw."),
    "8": ("A loose guarantee (ε = 8)", "Costs some likeness. No single row can change what is drawn by very much."),
    "3": ("A firm guarantee (ε = 3)", "Costs more. Wants some thousands of rows."),
    "1": ("A tight guarantee (ε = 1)", "Costs a lot. Wants tens of thousands of rows."),
}
"""Epsilon -> what it is called, and what it costs."""

SIGNS = {
    "<=": "is at most",
    "<": "is less than",
    ">=": "is at least",
    ">": "is more than",
    "==": "is",
    "!=": "is not",
}


@routes.get("/p/{id}/rules")
def rules(request: Request, project: Here) -> Response:
    """What has been said so far."""
    facts = project.load("facts")
    if not facts:
        return go(request, f"/p/{project.id}/data")
    names = [column["name"] for column in facts.get("columns", [])]
    settings = project.load("settings")
    return page(request, "rules", project, settings=settings, names=names, BUDGETS=BUDGETS, SIGNS=SIGNS)


@routes.post("/p/{id}/rules")
async def say(request: Request, project: Here) -> Response:
    """Keep it. Whether a rule can be kept is seen when the model learns."""
    sent = await form(request)
    names = [column["name"] for column in project.load("facts").get("columns", [])]
    said = [rule.strip()[:500] for rule in sent.all("rule") if rule.strip()]
    left, sign, value, other = (sent.get(name) for name in ("left", "sign", "value", "other"))
    if left and (value or other):
        said.append(_written(names, left, sign, other, value))
    budget = sent.get("epsilon")
    if budget not in BUDGETS:
        raise UsageError(f"epsilon must be one of {', '.join(b for b in BUDGETS if b)}, however: {budget[:20]!r}")
    project.change(
        "settings",
        protect="protect" in sent,
        aside="aside" in sent,
        epsilon=float(budget) if budget else None,
        rules=said[:50],
    )
    project.touch()
    return go(request, f"/p/{project.id}/{'train' if 'next' in sent else 'rules'}")


def _written(names: list[str], left: str, sign: str, other: str, value: str) -> str:
    """A rule as it is written; a name stands in backticks, a value that is no number in quotes.

    >>> _written(["age", "hours per week"], "age", "<=", "hours per week", ""), _written(["sex"], "sex", "==", "", "f")
    ('`age` <= `hours per week`', "`sex` == 'f'")
    """
    if left not in names or sign not in SIGNS or (other and other not in names) or "`" in left + other:
        raise UsageError("a rule must be about columns that there are, however: this one is not; go back and choose")
    if other:
        return f"`{left}` {sign} `{other}`"
    try:
        float(value)
    except ValueError:
        value = repr(value)
    return f"`{left}` {sign} {value}"
