"""Facts as one page that needs nothing else: no script, no network, no other file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from synthloom.reporting import charts, figures

__all__ = ["render"]

_TEMPLATES = {"table": "report.html", "text": "texts.html", "image": "images.html"}
"""Kind of data -> its page."""

_MOST_COLUMNS = 60
"""Cards for so many columns, those that are most off; the JSON form has all."""


def render(facts: Mapping[str, Any]) -> str:
    """The page."""
    environment = Environment(
        loader=PackageLoader("synthloom.reporting"),
        autoescape=True,  # by hand: what jinja2 chooses by the ending of a name leaves some alone
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "interval": interval, "error": error, "breakable": breakable}
    scores = {score["name"]: score for score in facts["scores"]}
    return environment.get_template(_TEMPLATES[facts["kind"]]).render(
        facts=facts,
        scores=scores,
        columns=facts.get("columns", [])[:_MOST_COLUMNS],
        figures=figures,
        charts=charts,
    )


def number(value: float | None) -> str:
    """
    >>> number(None), number(0.12345), number(12.345), number(1234567)
    ('–', '0.123', '12.3', '1,234,567')
    """
    if value is None:
        return "–"
    if isinstance(value, int) or abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def breakable(name: str) -> Markup:
    """A name that may be broken where its words meet.

    >>> breakable("dcr_share")
    Markup('dcr_<wbr>share')
    """
    return Markup("_<wbr>").join(name.split("_"))


def interval(pair: list[float] | None) -> str:
    return "" if pair is None else f"{number(pair[0])} to {number(pair[1])}"


def error(column: Mapping[str, Any]) -> str:
    """How far a column is off, beside held-out real rows."""
    if column["shape_error"] is None:
        return "not compared"
    held = "" if column["reference"] is None else f" (held-out {column['reference']:.1f} %)"
    return f"off by {column['shape_error']:.1f} %{held}"
