"""synthloom sample"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthloom.cli.options import (
    Force,
    ModelPath,
    Out,
    Seed,
    load_model,
    may_write,
    only_known,
    pairs,
    read_value,
    say,
)
from synthloom.errors import UsageError

if TYPE_CHECKING:
    from synthloom.synthesizers import TableSynthesizer


def run(
    model: ModelPath,
    rows: Annotated[int, typer.Option("--rows", min=0, help="How many to draw.", show_default=False)],
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
    """Draw synthetic rows, texts or images from a model."""
    path = may_write(out, force)
    if engine != "local":
        raise UsageError(f"--engine must be local, however: {engine!r}")
    synthesizer: Any
    synthesizer, source = load_model(model)
    said = only_known(synthesizer.sample, {"given": pairs(given, "--given") if given else None}, synthesizer.kind)
    if "given" in said:
        said["given"] = _as_known(synthesizer, said["given"])
    written = source.write(synthesizer.stream(rows, seed=seed, **said), path, excel_safe=excel_safe)
    if "given" in said:
        say(f"{synthesizer.given_share_:.2%} of what the model draws on its own carries the condition")
    if path != "-":
        say(f"{path}: {written:,} {source.things}")


def _as_known(table: TableSynthesizer, given: dict[str, str]) -> dict[Any, Any]:
    """Values as the model knows them: names and levels may be numbers."""
    from synthloom.codecs.columns.category import CategoryColumn

    said = {}
    for name, text in given.items():
        column = next((c for c in table.schema_.names if str(c) == name), name)
        said[column] = read_value(text)
        if table.schema_[column].type == "category":
            known = table.codec_.columns_[table.schema_.names.index(column)]
            assert isinstance(known, CategoryColumn)
            said[column] = next((value for value in known.values if str(value) == text), text)
    return said
