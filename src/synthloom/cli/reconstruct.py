"""synthloom reconstruct"""

from __future__ import annotations

from typing import Annotated

import typer

from synthloom.cli.options import Force, ModelPath, Out, load_table, may_write


def run(
    model: ModelPath,
    data: Annotated[str, typer.Argument(help="Rows like those of training: a file, or -.")],
    out: Out,
    force: Force = False,
) -> None:
    """Send rows through the latent and back: what the model remembers of each."""
    path = may_write(out, force)
    table = load_table(model)
    from synthloom.sources import write_table

    write_table(table.reconstruct(data), path)
