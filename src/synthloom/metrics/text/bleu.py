"""How many runs of words two texts share: BLEU.

BLEU: a Method for Automatic Evaluation of Machine Translation (Papineni et al., 2002), https://aclanthology.org/P02-1040,
as sacrebleu computes it by default: A Call for Clarity in Reporting BLEU Scores (Post, 2018),
https://arxiv.org/abs/1804.08771, with the words of the mteval-v13a script and exponential smoothing. From 0 to 1.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

__all__ = ["bleu", "runs", "self_bleu", "words_13a"]

_ORDER = 4
_CUTS = (
    (re.compile(r"([{-~\[-` -&(-+:-@/])"), r" \1 "),  # signs stand alone
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),  # as do points and commas that are not within a number
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),  # and a hyphen behind a digit
)
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))


def words_13a(text: str) -> list[str]:
    """The words that BLEU compares.

    >>> words_13a('He said: "1,000 o\\'clock, no?"')
    ['He', 'said', ':', '"', '1,000', "o'clock", ',', 'no', '?', '"']
    """
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, sign in _ENTITIES:
        text = text.replace(entity, sign)
    text = f" {text} "
    for cut, apart in _CUTS:
        text = cut.sub(apart, text)
    return text.split()


def runs(words: Sequence[str], order: int) -> Iterator[tuple[str, ...]]:
    """All runs of `order` words."""
    return zip(*(words[i:] for i in range(order)), strict=False)


def bleu(texts: Sequence[str], references: Sequence[str]) -> float:
    """Of all texts together, one reference for each.

    >>> bleu(["the cat sat on the mat"], ["the cat sat on the mat"])
    1.0
    """
    hits, total = [0] * _ORDER, [0] * _ORDER
    length = reference_length = 0
    for text, reference in zip(texts, references, strict=True):
        mine, theirs = words_13a(text), words_13a(reference)
        length, reference_length = length + len(mine), reference_length + len(theirs)
        for n in range(_ORDER):
            found = Counter(runs(mine, n + 1))
            hits[n] += (found & Counter(runs(theirs, n + 1))).total()
            total[n] += found.total()
    return _score(hits, total, length, reference_length)


def self_bleu(texts: Sequence[str]) -> float:
    """Of each text against all the others: how much they repeat each other. Depends on how many there are.

    Texygen: A Benchmarking Platform for Text Generation Models (Zhu et al., 2018), https://arxiv.org/abs/1802.01886
    """
    words = [words_13a(text) for text in texts]
    lengths = Counter(map(len, words))
    hits, total = [0] * _ORDER, [0] * _ORDER
    reference_length = 0
    for n in range(_ORDER):
        counts = [Counter(runs(text, n + 1)) for text in words]
        most: dict[tuple[str, ...], tuple[int, int]] = {}  # a run: how often the text has it that has it most, and next
        for found in counts:
            for run, count in found.items():
                first, second = most.get(run, (0, 0))
                most[run] = (count, first) if count > first else (first, max(second, count))
        for found in counts:
            total[n] += found.total()
            for run, count in found.items():
                first, second = most[run]
                hits[n] += min(count, second if count == first else first)
    for text in words:  # the length nearest to its own among those of the others
        lengths[len(text)] -= 1
        others = [length for length, count in lengths.items() if count] or [0]
        reference_length += min(others, key=lambda length: (abs(length - len(text)), length))
        lengths[len(text)] += 1
    return _score(hits, total, sum(map(len, words)), reference_length)


def _score(hits: list[int], total: list[int], length: int, reference_length: int) -> float:
    if not length or not all(total):
        return 0.0
    smooth, logs = 1, 0.0
    for hit, all_of_them in zip(hits, total, strict=True):
        if hit == 0:
            smooth *= 2
        logs += math.log((hit or 1 / smooth) / all_of_them) / _ORDER
    brevity = min(0.0, 1 - reference_length / length)
    return math.exp(logs + brevity)
