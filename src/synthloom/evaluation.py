"""Runs the metrics of a kind of data and hands back plain numbers, each with its yardstick."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from synthloom.errors import DataError, UsageError
from synthloom.files import atomic
from synthloom.metrics import METRICS, Context, Score
from synthloom.metrics.columns import Roles, read_tables

__all__ = ["Scores", "evaluate"]

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
        """What `to_json` writes: {"kind", "scores": [{"name", "value", "reference", ...}], "notes"}."""
        return {"kind": self.kind, "scores": [asdict(score) for score in self.scores], "notes": list(self.notes)}

    def to_frame(self) -> pd.DataFrame:
        """One row per score, by name."""
        return pd.DataFrame([asdict(score) for score in self.scores]).set_index("name")

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
            "held-out: what real rows that were held out score in the synthetic rows' place",
            "independent: what the real columns score once each is shuffled on its own",
            "",
        ]
        lines += [f"{score.name}: {score.about}" for score in self.scores] + list(self.notes)
        return "\n".join(line.rstrip() for line in lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def evaluate(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    holdout: pd.DataFrame | None = None,
    *,
    kind: str = "table",
    target: Hashable | None = None,
    columns: Roles | None = None,
    seed: int = 0,
) -> Scores:
    """Judge synthetic rows by the real ones that they were made from, and by real ones held out from the making.

    Without a holdout there are no references, nor the scores that need one. `columns` says what columns are, where
    their dtypes do not: {"categorical": [...], "numerical": [...], "ignore": [...]}. `target` is what `utility`
    predicts. The same data and seed give the same scores.

    >>> real = pd.DataFrame({"age": [20, 30, 40, 50], "sex": ["f", "m", "f", "m"]})
    >>> scores = evaluate(real, real)
    >>> scores["shape_error"].value
    0.0
    """
    if kind not in METRICS:
        raise UsageError(f"kind must be one of {', '.join(METRICS)}, however: kind={kind!r}")
    frames = {"real": real, "synthetic": synthetic} | ({} if holdout is None else {"holdout": holdout})
    for where, frame in frames.items():
        if not isinstance(frame, pd.DataFrame):
            raise UsageError(f"the {where} table must be a DataFrame, however: {type(frame).__name__}; read it first")
    tables, notes = read_tables(frames, columns)
    judged = tables[0].columns
    if target is not None and target not in judged:
        close = get_close_matches(str(target), map(str, judged), n=1)
        hint = f"did you mean {close[0]!r}?" if close else "name one that is judged"
        raise DataError(f"the target must be a column of the real table, however: {target!r}; {hint}")
    if holdout is None:
        notes.append("no holdout was given, so there are no references, and no scores that need one")
    context = Context(seed, target)
    trio = tables[0], tables[1], tables[2] if holdout is not None else None
    scores = tuple(metric(*trio, context) for metric in METRICS[kind].values())
    return Scores(kind, scores, tuple(notes))
