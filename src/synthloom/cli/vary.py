"""synthloom vary"""

from __future__ import annotations

from typing import Annotated

import typer

from synthloom.cli.options import Force, ModelPath, Out, Seed, load_model, may_write


def run(
    model: ModelPath,
    data: Annotated[str, typer.Argument(metavar="INPUT", help="What to vary: a file, a folder, or -.")],
    out: Out,
    n: Annotated[int, typer.Option("--n", min=1, help="Neighbours of each item.")] = 10,
    strength: Annotated[
        float, typer.Option("--strength", min=0, max=1, help="0: the item's reconstruction; 1: a fresh draw.")
    ] = 0.5,
    seed: Seed = None,
    force: Force = False,
) -> None:
    """Draw neighbours of given rows, texts or images."""
    path = may_write(out, force)
    synthesizer, source = load_model(model)
    source.write(synthesizer.vary(source.read(data), n, strength, seed=seed), path)
