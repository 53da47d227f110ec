"""synthloom encode"""

from __future__ import annotations

from typing import Annotated

import typer

from synthloom.cli.options import Force, ModelPath, load_table, may_write


def run(
    model: ModelPath,
    data: Annotated[str, typer.Argument(help="Rows like those of training: a file, or -.")],
    out: Annotated[str, typer.Option("--out", help="Where to write: .npz, .csv, .parquet, -.", show_default=False)],
    force: Force = False,
) -> None:
    """Write the latent of each row: columns z0, z1, ..., or the array `latent` of an .npz file."""
    path = may_write(out, force)
    table = load_table(model)
    latent = table.encode(data)
    if path.endswith(".npz"):
        import numpy as np

        from synthloom.files import atomic

        with atomic(path) as part, part.open("wb") as file:
            np.savez_compressed(file, latent=latent)
        return
    import pandas as pd

    from synthloom.sources import write_table

    write_table(pd.DataFrame(latent, columns=[f"z{i}" for i in range(latent.shape[1])]), path)
