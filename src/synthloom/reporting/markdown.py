"""Facts as Markdown, for where pages are not welcome: an issue, a pull request, a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from synthloom.reporting.html import error, interval, number

__all__ = ["render"]


def render(facts: Mapping[str, Any]) -> str:
    """The report without its pictures."""
    rows, things = facts["rows"], facts["things"]
    made = f"{rows['real']:,} real {things} they were made from"
    held = f" and {rows['holdout']:,} that were held out" if "holdout" in rows else "; none were held out"
    lines = [
        "# Synthetic data report",
        "",
        f"{rows['synthetic']:,} synthetic {things}, judged beside {made}{held}.",
        "",
        "## Verdict",
        "",
    ]
    for sentence in facts["verdict"]["sentences"]:
        lines += [f"**{sentence['aspect'].capitalize()}: {sentence['word']}.** {text(sentence['text'])}", ""]
    scores = [
        [
            "↓" if s["better"] == "lower" else "↑",
            s["name"],
            *map(number, (s["value"], s["reference"], s["baseline"])),
            interval(s["interval"]),
            s["about"],
        ]
        for s in facts["scores"]
    ]
    lines += [
        "## Scores",
        "",
        *_table(["", "score", "synthetic", "held-out", "independent", "95 % interval", ""], scores),
    ]
    lines += _OF_KIND[facts["kind"]](facts)
    found = [[alarm["name"], alarm["word"], alarm["text"]] for alarm in facts["alarms"]]
    lines += ["", "## Privacy: alarms, not proofs", "", *_table(["test", "result", "found"], found)]
    if facts["model"] and facts["model"]["guarantee"]:
        lines += ["", f"{text(facts['model']['guarantee'])} The scores are not covered by it."]
    lines += ["", "## About", ""]
    lines += [f"- {text(note)}" for note in facts["notes"]]
    lines.append(f"- Made by synthloom {facts['synthloom']}, seed {facts['seed']}.")
    return "\n".join(lines) + "\n"


def _of_tables(facts: Mapping[str, Any]) -> list[str]:
    columns = [
        [
            c["column"],
            c["type"],
            error(c),
            f"{100 * c['missing']['real']:.1f} %",
            f"{100 * c['missing']['synthetic']:.1f} %",
        ]
        for c in facts["columns"]
    ]
    lines = ["", "## Columns", "", *_table(["column", "type", "distribution", "missing, real", "synthetic"], columns)]
    if facts["dependence"] and facts["dependence"]["shifted"]:
        pairs = [
            [", ".join(map(str, p["columns"])), f"{p['real']:.3f}", f"{p['synthetic']:.3f}"]
            for p in facts["dependence"]["shifted"]
        ]
        lines += ["", "## Dependence that is most off", "", *_table(["pair", "real", "synthetic"], pairs)]
    return lines


def _of_texts(facts: Mapping[str, Any]) -> list[str]:
    samples = [f"1. {text(sample['text'])}" for sample in facts["samples"]]
    return ["", "## The first synthetic texts, as they came", "", *samples]


_OF_KIND: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "table": _of_tables,
    "text": _of_texts,
    "image": lambda _: [],
}
"""Kind of data -> the lines that only it has."""


def text(words: Any) -> str:
    r"""Words that Markdown takes for nothing but words.

    >>> text("a|b <i>*c*</i>")
    'a\\|b \\<i\\>\\*c\\*\\</i\\>'
    """
    return re.sub(r"([\\`*_{}\[\]<>|#!])", r"\\\1", " ".join(str(words).split()))


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = [head, ["---"] * len(head), *([text(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(map(str, line))} |" for line in lines]
