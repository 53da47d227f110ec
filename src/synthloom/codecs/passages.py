"""Long texts as short ones: sentences, and windows of at most so many pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator

from synthloom.codecs.pieces import Spelled

__all__ = ["sentences", "windows"]

_ENDS = re.compile(r"""(?<=[.!?…])["'”’)\]]*\s+(?=["'“‘(\[]*[^\W_a-z])|\s*\n\s*""")
_GO_ON = re.compile(r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|No|vs|etc|e\.g|i\.e|cf|Jr|Sr|Fig|lit|ca) ?\.)$")


def sentences(text: str) -> list[str]:
    """A text cut after full stops, exclamation and question marks and at line breaks; abbreviations and initials go on.

    >>> sentences('He saw Dr. Who. "Run!" she said.\\nThey ran.')
    ['He saw Dr. Who.', '"Run!" she said.', 'They ran.']
    """
    found, start = [], 0
    for end in _ENDS.finditer(text):
        sentence = text[start : end.end()].strip()
        if sentence and ("\n" in end[0] or not _GO_ON.search(text[start : end.start()])):
            found.append(sentence)
            start = end.end()
    return [*found, text[start:].strip()] if text[start:].strip() else found


def windows(spelled: Spelled, longest: int) -> Iterator[list[int]]:
    """The pieces of a text, in windows of at most `longest`: cut after a sentence if one ends in the later half, else
    between two words; only a word that is longer than a window is cut itself."""
    window: list[int] = []
    good = 0  # how much of the window makes whole sentences
    for word, pieces in spelled:
        while len(window) + len(pieces) > longest:
            if good > longest // 2:
                cut = good
            elif len(pieces) > longest:
                cut, window, pieces = (
                    longest,
                    [*window, *pieces[: longest - len(window)]],
                    pieces[longest - len(window) :],
                )
            else:
                cut = len(window)
            yield window[:cut]
            window, good = window[cut:], 0
        window += pieces
        if word.strip()[-1:] in tuple(".!?…") or "\n" in word:
            good = len(window)
    if window:
        yield window
