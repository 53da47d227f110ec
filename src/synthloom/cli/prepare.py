"""synthloom prepare"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthloom.cli.options import Force, may_write, say


def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="NAME_OR_PATH", help="A file or folder of texts, or: wikitext2, wikitext103, ptb, yelp, yahoo."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder to write to.", show_default=False)],
    whole: Annotated[bool, typer.Option("--whole", help="Keep texts whole; otherwise they are cut in sentences.")] = (
        False
    ),
    shortest: Annotated[int, typer.Option("--shortest", min=1, help="Leave out what has fewer pieces.")] = 6,
    longest: Annotated[int, typer.Option("--longest", min=1, help="Leave out what has more pieces.")] = 49,
    pieces: Annotated[
        int, typer.Option("--pieces", min=300, help="How many different pieces lengths count in.")
    ] = 8000,
    column: Annotated[str | None, typer.Option("--column", help="The column that holds the texts.")] = None,
    labels: Annotated[str | None, typer.Option("--labels", help="The column that holds their labels.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="For the parts, where the texts come in none.")] = 0,
    force: Force = False,
) -> None:
    """Make a corpus of texts as they are found: sentences of a sensible length, in three parts that share none."""
    may_write(out, force)
    from synthloom.corpora import prepare

    corpus = prepare(
        source,
        column=column,
        labels=labels,
        whole=whole,
        shortest=shortest,
        longest=longest,
        pieces=pieces,
        seed=seed,
    )
    corpus.write(out)
    for name, texts in corpus.parts.items():
        say(f"{out / name}.jsonl: {len(texts):,} texts")
    say("left out: " + ", ".join(f"{count:,} {why}" for why, count in corpus.left_out.items()))
