"""synthloom evaluate"""

from __future__ import annotations

from typing import Annotated

import typer

from synthloom.cli.options import Force, judged_by, judged_kind, may_write


def run(
    real: Annotated[str, typer.Argument(help="The real data that the model was trained on.")],
    synthetic: Annotated[str, typer.Argument(help="The synthetic data, from whatever tool.")],
    holdout: Annotated[
        str | None, typer.Option("--holdout", help="Real data that the model has not seen: the yardstick.")
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="table, text or image; none: what the files are.")] = None,
    json: Annotated[str | None, typer.Option("--json", help="Write the scores to this file as well.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="Tables: the column to predict, for utility.")] = None,
    reconstruction: Annotated[
        str | None, typer.Option("--reconstruction", help="Texts: what `reconstruct` made of the held-out ones.")
    ] = None,
    canary: Annotated[
        list[str] | None, typer.Option("--canary", help="Texts: a secret planted among the real ones; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="For what is estimated from random parts.")] = 0,
    force: Force = False,
) -> None:
    """Judge synthetic data beside the real: how alike, how useful, how safe."""
    path = may_write(json, force) if json is not None else None
    from synthloom.evaluation import evaluate

    kind = judged_kind(real, kind)
    asked = judged_by(kind, target=target, reconstruction=reconstruction, canaries=canary)
    scores = evaluate(real, synthetic, holdout, kind=kind, seed=seed, **asked)
    print(scores)
    if path is not None:
        scores.to_json(path)
