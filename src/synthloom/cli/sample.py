"""synthloom sample"""

from __future__ import annotations

from typing import Annotated

import typer

from synthloom.cli.options import Force, ModelPath, Out, Seed, load_table, may_write, pairs, read_value, say
from synthloom.errors import UsageError


def run(
    model: ModelPath,
    rows: Annotated[int, typer.Option("--rows", min=0, help="How many rows to draw.", show_default=False)],
    out: Out,
    given: Annotated[
        list[str] | None, typer.Option("--given", help="A value that every row shall have, as column=value.")
    ] = None,
    seed: Seed = None,
    engine: Annotated[str, typer.Option("--engine", help="Where to draw: local.")] = "local",
    excel_safe: Annotated[
        bool, typer.Option("--excel-safe", help="Keep spreadsheets from running text that begins like a formula.")
    ] = False,
    force: Force = False,
) -> None:
    """Draw synthetic rows from a model."""
    path = may_write(out, force)
    if engine != "local":
        raise UsageError(f"--engine must be local, however: {engine!r}")
    table = load_table(model)
    from synthloom.sources import write_table

    said = {}
    for name, text in pairs(given or [], "--given").items():
        column = next((c for c in table.schema_.names if str(c) == name), name)
        said[column] = text if table.schema_[column].type == "category" else read_value(text)
        if table.schema_[column].type == "category":
            said[column] = _as_known(table, column, text)
    written = write_table(table.stream(rows, given=said or None, seed=seed), path, excel_safe=excel_safe)
    if said:
        say(f"{table.given_share_:.2%} of what the model draws on its own carries the condition")
    if path != "-":
        say(f"{path}: {written:,} rows")


def _as_known(table: object, column: object, text: str) -> object:
    """A category as the model knows it: levels may be numbers."""
    from synthloom.codecs.columns.category import CategoryColumn
    from synthloom.synthesizers import TableSynthesizer

    assert isinstance(table, TableSynthesizer)
    place = table.schema_.names.index(column)  # type: ignore[arg-type]
    known = table.codec_.columns_[place]
    assert isinstance(known, CategoryColumn)
    return next((value for value in known.values if str(value) == text), text)
