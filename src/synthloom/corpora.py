"""From texts as they are found to a corpus: texts of a sensible length, in three parts that share none.

corpus = prepare("wikitext-2/")         # a file, a folder, or the name of a public corpus
corpus.write("sentences")               # train.jsonl, validation.jsonl, test.jsonl, lengths.json, lengths.svg
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from synthloom import rng
from synthloom.codecs.passages import sentences
from synthloom.codecs.pieces import Pieces
from synthloom.errors import DataError, FileError, UsageError
from synthloom.files import atomic
from synthloom.sources import SOURCES, Texts, read_texts, write_texts

__all__ = ["PUBLIC", "Corpus", "prepare", "undo_wikitext"]

PARTS = "train", "validation", "test"

PUBLIC: dict[str, tuple[str, str | None, str, str | None]] = {
    "wikitext2": ("Salesforce/wikitext", "wikitext-2-raw-v1", "text", None),
    "wikitext103": ("Salesforce/wikitext", "wikitext-103-raw-v1", "text", None),
    "ptb": ("ptb-text-only/ptb_text_only", None, "sentence", None),
    "yelp": ("Yelp/yelp_review_full", None, "text", "label"),
    "yahoo": ("community-datasets/yahoo_answers_topics", None, "best_answer", "topic"),
}
"""Name -> where the Hugging Face hub has it, which of its settings, the column of texts and that of labels."""

_SPLITS = {"train": "train", "valid": "validation", "validation": "validation", "dev": "validation", "test": "test"}


@dataclass(frozen=True)
class Corpus:
    """Three parts, how many pieces their texts have, and how many texts were left out for what."""

    parts: dict[str, Texts]
    lengths: dict[str, Counter[int]]
    left_out: Counter[str]

    def write(self, folder: Path | str) -> None:
        """A file of JSON lines for each part, the lengths as numbers and as a picture."""
        folder = Path(folder)
        folder.mkdir(exist_ok=True)
        for name, texts in self.parts.items():
            write_texts(texts, folder / f"{name}.jsonl")
        for name, content in (("lengths.json", json.dumps(self.facts(), indent=2)), ("lengths.svg", self._picture())):
            with atomic(folder / name) as part:
                part.write_text(content + "\n", "utf-8")

    def facts(self) -> dict[str, Any]:
        """The lengths of each part: how many texts have how many pieces."""
        parts = {
            name: {
                "texts": counts.total(),
                "mean": round(sum(n * k for n, k in counts.items()) / max(1, counts.total()), 2),
                "texts of each length": {str(n): counts[n] for n in sorted(counts)},
            }
            for name, counts in self.lengths.items()
        }
        return {"unit": "pieces", "parts": parts, "left out": dict(self.left_out)}

    def _picture(self) -> str:
        counts = self.lengths["train"]
        longest, most = max(counts, default=1), max(counts.values(), default=1)
        wide, high = 640, 240
        step = wide / (longest + 1)
        bars = "".join(
            f'<rect x="{40 + n * step:.1f}" y="{20 + high * (1 - k / most):.1f}" width="{0.9 * step:.1f}" '
            f'height="{high * k / most:.1f}"><title>{k:,} texts of {n} pieces</title></rect>'
            for n, k in sorted(counts.items())
        )
        ticks = "".join(
            f'<text x="{40 + (n + 0.5) * step:.1f}" y="{high + 36}" text-anchor="middle">{n}</text>'
            for n in range(0, longest + 1, max(1, round(longest / 80) * 10))
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide + 60} {high + 60}" font-family="sans-serif" '
            f'font-size="12" fill="#345"><title>Pieces of each training text</title>{bars}{ticks}'
            f'<text x="40" y="14">{most:,} texts</text>'
            f'<text x="{wide + 40}" y="{high + 54}" text-anchor="end">pieces of a text</text></svg>'
        )


def prepare(
    source: Path | str,
    *,
    column: str | None = None,
    labels: str | None = None,
    whole: bool = False,
    shortest: int = 6,
    longest: int = 49,
    pieces: int = 8000,
    seed: int = 0,
) -> Corpus:
    """A corpus of sentences (or of `whole` texts) of `shortest` to `longest` pieces.

    A folder with files called train, valid and test keeps these parts; anything else is cut at random into nine tenths
    and two halves of a tenth. Texts of a later part that are equal to one of an earlier part are left out.
    """
    if not 1 <= shortest <= longest:
        raise UsageError(f"lengths must run from shortest to longest, however: {shortest=}, {longest=}")
    found = _found(source, column, labels, seed)
    left_out: Counter[str] = Counter()
    if any(mark in text for text in found["train"][:5_000] for mark in (" @-@ ", " @,@ ")):
        found = {name: undo_wikitext(texts) for name, texts in found.items()}
    if not whole:
        found = {name: _by_sentence(texts) for name, texts in found.items()}
    if not found["train"]:
        raise DataError(f"there must be texts in {source}, however: there are none")
    spelling = Pieces.of("bpe").learn(found["train"], pieces)
    parts, lengths, seen = {}, {}, set[str]()
    for name in PARTS:
        texts = found[name]
        counts = np.array([len(text) for text in spelling.encode(texts)], int)
        keys = [" ".join(text.casefold().split()) for text in texts]
        new = np.array([key not in seen for key in keys], bool)
        seen.update(keys)
        fits = (counts >= shortest) & (counts <= longest)
        left_out["too short"] += int((counts < shortest).sum())
        left_out["too long"] += int((counts > longest).sum())
        left_out["in an earlier part"] += int((fits & ~new).sum())
        kept = np.flatnonzero(fits & new)
        parts[name] = SOURCES["text"].take(texts, kept.tolist())
        lengths[name] = Counter(counts[kept].tolist())
    return Corpus(parts, lengths, left_out)


def _found(source: Path | str, column: str | None, labels: str | None, seed: int) -> dict[str, Texts]:
    """Texts by part, as they are."""
    if str(source) in PUBLIC and not Path(source).exists():
        return _of_hub(str(source))
    folder = Path(source)
    split = {}
    if folder.is_dir():
        split = {_SPLITS[file.stem]: file for file in sorted(folder.iterdir()) if file.stem in _SPLITS}
    if "train" in split:
        parts = {name: read_texts(file, column=column, labels=labels) for name, file in split.items()}
        return {name: parts.get(name, Texts()) for name in PARTS}
    texts = read_texts(source, column=column, labels=labels)
    order = rng.generator(seed, "parts").permutation(len(texts))
    cuts = np.split(order, [round(0.9 * len(order)), round(0.95 * len(order))])
    return {name: SOURCES["text"].take(texts, np.sort(cut).tolist()) for name, cut in zip(PARTS, cuts, strict=True)}


def _of_hub(name: str) -> dict[str, Texts]:
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise UsageError(
            f'{name} is got from the Hugging Face hub, which needs: pip install "synthloom[datasets]"; or name a file '
            f"or folder"
        ) from error
    path, setting, column, label = PUBLIC[name]
    try:
        parts = load_dataset(path, setting)
    except Exception as error:  # a network fails in many ways
        raise FileError(
            f"cannot get {name} from the Hugging Face hub: {' '.join(str(error).split())[:200]}; it needs a network, "
            f"or name a file or folder"
        ) from error
    found = {part: Texts(parts[part][column], parts[part][label] if label else None) for part in parts}
    if "validation" not in found:  # the first texts of training, as is the custom for yelp and yahoo
        train, held = found["train"], range(min(50_000, len(found["train"]) // 10))
        take = SOURCES["text"].take
        found |= {"validation": take(train, held), "train": take(train, range(len(held), len(train)))}
    return {part: found.get(part, Texts()) for part in PARTS}


def _by_sentence(texts: Texts) -> Texts:
    cut = [sentences(text) for text in texts]
    labels = None
    if texts.labels is not None:
        labels = [label for label, some in zip(texts.labels, cut, strict=True) for _ in some]
    return Texts(chain.from_iterable(cut), labels)


_HEADING = re.compile(r"\s*=.*=\s*")
_MARKS = (
    (re.compile(r" @(.)@ "), r"\1"),  # a hyphen, a comma or a point within a word
    (re.compile(r" ([,.;:!?%)\]]|'(?:s|t|re|ve|m|ll|d)\b|n't\b)"), r"\1"),
    (re.compile(r"([(\[$£]) "), r"\1"),
    (re.compile(r'" ([^"]*) "'), r'"\1"'),
)


def undo_wikitext(texts: Sequence[str]) -> Texts:
    """Texts as people write them, from those of WikiText, which keep words and signs apart; headings are left out.

    >>> undo_wikitext([" = Title = ", 'A role @-@ playing game , " The Third " ( 2011 ) .'])
    ['A role-playing game, "The Third" (2011).']
    """
    plain = []
    for text in texts:
        if not _HEADING.fullmatch(text):
            for mark, meant in _MARKS:
                text = mark.sub(meant, text)
            plain.append(text.strip())
    return Texts(plain)
