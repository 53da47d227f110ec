"""synthloom encode"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from synthloom.cli.options import Force, Items, ModelPath, load_model, may_write


def run(
    model: ModelPath,
    data: Items,
    out: Annotated[str, typer.Option("--out", help="Where to write: .npz, .csv, .parquet, -.", show_default=False)],
    force: Force = False,
) -> None:
    """Write the latent of each item: columns z0, z1, ..., or the array `latent` of an .npz file.

    Where a model keeps as many vectors as an item needs, `survivors` says how many.
    """
    path = may_write(out, force)
    synthesizer, source = load_model(model)
    items = source.read(data)
    latent, survivors = synthesizer.encode(items), synthesizer.survivors(items)
    more: dict[str, Any] = {} if survivors is None else {"survivors": survivors}
    if path.endswith(".npz"):
        import numpy as np

        from synthloom.files import atomic

        with atomic(path) as part, part.open("wb") as file:
            np.savez_compressed(file, latent=latent, **more)
        return
    import pandas as pd

    from synthloom.sources import write_table

    columns = [f"z{i}" for i in range(latent.shape[1])]
    write_table(pd.DataFrame(latent, columns=columns).assign(**more), path)
