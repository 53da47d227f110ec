"""synthloom interpolate"""

from __future__ import annotations

from typing import Annotated

import typer

from synthloom.cli.options import Force, ModelPath, Out, load_table, may_write, read_row


def run(
    model: ModelPath,
    start: Annotated[str, typer.Option("--from", help="A row: people.csv, or people.csv:12 for row 12, from 0.")],
    stop: Annotated[str, typer.Option("--to", help="Another row, named the same way.")],
    out: Out,
    steps: Annotated[int, typer.Option("--steps", min=2, help="How many rows, both ends included.")] = 5,
    force: Force = False,
) -> None:
    """Walk from one row to another through the latent."""
    path = may_write(out, force)
    table = load_table(model)
    from synthloom.sources import write_table

    write_table(table.interpolate(read_row(start), read_row(stop), steps), path)
