"""synthloom vary"""

from __future__ import annotations

from typing import Annotated

import typer

from synthloom.cli.options import Force, ModelPath, Out, Seed, load_table, may_write


def run(
    model: ModelPath,
    data: Annotated[str, typer.Argument(metavar="INPUT", help="Rows to vary: a file, or -.")],
    out: Out,
    n: Annotated[int, typer.Option("--n", min=1, help="Neighbours of each row.")] = 10,
    strength: Annotated[
        float, typer.Option("--strength", min=0, max=1, help="0: the row's reconstruction; 1: a fresh draw.")
    ] = 0.5,
    seed: Seed = None,
    force: Force = False,
) -> None:
    """Draw neighbours of given rows."""
    path = may_write(out, force)
    table = load_table(model)
    from synthloom.sources import read_table, write_table

    write_table(table.vary(read_table(data), n, strength, seed=seed), path)
