"""Draws the pictures of docs/judging.md with the report's own figures.

    python benchmarks/judge_figures.py [--out docs/figures]

The data are made-up hospital visits: a TVAE trained for 20 seconds, and a slightly noisy copy of the training rows;
for precision and recall, three clouds of points in a plane.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

import synthloom as sl
from synthloom import reporting
from synthloom.metrics import Context
from synthloom.metrics.table.read import read_tables
from synthloom.metrics.table.support import alpha_precision, beta_recall
from synthloom.reporting import charts, figures
from synthloom.reporting.svg import drawing, tag

CSS = (Path(reporting.__file__).parent / "templates" / "report.css").read_text("utf-8")
STYLE = (
    CSS[: CSS.index("* { box-sizing")]  # the colours of light and dark
    + CSS[CSS.index(".figure {") : CSS.index(".legend {")]
    + "svg { font-family: system-ui, sans-serif; } .ground { fill: var(--paper); }\n"
    + ".head { font-size: 13px; font-weight: 600; fill: var(--ink); }\n"
)
GAP, EDGE, HEAD = 36, 10, 22


def alone(path: Path, *panels: tuple[str, Any], beside: int = 9) -> None:
    """One file with so many pictures beside each other in each row, their words above them."""
    right, top, below, width_of_all, drawn = 0.0, 0.0, 0.0, 0.0, []
    for i, (words, panel) in enumerate(panels):
        width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', str(panel)).groups())
        if i and i % beside == 0:
            right, top = 0.0, below + HEAD
        place = f'<svg x="{right:g}" y="{top + HEAD:g}" width="{width:g}" height="{height:g}" '
        drawn.append(tag("text", words, x=right, y=top + 12, class_="head"))
        drawn.append(Markup(re.sub(r' width="\d+"', "", str(panel), count=1).replace("<svg ", place, 1)))
        right, below = right + width + GAP, max(below, top + HEAD + height)
        width_of_all = max(width_of_all, right)
    size = width_of_all - GAP + 2 * EDGE, below + 2 * EDGE
    ground = tag("rect", x=-EDGE, y=-EDGE, width=size[0], height=size[1], class_="ground")
    picture = tag(
        "svg",
        tag("style", Markup(STYLE)),
        ground,
        *drawn,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"{-EDGE} {-EDGE} {size[0]:g} {size[1]:g}",
        width=size[0],
        height=size[1],
    )
    path.write_text(f"{picture}\n", "utf-8")
    print(path, f"{len(picture) / 1000:.0f} kB")


def cloud(real: pd.DataFrame, synthetic: pd.DataFrame) -> tuple[str, Markup]:
    """Real points as dots, synthetic ones as rings, and what alpha-precision and beta-recall make of them."""
    tables, _ = read_tables({"real": real, "synthetic": synthetic})
    precision, recall = (metric(*tables, None, Context()).value for metric in (alpha_precision, beta_recall))
    size, few = 220.0, 250
    dots = [
        tag("circle", cx=size / 2 + 24 * x, cy=size / 2 - 24 * y, r=1.8, class_="point-real")
        for x, y in real.head(few).to_numpy()
    ]
    rings = [
        tag("circle", cx=size / 2 + 24 * x, cy=size / 2 - 24 * y, r=2.4, class_="point-synthetic")
        for x, y in synthetic.head(few).to_numpy()
    ]
    style = tag(
        "style", Markup(".point-real { fill: var(--real); } .point-synthetic { fill: none; stroke: var(--synthetic); }")
    )
    words = f"alpha {precision:.2f}, beta {recall:.2f}"
    return words, drawing(words, "Points in a plane, real and synthetic", size, size, style, *dots, *rings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    folder = parser.parse_args().out
    real, holdout = sl.datasets.visits(4_000, seed=0), sl.datasets.visits(2_000, seed=1)
    rng = np.random.default_rng(0)
    made = sl.TableSynthesizer("tvae", seed=0, max_time=20, threads=1).fit(real, progress=False).sample(4_000, seed=1)
    nudged = real.assign(
        cost=(real["cost"] * rng.normal(1, 0.02, 4_000)).round(2),
        blood_pressure=real["blood_pressure"] + rng.integers(-2, 3, 4_000),
    )
    facts = reporting.gather(real, made, holdout, target="readmitted", progress=False)
    copied = reporting.gather(real, nudged, holdout, target="readmitted", progress=False)
    scores, of_copy = ({score["name"]: score for score in found["scores"]} for found in (facts, copied))
    columns = {column["column"]: column for column in facts["columns"]}

    alone(
        folder / "judging_ladder.svg",
        ("a TVAE", figures.ladder(facts["scores"])),
        ("a noisy copy", figures.ladder(copied["scores"])),
    )
    alone(
        folder / "judging_columns.svg",
        *((name, figures.marginal(columns[name])) for name in ("cost", "admitted", "ward")),
    )
    dependence = facts["dependence"]
    names = dependence["columns"]
    alone(
        folder / "judging_dependence.svg",
        ("real", figures.matrix("Real", names, dependence["real"])),
        ("synthetic", figures.matrix("Synthetic", names, dependence["synthetic"])),
        ("difference", figures.matrix("Difference", names, figures.difference(dependence), signed=True)),
    )
    points = pd.DataFrame(rng.normal(size=(2_000, 2)), columns=["x", "y"])
    again = pd.DataFrame(rng.normal(size=(2_000, 2)), columns=["x", "y"])
    alone(
        folder / "judging_support.svg",
        *(
            (f"{words}: {numbers}", picture)
            for words, (numbers, picture) in (
                ("fresh", cloud(points, again)),
                ("too narrow", cloud(points, 0.4 * again)),
                ("too wide", cloud(points, 1.8 * again)),
            )
        ),
    )
    alone(
        folder / "judging_detection.svg",
        ("what gives it away", charts.telling(scores["detection"]["detail"]["columns"])),
    )
    alone(
        folder / "judging_use.svg",
        ("tested on held-out real rows", charts.usefulness(scores["utility"]["detail"]["targets"])),
    )
    alone(
        folder / "judging_attacks.svg",
        ("a TVAE", charts.attacks(scores)),
        ("a noisy copy", charts.attacks(of_copy)),
    )
    alone(
        folder / "judging_distances.svg",
        ("a TVAE: distance to the nearest real row", charts.distances(scores["dcr_share"]["detail"])),
        ("a noisy copy", charts.distances(of_copy["dcr_share"]["detail"])),
    )


if __name__ == "__main__":
    main()
