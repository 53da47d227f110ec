"""synthloom interpolate"""

from __future__ import annotations

from typing import Annotated

import typer

from synthloom.cli.options import Force, ModelPath, Out, load_model, may_write, read_item


def run(
    model: ModelPath,
    start: Annotated[str, typer.Option("--from", help="One item: people.csv, or people.csv:12 for number 12, from 0.")],
    stop: Annotated[str, typer.Option("--to", help="Another, named the same way.")],
    out: Out,
    steps: Annotated[int, typer.Option("--steps", min=2, help="How many items, both ends included.")] = 5,
    force: Force = False,
) -> None:
    """Walk from one row, text or image to another through the latent."""
    path = may_write(out, force)
    synthesizer, source = load_model(model)
    source.write(synthesizer.interpolate(read_item(source, start), read_item(source, stop), steps), path)
