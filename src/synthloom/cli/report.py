"""synthloom report"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthloom.cli.options import Force, judged_by, judged_kind, may_write


def run(
    real: Annotated[str, typer.Argument(help="The real data that the model was trained on.")],
    synthetic: Annotated[str, typer.Argument(help="The synthetic data, from whatever tool.")],
    out: Annotated[str, typer.Option("--out", help="Where to write: .html, .md or .json.", show_default=False)],
    holdout: Annotated[
        str | None, typer.Option("--holdout", help="Real data that the model has not seen: the yardstick.")
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="table, text or image; none: what the files are.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="Tables: the column to predict, for utility.")] = None,
    reconstruction: Annotated[
        str | None, typer.Option("--reconstruction", help="Texts: what `reconstruct` made of the held-out ones.")
    ] = None,
    canary: Annotated[
        list[str] | None, typer.Option("--canary", help="Texts: a secret planted among the real ones; may be repeated.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="The model that made them: its training goes into the report.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="For what is estimated from random parts.")] = 0,
    full: Annotated[
        bool, typer.Option("--full", help="Show rare values and the ends of numbers too: not for sharing.")
    ] = False,
    force: Force = False,
) -> None:
    """Judge synthetic data beside the real, in one page that can be read anywhere."""
    from synthloom.reporting import form_of, report
    from synthloom.synthesizers import load

    path = may_write(out, force)
    form_of(path)  # before the work, not after it
    kind = judged_kind(real, kind)
    fitted = load(model) if model is not None else None
    asked = judged_by(kind, target=target, reconstruction=reconstruction, canaries=canary)
    facts = report(real, synthetic, path, holdout, kind=kind, seed=seed, model=fitted, shareable=not full, **asked)
    for sentence in facts["verdict"]["sentences"]:
        print(f"{sentence['aspect']}: {sentence['text']}")
