"""synthloom tune"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from synthloom.cli.options import pairs, read_value, say


def run(
    data: Annotated[str, typer.Argument(help="What to learn from: a file or folder, as for fit.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", help="The model file; the search is kept in OUT.study.", show_default=False)
    ],
    trials: Annotated[int, typer.Option("--trials", min=1, help="Settings to try, earlier ones counted.")] = 20,
    max_time: Annotated[
        str | None, typer.Option("--max-time", help="Begin no trial that would end later: 90s, 10m, 2h.")
    ] = None,
    score: Annotated[
        str,
        typer.Option("--score", help="What to go by: bound (likelihood of held-back data), or a score of evaluate."),
    ] = "bound",
    target: Annotated[str | None, typer.Option("--target", help="The column to predict, for utility.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Kind of data: table, text; none: as it looks.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Which model; none: the best for the kind.")] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Fits of each setting that is not hopeless.")] = 2,
    seed: Annotated[int, typer.Option("--seed", help="For the split, the search and the last fit.")] = 0,
    knobs: Annotated[
        list[str] | None, typer.Option("--set", help="A knob that stays as said, as name=value; may be repeated.")
    ] = None,
) -> None:
    """Search a model's knobs, and keep the best model.

    Every trial is kept as soon as it is over: the same call goes on where a stopped one was, and more --trials go
    further.
    """
    from synthloom.tuning import tune

    said: dict[str, Any] = {name: read_value(value) for name, value in pairs(knobs or [], "--set").items()}
    tuned = tune(
        data,
        out,
        kind=kind,
        model=model,
        trials=trials,
        max_time=max_time,
        score=score,
        target=target,
        seeds=seeds,
        seed=seed,
        **said,
    )
    print(tuned)
    say(f"{out}: {tuned.synthesizer.info_['model']}, fitted with the best knobs to all of the data")
