"""synthloom fit"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from synthloom.cli.options import Force, Seed, may_write, only_known, pairs, read_value, say
from synthloom.errors import FileError, UsageError


def run(
    data: Annotated[
        str, typer.Argument(help="A .csv, .csv.gz, .parquet, .txt or .jsonl file, a folder of such or of .md, or -.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The model file to write.", show_default=False)],
    kind: Annotated[str | None, typer.Option("--kind", help="Kind of data: table, text; none: as it looks.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Which model; none: the best for the kind.")] = None,
    seed: Seed = None,
    max_time: Annotated[str | None, typer.Option("--max-time", help="Stop training after: 90s, 10m, 2h.")] = None,
    knobs: Annotated[
        list[str] | None, typer.Option("--set", help="A knob of the model, as name=value; may be repeated.")
    ] = None,
    column: Annotated[
        str | None, typer.Option("--column", help="Texts: the column that holds them; none: text, or the wordiest.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option("--labels", help="Texts: the column that holds their labels; none: label.")
    ] = None,
    schema: Annotated[
        Path | None, typer.Option("--schema", help='What columns are, as JSON: {"categorical": ["zip"], ...}.')
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "--rule", help="What every row keeps, as 'start <= end' or 'fixed(country, city)'; may be repeated."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a stopped run of the same call was.")] = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")] = "auto",
    log_csv: Annotated[Path | None, typer.Option("--log-csv", help="Write the training curves to this file.")] = None,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", help="Log to TensorBoard, in this folder.")
    ] = None,
    wandb: Annotated[str | None, typer.Option("--wandb", help="Log to Weights & Biases, in this project.")] = None,
    force: Force = False,
) -> None:
    """Train a model on real data, with one process, or with several that torchrun starts.

    A run that is stopped leaves MODEL.checkpoint behind; the same call with --resume goes on from there. Ctrl-C ends
    training early and keeps what has been learnt.
    """
    out = Path(may_write(out, force or resume))
    checkpoint = out.with_name(out.name + ".checkpoint")
    if checkpoint.exists() and not (force or resume):
        raise FileError(
            f"a stopped run must be gone on with or given up, however: {checkpoint} holds one; say --resume or --force"
        )
    from synthloom.sources import SOURCES, kind_of
    from synthloom.synthesizers import SYNTHESIZERS
    from synthloom.training import CsvTracker, Interrupted, TensorBoardTracker, Tracker, WandbTracker, joined

    kind = kind or kind_of(data)
    if kind not in SYNTHESIZERS:
        raise UsageError(f"--kind must be one of {', '.join(SYNTHESIZERS)}, however: {kind!r}")
    said: dict[str, Any] = {name: read_value(value) for name, value in pairs(knobs or [], "--set").items()}
    said |= {"device": device} | ({"max_time": max_time} if max_time is not None else {})
    if schema is not None:
        said["schema"] = _read_schema(schema)
    if rules:
        said["rules"] = rules
    trackers: list[Tracker] = []
    if log_csv is not None:
        trackers.append(CsvTracker(log_csv))
    if tensorboard is not None:
        trackers.append(TensorBoardTracker(tensorboard))
    if wandb is not None:
        trackers.append(WandbTracker(wandb))
    synthesizer = SYNTHESIZERS[kind](model, seed=seed, **said)
    columns = only_known(synthesizer.fit, {"column": column, "labels": labels}, kind)
    with joined() as team:
        try:
            synthesizer.fit(data, checkpoint=checkpoint, resume=resume, trackers=trackers, **columns)
        except Interrupted:
            synthesizer.save(out)
            if team.first:
                say(f"stopped early: {out} holds what was learnt; --resume goes on from {checkpoint.name}")
            raise
        synthesizer.save(out)
    if not team.first:
        return
    for column, notice in synthesizer.info_.get("notices", {}).items():
        say(f"column {column}: {notice}")
    for note in synthesizer.info_["notes"]:
        say(f"note: {note}")
    info = synthesizer.info_
    say(
        f"{out}: {info['model']} of {info['items']:,} {SOURCES[kind].things}, best after {info['best_epoch']} epochs "
        f"(seed {info['seed']})"
    )


def _read_schema(path: Path) -> Any:
    import json

    from synthloom.schema import Schema

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--schema must be a readable JSON file, however: {path}: {error}") from error
    return Schema.from_json(document) if "fields" in document else document
