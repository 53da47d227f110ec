"""synthloom impute"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from synthloom.cli.options import Force, Items, ModelPath, Out, Seed, load_model, may_write, say
from synthloom.errors import UsageError


def run(
    model: ModelPath,
    data: Items,
    out: Out,
    how: Annotated[str, typer.Option("--how", help="draw: what is possible; best: a best guess.")] = "draw",
    n: Annotated[
        int | None, typer.Option("--n", min=1, help="Draw the whole table so often, numbered in a column: draw.")
    ] = None,
    seed: Seed = None,
    force: Force = False,
) -> None:
    """Fill the gaps of a table, and touch nothing else."""
    path = may_write(out, force)
    synthesizer: Any
    synthesizer, source = load_model(model)
    if not hasattr(synthesizer, "impute"):
        raise UsageError(f"only tables have gaps to fill, however: {model} is a model of {synthesizer.kind}s")
    rows = source.read(data)
    filled = synthesizer.impute(rows, n, how=how, seed=seed)
    if n is not None:
        filled = filled.reset_index(level="draw")
    written = source.write(filled.reset_index(drop=True), path)
    if path != "-":
        gaps, left = int(rows.isna().sum().sum()), int(filled.isna().sum().sum()) // (n or 1)
        say(f"{path}: {written:,} {source.things}, {gaps - left:,} of {gaps:,} gaps filled")
