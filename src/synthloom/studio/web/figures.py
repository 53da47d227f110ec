"""The studio's pictures, in the style of the report's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from synthloom.reporting.figures import curves, percent
from synthloom.reporting.svg import Axis, drawing, hover, short, tag

__all__ = ["curve", "latent_map", "spark"]

_WIDE, _HIGH = 120.0, 34.0


def spark(name: str, figure: Mapping[str, Any]) -> Markup | str:
    """A column at a glance: its bars or bins, and no more."""
    shares = figure.get("real", [])
    if figure["figure"] not in ("bars", "bins") or not shares:
        return ""
    pitch, y = _WIDE / len(shares), Axis(0, max(*shares, 1e-9), 0, _HIGH - 2)
    gap = 1.0 if figure["figure"] == "bars" else 0.4
    marks = []
    for i, share in enumerate(shares):
        words = figure["labels"][i] if figure["figure"] == "bars" else f"bin {i + 1}"
        bar = tag(
            "rect", x=i * pitch, y=_HIGH - y(share), width=max(pitch - gap, 0.5), height=y(share) or 0.5, class_="real"
        )
        marks.append(hover(f"{words}: {percent(share)}", bar))
    what = "values" if figure["figure"] == "bars" else "numbers"
    about = f"Shares of {len(shares)} {'bars' if figure['figure'] == 'bars' else 'bins'}."
    return drawing(f"{short(name, 40)}: how its {what} are spread", about, _WIDE, _HIGH, *marks, class_="figure spark")


def curve(points: Sequence[Sequence[float | None]]) -> Markup | str:
    """The loss so far."""
    steps = [point[0] for point in points if point[0] is not None]
    lines = {"training": [p[1] for p in points], "validation": [p[2] for p in points]}
    lines = {name: line for name, line in lines.items() if any(value is not None for value in line)}
    last = next((p[1] for p in reversed(points) if p[1] is not None), None)
    about = f"The loss after {steps[-1]:.0f} steps is {last:.4g}." if steps and last is not None else ""
    return curves("Loss while training", about, steps, lines, "steps")


def latent_map(found: Mapping[str, Any], chosen: int) -> Markup | str:
    """Real items and synthetic ones where their codes lie; a real one can be chosen."""
    real, synthetic = found["real"], found["synthetic"]
    both = [*real, *synthetic]
    if not both:
        return ""
    width, height = 340.0, 260.0
    x = Axis(*_ends([place[0] for place in both]), 8, width - 8)
    y = Axis(*_ends([place[1] for place in both]), height - 8, 8)
    fakes = [tag("circle", cx=x(a), cy=y(b), r=2.2, class_="synthetic dot") for a, b in synthetic]
    reals = []
    for row, (a, b) in zip(found["rows"], real, strict=True):
        here = row == chosen
        kind, size = ("chosen", 6.0) if here else ("real dot", 3.0)
        # the script takes a click; by keyboard one types the number: hundreds of stops would be no help
        reals.append(hover(f"number {row}", tag("circle", cx=x(a), cy=y(b), r=size, class_=kind), data_row=row))
    about = f"{len(real)} real and {len(synthetic)} synthetic ones, where the model's code spreads the most."
    return drawing("Where they lie in the latent", about, width, height, *fakes, *reals, class_="figure map")


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """All but the outermost hundredth, which would leave the others no room."""
    ordered = sorted(values)
    cut = len(ordered) // 100
    return ordered[cut], ordered[-1 - cut]
