"""synthloom score"""

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
    """Write the log-likelihood bound of each row, in nats: the lowest are the most unusual."""
    path = may_write(out, force)
    table = load_table(model)
    import pandas as pd

    from synthloom.sources import write_table

    write_table(pd.DataFrame({"log_prob": table.log_prob(data)}), path)
