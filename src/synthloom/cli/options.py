"""Options and small tools that several verbs share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthloom.errors import FileError, UsageError

if TYPE_CHECKING:
    from synthloom.sources import Source
    from synthloom.synthesizers import Synthesizer

__all__ = [
    "Force",
    "Items",
    "ModelPath",
    "Out",
    "Seed",
    "judged_by",
    "judged_kind",
    "load_model",
    "may_write",
    "only_known",
    "pairs",
    "read_item",
    "read_value",
    "say",
]

ModelPath = Annotated[Path, typer.Argument(help="A model file, written by `synthloom fit`.", show_default=False)]
Items = Annotated[str, typer.Argument(help="Data like that of training: a file, a folder, or -.", show_default=False)]
Out = Annotated[
    str,
    typer.Option(
        "--out",
        help="Where to write: .csv, .csv.gz, .parquet; texts also .txt, .jsonl or a folder; images .png (a sheet), "
        ".npz or a folder; - is standard output.",
        show_default=False,
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", help="The same seed gives the same output; none: new each time.")]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is already there.")]


def say(message: str) -> None:
    """A line for the person at the terminal; standard output is kept for data."""
    print(message, file=sys.stderr)


def may_write(out: str | Path, force: bool) -> str:
    """The path, if writing there destroys nothing that the user has not given up."""
    path = Path(out)
    if str(out) != "-" and path.exists() and not force:
        raise FileError(f"an output file must be new, however: {out} exists; use another name, or --force")
    if str(out) != "-" and not path.parent.is_dir():
        raise FileError(f"the folder of an output file must exist, however: there is no {path.parent}; make it first")
    return str(out)


def pairs(given: Iterable[str], option: str) -> dict[str, str]:
    """`name=value` words as a dict.

    >>> pairs(["epochs=3", "codec=gmm"], "--set")
    {'epochs': '3', 'codec': 'gmm'}
    """
    said: dict[str, str] = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(f"{option} must look like name=value, however: {word!r}")
        if name in said:
            raise UsageError(f"{option} may name each thing once, however: {name!r} stands there twice")
        said[name] = value
    return said


def read_value(text: str) -> Any:
    """A word as JSON would read it; what JSON cannot read is text.

    >>> read_value("128"), read_value("none"), read_value("gmm"), read_value("[64, 64]")
    (128, None, 'gmm', [64, 64])
    """
    if text.lower() in ("none", "null"):
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def load_model(path: Path) -> tuple[Synthesizer[Any], Source]:
    """The model at `path`, and how its kind of data is read and written."""
    from synthloom.synthesizers import load

    model = load(path)
    return model, model.source


def only_known(verb: Callable[..., Any], said: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The options that were said, if `verb` takes all of them: what one kind of data can be asked, another cannot."""
    known = signature(verb).parameters
    for name, value in said.items():
        if value is not None and name not in known:
            others = ", ".join(_option(other) for other in said if other in known)
            hint = f"; it takes {others}" if others else ""
            raise UsageError(f"a model of {kind}s takes no {_option(name)}, however: it was given {value!r}{hint}")
    return {name: value for name, value in said.items() if value is not None}


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def read_item(source: Source, place: str) -> Any:
    """One item of a file: `people.csv` is its first, `people.csv:12` the one numbered 12, from 0."""
    name, colon, number = place.rpartition(":")
    if not colon or not number.isdigit():
        name, number = place, "0"
    items = source.read(name)
    if int(number) >= len(items):
        raise UsageError(
            f"{name} must have the one that is asked for, however: there are {len(items)} {source.things} in it, and "
            f"{number} was asked for"
        )
    return source.take(items, [int(number)])


def judged_kind(real: str, kind: str | None) -> str:
    """The kind of data that is to be judged: the one that was said, or what the real data look like."""
    from synthloom.sources import SOURCES, kind_of

    kind = kind_of(real) if kind is None else kind
    if kind not in SOURCES:
        raise UsageError(f"--kind must be one of {', '.join(SOURCES)}, however: {kind!r}")
    return kind


def judged_by(kind: str, **asked: Any) -> dict[str, Any]:
    """What was asked of the judgement, if this kind of data can be asked all of it."""
    from synthloom.reporting import GATHERERS

    return only_known(GATHERERS[kind], asked, kind)
