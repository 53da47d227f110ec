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

import numpy as np
from numpy.typing import NDArray

__all__ = ["bleu", "counts", "runs", "score", "self_bleu", "words_13a"]

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
    return score(counts(texts, references).sum(axis=0))


def counts(texts: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
    """What BLEU is made of, for each text [N, 10]: runs of one to four words that its reference has too, all its runs,
    its length and that of its reference."""
    rows = []
    for text, reference in zip(texts, references, strict=True):
        mine, theirs = words_13a(text), words_13a(reference)
        found = [Counter(runs(mine, n + 1)) for n in range(_ORDER)]
        hits = [(found[n] & Counter(runs(theirs, n + 1))).total() for n in range(_ORDER)]
        rows.append([*hits, *(some.total() for some in found), len(mine), len(theirs)])
    return np.array(rows, np.float64).reshape(-1, 2 * _ORDER + 2)


def self_bleu(texts: Sequence[str]) -> float:
    """Of each text against all the others: how much they repeat each other. Depends on how many there are.

    Texygen: A Benchmarking Platform for Text Generation Models (Zhu et al., 2018), https://arxiv.org/abs/1802.01886
    """
    words = [words_13a(text) for text in texts]
    lengths = Counter(map(len, words))
    sums = np.zeros(2 * _ORDER + 2)
    for n in range(_ORDER):
        each = [Counter(runs(text, n + 1)) for text in words]
        most: dict[tuple[str, ...], tuple[int, int]] = {}  # a run: how often the text has it that has it most, and next
        for found in each:
            for run, count in found.items():
                first, second = most.get(run, (0, 0))
                most[run] = (count, first) if count > first else (first, max(second, count))
        for found in each:
            sums[_ORDER + n] += found.total()
            for run, count in found.items():
                first, second = most[run]
                sums[n] += min(count, second if count == first else first)
    for text in words:  # the length nearest to its own among those of the others
        lengths[len(text)] -= 1
        others = [length for length, count in lengths.items() if count] or [0]
        sums[-1] += min(others, key=lambda length: (abs(length - len(text)), length))
        lengths[len(text)] += 1
    sums[-2] = sum(map(len, words))
    return score(sums)


def score(sum_D: NDArray[np.float64]) -> float:
    """BLEU from the sums of `counts`."""
    hits, total, (length, reference_length) = sum_D[:_ORDER], sum_D[_ORDER:-2], sum_D[-2:]
    if not length or not total.all():
        return 0.0
    smooth, logs = 1, 0.0
    for hit, all_of_them in zip(hits.tolist(), total.tolist(), strict=True):
        if hit == 0:
            smooth *= 2
        logs += math.log((hit or 1 / smooth) / all_of_them) / _ORDER
    brevity = min(0.0, 1 - float(reference_length / length))
    return math.exp(logs + brevity)
