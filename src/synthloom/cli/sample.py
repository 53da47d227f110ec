"""synthloom sample"""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
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
    from synthloom.sources import Source
    from synthloom.synthesizers import TableSynthesizer


def run(
    model: ModelPath,
    rows: Annotated[int, typer.Option("--rows", min=0, help="How many to draw.", show_default=False)],
    out: Out,
    given: Annotated[
        list[str] | None,
        typer.Option("--given", help="What every row shall have: column=value, column=this,that, column=30..40."),
    ] = None,
    balance: Annotated[
        list[str] | None,
        typer.Option("--balance", help="In which shares values shall come: column=even, or column=this:0.5,that:0.5."),
    ] = None,
    label: Annotated[str | None, typer.Option("--label", help="Texts and images: the label they shall have.")] = None,
    length: Annotated[str | None, typer.Option("--length", help="Texts: how many words, as 12 or 5..20.")] = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", help="Texts: below 1 keeps to what is likely; 0 to the likeliest.")
    ] = None,
    top_k: Annotated[int | None, typer.Option("--top-k", help="Texts: only so many of the likeliest pieces.")] = None,
    top_p: Annotated[float | None, typer.Option("--top-p", help="Texts: only what makes up this probability.")] = None,
    required: Annotated[
        list[str] | None, typer.Option("--required", help="Texts: a word that must be in each; may be repeated.")
    ] = None,
    forbidden: Annotated[
        list[str] | None, typer.Option("--forbidden", help="Texts: a word that must be in none; may be repeated.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option("--pattern", help="Texts: a regular expression that each must match somewhere.")
    ] = None,
    near: Annotated[str | None, typer.Option("--near", help="Texts: a file of examples that they lie around.")] = None,
    strength: Annotated[
        float | None, typer.Option("--strength", help="Texts: how far from the examples; 1: anywhere.", min=0, max=1)
    ] = None,
    seed: Seed = None,
    parts: Annotated[
        str | None,
        typer.Option("--parts", help="Write a folder of parts of this kind, as .csv; none: .parquet, .jsonl, .npz."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes that write parts; none: one for each core.")
    ] = None,
    engine: Annotated[str, typer.Option("--engine", help="Where to draw parts: local or ray.")] = "local",
    address: Annotated[
        str | None, typer.Option("--address", help="Of a Ray cluster; none: this machine alone.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the parts of a stopped run.")] = False,
    excel_safe: Annotated[
        bool, typer.Option("--excel-safe", help="Keep spreadsheets from running text that begins like a formula.")
    ] = False,
    force: Force = False,
) -> None:
    """Draw synthetic rows, texts or images from a model.

    A folder of parts is written by several processes, the same bytes however many; _manifest.json in it says what is
    finished, and the same call with --resume goes on from there.
    """
    path = may_write(out, force or resume)
    synthesizer: Any
    synthesizer, source = load_model(model)
    asked = {
        "given": pairs(given, "--given") if given else None,
        "balance": pairs(balance, "--balance") if balance else None,
        "label": label,
        "length": None if length is None else _range(length),
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "required": required or None,
        "forbidden": forbidden or None,
        "pattern": pattern,
        "near": None if near is None else source.read(near),
        "strength": strength,
    }
    said = only_known(synthesizer.sample, asked, synthesizer.kind)
    if "given" in said:
        said["given"] = _as_known(synthesizer, said["given"])
    if "balance" in said:
        said["balance"] = _as_shares(synthesizer, said["balance"])
    if parts or workers or address or resume or engine != "local" or _is_folder(path, source):
        from synthloom.scale import generate

        if path == "-" or path.lower().endswith(source.endings):
            raise UsageError(
                f"--out must be a folder where parts are to be written, however: {path}; --parts says of what"
            )
        options: dict[str, Any] = {"excel_safe": excel_safe, "resume": resume, "force": force}
        where: dict[str, Any] = {"engine": engine, "workers": workers, "address": address}
        drawn = generate(model, path, rows, seed=seed, ending=parts, asked=said, **options, **where)
        say(f"{path}: {drawn.rows:,} {source.things} in {len(drawn.parts):,} parts (seed {drawn.job['seed']})")
        return
    written = source.write(synthesizer.stream(rows, seed=seed, **said), path, excel_safe=excel_safe)
    if "given" in said:
        say(f"{synthesizer.given_share_:.2%} of the codes that the model draws on its own carry the condition")
    if getattr(synthesizer, "kept_share_", 1.0) < 1:
        say(f"{synthesizer.kept_share_:.2%} of the rows drawn were as demanded and are kept; others were drawn again")
    drafts = getattr(synthesizer, "drafts_", {})
    if drafts and drafts["drawn"] > written:
        say(f"of {drafts['drawn']:,} drafts {drafts['copies']:,} were copies, and {drafts['unfit']:,} not as asked for")
    if path != "-":
        say(f"{path}: {written:,} {source.things}")


def _is_folder(path: str, source: Source) -> bool:
    """Whether a path without an ending means a folder of parts."""
    return path != "-" and not Path(path).suffix and not source.apart


def _range(text: str) -> int | tuple[int, int]:
    """A number of words, or the least and the most.

    >>> _range("12"), _range("5..20")
    (12, (5, 20))
    """
    least, dots, most = text.partition("..")
    if not (least + (most if dots else "0")).isdigit() or not least or (dots and not most):
        raise UsageError(f"--length must be a number of words, or two, as 5..20, however: {text!r}")
    return (int(least), int(most)) if dots else int(least)


def _as_known(table: TableSynthesizer, given: dict[str, str]) -> dict[Any, Any]:
    """Conditions as the model knows them: names and levels may be numbers, and no text at all is a gap."""
    said: dict[Any, Any] = {}
    for name, text in given.items():
        column = next((c for c in table.schema_.names if str(c) == name), name)
        values = getattr(table.codec_.column(column), "values", [])
        read = partial(_read, {str(value): value for value in values}, table.schema_[column].type)
        if text in map(str, values):
            said[column] = read(text)
        elif ".." in text:
            low, _, high = text.partition("..")
            said[column] = (read(low), read(high))
        else:
            parts = next(csv.reader([text], skipinitialspace=True)) or [""]
            said[column] = [read(part) for part in parts] if len(parts) > 1 else read(parts[0])
    return said


def _as_shares(table: TableSynthesizer, balance: dict[str, str]) -> dict[Any, Any]:
    """Shares as the model knows them: `even`, or a number behind each value."""
    shares: dict[Any, Any] = {}
    for name, text in balance.items():
        if text == "even":
            column = next((c for c in table.schema_.names if str(c) == name), name)
            shares[column] = text
            continue
        parts = [part.rpartition(":") for part in next(csv.reader([text], skipinitialspace=True))]
        for value, _, share in parts:
            (column, known), *_ = _as_known(table, {name: value}).items()
            try:
                shares.setdefault(column, {})[known] = float(share)
            except ValueError:
                wanted = "column=even or column=value:share,value:share"
                raise UsageError(f"--balance must look like {wanted}, however: {text!r}") from None
    return shares


def _read(values: dict[str, Any], kind: str, text: str) -> Any:
    """One value: a level that the model knows, a moment as it is written, and otherwise as JSON would read it."""
    if not text:
        return None
    return values.get(text, text) if values or kind in ("datetime", "duration") else read_value(text)
