"""Runs the metrics of a kind of data and hands back plain numbers, each with its yardstick."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from synthloom.errors import UsageError
from synthloom.files import atomic
from synthloom.metrics import BASELINES, METRICS, READERS, Context, Roles, Score
from synthloom.sources import SOURCES, looks_like

__all__ = ["Scores", "evaluate", "judge"]

_ARROWS = {"lower": "↓", "higher": "↑"}


@dataclass(frozen=True)
class Scores:
    """The scores of one synthetic data set, and notes on what was not judged."""

    kind: str
    scores: tuple[Score, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)

    def __getitem__(self, name: str) -> Score:
        for score in self.scores:
            if score.name == name:
                return score
        raise UsageError(f"a score must be one of {', '.join(s.name for s in self.scores)}, however: {name!r}")

    def to_dict(self) -> dict[str, Any]:
        """What `to_json` writes: {"kind", "scores": [{"name", "value", "reference", ..., "detail"}], "notes"}."""
        return {"kind": self.kind, "scores": [asdict(score) for score in self.scores], "notes": list(self.notes)}

    def to_frame(self) -> pd.DataFrame:
        """One row per score, by name."""
        return pd.DataFrame([asdict(score) for score in self.scores]).set_index("name").drop(columns="detail")

    def to_json(self, path: Path | str) -> None:
        """Write the scores to a file."""
        with atomic(path) as part:
            part.write_text(json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")

    def __str__(self) -> str:
        head = ["", "score", "value", "held-out", "independent", "95% interval"]
        rows = [head] + [
            [
                _ARROWS[score.better],
                score.name,
                _number(score.value),
                _number(score.reference),
                _number(score.baseline),
                " to ".join(map(_number, score.interval)) if score.interval else "",
            ]
            for score in self.scores
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join([f"{arrow:1}", name.ljust(widths[1]), *map(str.rjust, numbers, widths[2:])])
            for arrow, name, *numbers in rows
        ]
        lines += [
            "",
            "↓ lower is better, ↑ higher is better",
            f"held-out: what real {SOURCES[self.kind].things} that were held out score in the synthetic ones' place",
            *([f"independent: {BASELINES[self.kind]}"] if self.kind in BASELINES else []),
            "",
        ]
        lines += [f"{score.name}: {score.about}" for score in self.scores] + list(self.notes)
        return "\n".join(line.rstrip() for line in lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def evaluate(
    real: Any,
    synthetic: Any,
    holdout: Any = None,
    *,
    kind: str | None = None,
    target: Hashable | None = None,
    columns: Roles | None = None,
    reconstruction: Any = None,
    canaries: Sequence[str] = (),
    features: Callable[[Any], Any] | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> Scores:
    """Judge synthetic items by the real ones that they were made from, and by real ones held out from the making.

    A data frame is a table, a list of str are texts, unless `kind` says otherwise; a path is of the kind of its files,
    and a table in a file or a folder of parts may be larger than memory. Without a holdout there are no references, nor
    the scores that need one. The same data and seed give the same scores. `progress` shows on standard error what is
    being judged; by default, where that is a terminal.

    Of tables: `columns` says what columns are, where their dtypes do not: {"categorical": [...], "numerical": [...],
    "ignore": [...]}; `target` is what `utility` predicts. Of texts: `reconstruction` is what a model made of the
    held-out ones, one for one, and `canaries` are secrets that were planted among the real ones, to see if they leak.
    Images are compared by their `features`, numbers [N, D] of levels uint8 [N, H, W] or [N, H, W, 3]; by default a
    small network learns some from the real ones.

    >>> real = pd.DataFrame({"age": [20, 30, 40, 50], "sex": ["f", "m", "f", "m"]})
    >>> scores = evaluate(real, real)
    >>> scores["shape_error"].value
    0.0
    """
    kind = looks_like(real) if kind is None else kind
    if kind not in METRICS:
        raise UsageError(f"kind must be one of {', '.join(METRICS)}, however: kind={kind!r}")
    context = Context(seed, target, columns, features, reconstruction, canaries)
    data = {"real": real, "synthetic": synthetic} | ({} if holdout is None else {"holdout": holdout})
    read, notes = READERS[kind](data, context)
    return judge(kind, read, notes, context, progress)


def judge(kind: str, read: list[Any], notes: list[str], context: Context, progress: bool | None = None) -> Scores:
    """`evaluate` for who has read the data already: the real ones, the synthetic, and perhaps the held-out."""
    notes = list(notes)
    if len(read) < 3:
        notes.append("no holdout was given, so there are no references, and no scores that need one")
    trio = read[0], read[1], read[2] if len(read) > 2 else None
    metrics = _shown(METRICS[kind].items(), progress)
    return Scores(kind, tuple(metric(*trio, context) for _, metric in metrics), tuple(notes))


def _shown(metrics: Iterable[tuple[str, Any]], progress: bool | None) -> Iterator[tuple[str, Any]]:
    """One after the other, with their names on standard error meanwhile."""
    if not (sys.stderr.isatty() if progress is None else progress):
        yield from metrics
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    metrics = list(metrics)
    parts = TextColumn("judging"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    console = Console(stderr=True)
    with Progress(*parts, console=console, transient=console.is_terminal) as bar:
        task = bar.add_task("", total=len(metrics))
        for name, metric in metrics:
            bar.update(task, description=name)
            yield name, metric
            bar.advance(task)
