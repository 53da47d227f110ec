"""synthloom encode"""

from __future__ import annotations

from typing import Annotated

import typer

from synthloom.cli.options import Force, Items, ModelPath, load_model, may_write


def run(
    model: ModelPath,
    data: Items,
    out: Annotated[str, typer.Option("--out", help="Where to write: .npz, .csv, .parquet, -.", show_default=False)],
    force: Force = False,
) -> None:
    """Write the latent of each item: columns z0, z1, ..., or the array `latent` of an .npz file."""
    path = may_write(out, force)
    synthesizer, source = load_model(model)
    latent = synthesizer.encode(source.read(data))
    if path.endswith(".npz"):
        import numpy as np

        from synthloom.files import atomic

        with atomic(path) as part, part.open("wb") as file:
            np.savez_compressed(file, latent=latent)
        return
    import pandas as pd

    from synthloom.sources import write_table

    write_table(pd.DataFrame(latent, columns=[f"z{i}" for i in range(latent.shape[1])]), path)
