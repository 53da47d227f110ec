"""synthloom evaluate"""

from __future__ import annotations

from typing import Annotated

import typer

from synthloom.cli.options import Force, may_write


def run(
    real: Annotated[str, typer.Argument(help="The real table that the model was trained on.")],
    synthetic: Annotated[str, typer.Argument(help="The synthetic table, from whatever tool.")],
    holdout: Annotated[
        str | None, typer.Option("--holdout", help="Real rows that the model has not seen: the yardstick.")
    ] = None,
    json: Annotated[str | None, typer.Option("--json", help="Write the scores to this file as well.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="The column to predict, for utility.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="For what is estimated from random parts.")] = 0,
    force: Force = False,
) -> None:
    """Judge a synthetic table beside the real one: how alike, how useful, how safe."""
    path = may_write(json, force) if json is not None else None
    from synthloom.evaluation import evaluate
    from synthloom.sources import read_table

    held = read_table(holdout) if holdout is not None else None
    scores = evaluate(read_table(real), read_table(synthetic), held, target=target, seed=seed)
    print(scores)
    if path is not None:
        scores.to_json(path)
