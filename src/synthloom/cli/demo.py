"""synthloom demo"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthloom.cli.options import say


def run(
    out: Annotated[Path, typer.Option("--out", help="The folder to write to; made if it is not there.")] = Path(
        "synthloom-demo"
    ),
) -> None:
    """See the whole path on made-up hospital visits: fit, sample, judge. Takes about a minute."""
    from synthloom.datasets import visits
    from synthloom.evaluation import evaluate
    from synthloom.reporting import report
    from synthloom.sources import write_table
    from synthloom.synthesizers import TableSynthesizer

    out.mkdir(parents=True, exist_ok=True)
    people = visits(5_000, seed=0)
    real, holdout = people.iloc[:4_000], people.iloc[4_000:].reset_index(drop=True)
    say(f"fitting a model on {len(real):,} made-up hospital visits ...")
    table = TableSynthesizer(seed=0, max_time=45).fit(real)
    for column, notice in table.info_["notices"].items():
        say(f"  column {column}: {notice}")
    synthetic = table.sample(len(real), seed=0)
    say("judging ...")
    scores = evaluate(real, synthetic, holdout, target="readmitted")
    write_table(real, out / "real.csv")
    write_table(holdout, out / "holdout.csv")
    write_table(synthetic, out / "synthetic.csv")
    table.save(out / "visits.loom")
    scores.to_json(out / "scores.json")
    report(real, synthetic, out / "report.html", holdout, target="readmitted", model=table, scores=scores)
    print(synthetic.head(6).to_string(index=False))
    print()
    print(scores)
    print(f"\nwritten to {out}: report.html, synthetic.csv, scores.json, the model visits.loom, and real.csv")
