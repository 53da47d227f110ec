"""synthloom report"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthloom.cli.options import Force, may_write


def run(
    real: Annotated[str, typer.Argument(help="The real table that the model was trained on.")],
    synthetic: Annotated[str, typer.Argument(help="The synthetic table, from whatever tool.")],
    out: Annotated[str, typer.Option("--out", help="Where to write: .html, .md or .json.", show_default=False)],
    holdout: Annotated[
        str | None, typer.Option("--holdout", help="Real rows that the model has not seen: the yardstick.")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", help="The column to predict, for utility.")] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="The model that made the rows: its training goes into the report.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="For what is estimated from random parts.")] = 0,
    full: Annotated[
        bool, typer.Option("--full", help="Show rare values and the ends of numbers too: not for sharing.")
    ] = False,
    force: Force = False,
) -> None:
    """Judge a synthetic table beside the real one, in one page that can be read anywhere."""
    from synthloom.reporting import form_of, report
    from synthloom.sources import read_table
    from synthloom.synthesizers import load

    path = may_write(out, force)
    form_of(path)  # before the work, not after it
    held = read_table(holdout) if holdout is not None else None
    fitted = load(model) if model is not None else None
    facts = report(
        read_table(real), read_table(synthetic), path, held, target=target, seed=seed, model=fitted, shareable=not full
    )
    for sentence in facts["verdict"]["sentences"]:
        print(f"{sentence['aspect']}: {sentence['text']}")
