"""The report's pictures, drawn from its facts: real data in one colour and form, synthetic data in another.

All are laid out for a width of about 340, so that their letters can be read on a telephone; colours are the page's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from synthloom.reporting.marginals import label
from synthloom.reporting.svg import Axis, drawing, hover, short, tag, ticks

__all__ = ["bars", "bins", "curves", "difference", "ladder", "marginal", "matrix", "percent", "training"]

WIDTH = 340.0
_LEFT = 116.0
_PITCH = 20.0


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def marginal(column: Mapping[str, Any]) -> Markup | str:
    """One column: paired bars of a category, paired histograms of a number, a date or a duration."""
    draw = {"bars": bars, "bins": bins}.get(column["figure"])
    return draw(str(column["column"]), column) if draw else ""


def bars(name: str, figure: Mapping[str, Any]) -> Markup:
    """A row for each value: the real share above, the synthetic below, both in figures at the end."""
    letters = min(max(len(short(text, 17)) for text in figure["labels"]), 17)
    left = 14 + 6.2 * letters
    axis = Axis(0, max(*figure["real"], *figure["synthetic"], 1e-9), left, 262)
    rows = []
    for i, (text, real, synthetic) in enumerate(
        zip(figure["labels"], figure["real"], figure["synthetic"], strict=True)
    ):
        y = 4 + i * _PITCH
        rows.append(
            hover(
                f"{text}: real {percent(real)}, synthetic {percent(synthetic)}",
                tag("rect", x=0, y=y - 3, width=WIDTH, height=_PITCH, class_="touch"),
                tag("text", short(text, 17), x=left - 6, y=y + 10, class_="end"),
                tag("rect", x=left, y=y, width=axis(real) - left, height=6, class_="real"),
                tag("rect", x=left, y=y + 7, width=axis(synthetic) - left, height=6, class_="synthetic"),
                tag("text", f"{100 * real:.1f} · {100 * synthetic:.1f}", x=WIDTH, y=y + 10, class_="end quiet"),
            )
        )
    off = max(
        zip(figure["labels"], figure["real"], figure["synthetic"], strict=True), key=lambda row: abs(row[1] - row[2])
    )
    about = f"Shares of {len(rows)} values. Most off: {off[0]}, real {percent(off[1])}, synthetic {percent(off[2])}."
    return drawing(f"{name}: shares of values, real and synthetic", about, WIDTH, 6 + len(rows) * _PITCH, *rows)


def bins(name: str, figure: Mapping[str, Any]) -> Markup:
    """Real rows as filled bars, synthetic ones as the outline of theirs."""
    edges, real, synthetic = figure["edges"], figure["real"], figure["synthetic"]
    top, bottom = 14.0, 108.0
    x = Axis(edges[0], edges[-1], 2, WIDTH - 2, log=figure["log"])
    highest = max(*real, *synthetic, 1e-9)
    y = Axis(0, highest, bottom, top)
    marks, line = [], f"M{x(edges[0]):.1f} {bottom:.1f}"
    for i, (of_real, of_synthetic) in enumerate(zip(real, synthetic, strict=True)):
        left, right = x(edges[i]), x(edges[i + 1])
        marks.append(
            hover(
                f"{_between(figure, i)}: real {percent(of_real)}, synthetic {percent(of_synthetic)}",
                tag("rect", x=left, y=top, width=right - left, height=bottom - top, class_="touch"),
                tag(
                    "rect",
                    x=left,
                    y=y(of_real),
                    width=max(right - left - 0.6, 0.4),
                    height=bottom - y(of_real),
                    class_="real",
                ),
            )
        )
        line += f"V{y(of_synthetic):.1f}H{right:.1f}"
    scale = [
        tag(
            "g",
            tag("line", x1=x(at), x2=x(at), y1=bottom, y2=bottom + 4, class_="axis"),
            tag("text", text, x=min(max(x(at), 12), WIDTH - 14), y=bottom + 16, class_="middle quiet"),
        )
        for at, text in ticks(x, figure["type"])
    ]
    off = max(range(len(real)), key=lambda i: abs(real[i] - synthetic[i]))
    about = (
        f"Histogram of {len(real)} bins. Most off: {_between(figure, off)}, real {percent(real[off])}, synthetic "
        f"{percent(synthetic[off])}."
    )
    return drawing(
        f"{name}: histogram, real and synthetic",
        about,
        WIDTH,
        bottom + 20,
        tag("text", f"{100 * highest:.0f} %" if highest >= 0.1 else percent(highest), x=2, y=10, class_="quiet"),
        *marks,
        tag("path", d=line + f"V{bottom:.1f}", class_="synthetic outline"),
        tag("line", x1=0, x2=WIDTH, y1=bottom, y2=bottom, class_="axis"),
        *scale,
    )


def _between(figure: Mapping[str, Any], i: int) -> str:
    low, high = figure["edges"][i], figure["edges"][i + 1]
    if figure["whole"]:
        low, high = low + 0.5, high - 0.5
    words = label(low, figure["type"]) if low == high else f"{_label(low, figure)} to {_label(high, figure)}"
    if i in (0, len(figure["real"]) - 1):
        words += " and beyond"
    return words


def _label(value: float, figure: Mapping[str, Any]) -> str:
    unit = figure.get("unit")
    return f"{value:.4g} {unit}" if unit else label(value, figure["type"])


def ladder(scores: Sequence[Mapping[str, Any]]) -> Markup | str:
    """How far each score has come on the way from independent columns to held-out real rows."""
    climbed = []
    for score in scores:
        value, base, top = score["value"], score["baseline"], score["reference"]
        sign = 1 if score["better"] == "higher" else -1
        if (
            score["name"] != "utility_real"
            and None not in (value, base, top)
            and sign * (top - base) > 1e-3 * max(abs(top), abs(base))
        ):
            climbed.append((score["name"], (value - base) / (top - base), score))
    if not climbed:
        return ""
    axis = Axis(-0.15, 1.15, _LEFT + 6, WIDTH - 6)
    bottom = 18 + len(climbed) * _PITCH
    rows = []
    for i, (name, share, score) in enumerate(climbed):
        y = 14 + (i + 0.5) * _PITCH
        words = (
            f"{name}: {score['value']:.3g}; independent columns {score['baseline']:.3g}, "
            f"held-out {score['reference']:.3g}"
        )
        rows.append(
            hover(
                words,
                tag("rect", x=0, y=y - 9, width=WIDTH, height=_PITCH - 2, class_="touch"),
                tag("text", name, x=_LEFT - 6, y=y + 4, class_="end"),
                tag("line", x1=axis(0), x2=axis(share), y1=y, y2=y, class_="stem"),
                tag("circle", cx=axis(share), cy=y, r=4.5, class_="synthetic"),
            )
        )
    posts = [
        tag(
            "g",
            tag("line", x1=axis(at), x2=axis(at), y1=14, y2=bottom, class_="axis dashed"),
            tag("text", text, x=axis(at), y=10, class_="middle quiet"),
        )
        for at, text in ((0, "independent"), (1, "held-out"))
    ]
    worst = min(climbed, key=lambda row: row[1])
    about = (
        f"{len(climbed)} scores on the way from independent to held-out real data. Least far: {worst[0]}, "
        f"{100 * worst[1]:.0f} % of the way."
    )
    return drawing("How far the synthetic table has come", about, WIDTH, bottom + 4, *posts, *rows)


def matrix(title: str, names: Sequence[Any], values: Sequence[Sequence[float]], *, signed: bool = False) -> Markup:
    """Pairs of columns as a triangle of cells, the name of each column at its corner.

    Unsigned values fill a cell by their square root, so that weak dependence is seen as well; signed ones by their
    size, in one colour for more and another for less.
    """
    C, cell = len(names), 12.0
    most = max((abs(values[i][j]) for i in range(C) for j in range(i)), default=0.0) or 1.0
    marks = []
    for i in range(C):
        for j in range(i):
            value = values[i][j]
            strength = min(1.0, abs(value) / max(most, 0.05)) if signed else min(1.0, max(value, 0.0)) ** 0.5
            kind = ("more" if value > 0 else "less") if signed else "depend"
            marks.append(
                hover(
                    f"{names[i]}, {names[j]}: {value:+.2f}" if signed else f"{names[i]}, {names[j]}: {value:.2f}",
                    tag(
                        "rect",
                        x=j * cell,
                        y=i * cell,
                        width=cell - 1,
                        height=cell - 1,
                        class_=f"{kind} cell",
                        fill_opacity=f"{max(strength, 0.04):.2f}",
                    ),
                )
            )
        marks.append(tag("text", short(names[i], 16), x=i * cell + 1, y=(i + 1) * cell - 3, class_="small"))
    about = f"{C * (C - 1) // 2} pairs of {C} columns; the largest value is {most:.2f}."
    return drawing(title, about, C * cell + 84, C * cell + 2, *marks)


def difference(dependence: Mapping[str, Any]) -> list[list[float]]:
    """How much stronger each dependence is in the synthetic table."""
    pairs = zip(dependence["synthetic"], dependence["real"], strict=True)
    return [[b - a for b, a in zip(synthetic, real, strict=True)] for synthetic, real in pairs]


def curves(
    title: str,
    about: str,
    x_values: Sequence[float],
    lines: Mapping[str, Sequence[float | None]],
    x_words: str,
    log: bool = False,
) -> Markup:
    """Lines over a common axis, each named at its end of the legend by its class; `log` scales both axes by ratios."""
    known = [y for line in lines.values() for y in line if y is not None]
    if not known or len(x_values) < 2:
        return Markup("")
    top, bottom, left = 10.0, 130.0, 36.0
    x = Axis(min(x_values), max(x_values), left, WIDTH - 6, log)
    spread = (max(known) - min(known)) or 1.0
    least = max(0.0, min(known) - 0.05 * spread) if min(known) >= 0 else min(known)
    y = Axis(min(known) / 1.5, 1.5 * max(known), bottom, top, log) if log else Axis(least, max(known), bottom, top)
    drawn = [
        tag(
            "polyline",
            points=" ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(x_values, line, strict=True) if b is not None),
            class_=f"line {kind}",
        )
        for kind, line in lines.items()
    ]
    dots = [
        hover(
            f"{a:g} {x_words}: "
            + ", ".join(f"{kind} {line[i]:.4g}" for kind, line in lines.items() if line[i] is not None),
            tag("rect", x=x(a) - 4, y=top, width=8, height=bottom - top, class_="touch"),
        )
        for i, a in enumerate(x_values)
    ]
    scales = [tag("text", text, x=x(at), y=bottom + 16, class_="middle quiet") for at, text in ticks(x)] + [
        tag("text", text, x=left - 5, y=y(at) + 4, class_="end quiet") for at, text in ticks(y, most=4)
    ]
    frame = tag("path", d=f"M{left} {top}V{bottom}H{WIDTH}", class_="axis frame")
    words = tag("text", x_words, x=WIDTH - 4, y=bottom + 30, class_="end quiet")
    return drawing(title, about, WIDTH, bottom + 36, frame, *scales, words, *drawn, *dots)


def training(history: Mapping[str, Sequence[float | None]]) -> Markup:
    """The loss by epoch, on training and on validation rows."""
    lines = {
        name: history[key] for name, key in (("training", "loss"), ("validation", "validation_loss")) if key in history
    }
    about = f"Loss over {len(history.get('epoch', []))} epochs."
    return curves("Training curves", about, [x for x in history.get("epoch", []) if x is not None], lines, "epochs")
