"""Texts to pieces and back.

What a text is to the model: a line, a sentence or a passage, of `longest` pieces at most. With protection, a word that
only one text holds is a BLANK in training: the network never sees its letters, is not asked for it, and the vocabulary
has no piece that was made for it. Texts that are equal are learnt once, and fingerprints tell a copy of one.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from typing import Any, Self

import numpy as np
import torch

from synthloom.codecs.passages import sentences, windows
from synthloom.codecs.pieces import Pieces, Spelled
from synthloom.errors import DataError
from synthloom.files import mapped
from synthloom.spec import BLANK, END, TextBatch, TextSpec

__all__ = ["Options", "TextCodec"]

_SPECIAL = 2
"""END and BLANK come before the vocabulary's own pieces."""

_FEWEST_TEXTS = 10
_FEWEST_PER_LABEL = 5

_AT_ONCE = 1_000
"""Texts that are worked on at once."""

_BITS = 64
"""Bits of the table of fingerprints per text: so one text in 64 that is no copy is taken for one, and who has a text
cannot be sure that it was among those learnt."""


@dataclass(frozen=True)
class Options:
    """What can be asked of a text codec."""

    vocabulary: str = "bpe"
    pieces: int = 8000
    shortest: int = 1
    longest: int = 64
    sentences: bool = False
    protect: bool = True


class TextCodec:
    """`learn` takes texts in and gives them out as training shall see them; `encode` and `decode` are for use.

    >>> codec = TextCodec(Options(protect=False), seed=0)
    >>> _ = codec.learn(["so it goes", "so it went"])
    >>> codec.decode(codec.encode(["so go it\\n🙂"]))
    ['so go it\\n🙂']
    """

    def __init__(self, options: Options, seed: int) -> None:
        self.options = options
        self.seed = seed
        self.labels_: list[Any] = []
        self.prints_ = np.zeros(0, np.uint8)

    # -- learning -------------------------------------------------------------------------------------------------

    def learn(self, texts: Iterable[str], labels: Sequence[Hashable] | None = None) -> TextBatch:
        """Learn the vocabulary, the words that may be given out and the labels; return the texts for training.

        The texts are gone through four times, and never held; nor are their pieces, which lie in a file. What takes
        memory are the words, and 50 bytes or so for each text.
        """
        learnt_R, alone_R = self._choose(texts)
        pieces = Pieces.of(self.options.vocabulary)
        known = self._known_words(pieces, self._units(texts, learnt_R))
        self.pieces_ = pieces.learn(
            (
                "".join(word for word in pieces.words(unit) if _key(word) in known)
                for _, unit in self._units(texts, learnt_R)
            ),
            self.options.pieces,
        )
        batch, owner_B = self._spell(self._units(texts, learnt_R), known)
        if labels is not None:
            self._keep_labels([labels[row] for row in np.flatnonzero(learnt_R).tolist()])
            batch = replace(batch, label_B=torch.tensor(self._numbers([labels[row] for row in owner_B.tolist()])))
        if self.options.protect:
            self._keep_prints(batch, np.where(alone_R[owner_B], owner_B, -1))
        return batch

    def _choose(self, texts: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Which of the texts are learnt, the first of those that are equal; and which of them equal no other."""
        print_R = np.fromiter((self._print(text) if text.strip() else 0 for text in _usable(texts)), np.uint64)
        full = np.flatnonzero(print_R)
        _, first, times = np.unique(print_R[full], return_index=True, return_counts=True)
        learnt_R, alone_R = np.zeros(len(print_R), bool), np.zeros(len(print_R), bool)
        learnt_R[full[first] if self.options.protect else full] = True
        alone_R[full[first[times == 1]]] = True
        if learnt_R.sum() < (_FEWEST_TEXTS if self.options.protect else 1):
            raise DataError(
                f"there must be {_FEWEST_TEXTS} different texts to learn from under protection, and one without it, "
                f"however: there are {learnt_R.sum()}; add texts, or set protect=False"
            )
        self.counts_ = {
            "texts": len(print_R),
            "blank": len(print_R) - len(full),
            "equal to others": len(full) - len(first),
        }
        return learnt_R, alone_R

    def _units(self, texts: Iterable[str], learnt_R: np.ndarray) -> Iterator[tuple[int, str]]:
        """What is a text to the model, and the number of the text that it comes from."""
        for row, text in enumerate(texts):
            if learnt_R[row]:
                for unit in sentences(text) if self.options.sentences else [text.strip()]:
                    yield row, unit

    def _known_words(self, pieces: Pieces, units: Iterable[tuple[int, str]]) -> set[str]:
        """The words that more than one text holds; without protection every word."""
        holder: dict[str, int] = {}  # word -> the row that holds it, or -1 where several do
        for row, unit in units:
            for word in pieces.words(unit):
                key = _key(word)
                if holder.setdefault(key, row) != row:
                    holder[key] = -1
        self.counts_ |= {"words": len(holder), "words of one text": sum(row != -1 for row in holder.values())}
        return {key for key, row in holder.items() if row == -1 or not key or not self.options.protect}

    def _spell(self, units: Iterable[tuple[int, str]], known: set[str]) -> tuple[TextBatch, np.ndarray]:
        """The texts for training, and the rows they come from."""
        lengths, owners, spaced = array("q"), array("q"), 0
        words: dict[str, tuple[int, ...]] = {}

        def spelled() -> Iterator[np.ndarray]:
            nonlocal spaced
            left = iter(units)
            while some := list(islice(left, _AT_ONCE)):
                texts: list[list[int]] = []
                for (row, unit), of_unit in zip(some, self.pieces_.spell([unit for _, unit in some]), strict=True):
                    spaced += len(unit.split())
                    blanked: Spelled = []
                    for word, numbers in of_unit:
                        is_known = _key(word) in known
                        shifted = words.setdefault(word, tuple(n + _SPECIAL for n in numbers)) if is_known else (BLANK,)
                        blanked.append((word, shifted))
                    for window in windows(blanked, self.options.longest - 1):
                        if len(window) >= self.options.shortest:
                            texts.append([*window, END])
                            owners.append(row)
                lengths.extend(map(len, texts))
                yield np.fromiter(chain.from_iterable(texts), np.int32)

        strip_T = torch.from_numpy(np.asarray(mapped(spelled(), np.int32)))
        if not lengths:
            raise DataError(f"some text must have {self.options.shortest} pieces, however: none has; lower shortest")
        self.counts_["learnt"] = len(lengths)
        length_B = torch.tensor(lengths, dtype=torch.int64)
        self.pieces_per_word = (len(strip_T) - len(lengths)) / max(1, spaced)
        ranked = sorted(words)
        self.word_pieces_ = np.array([piece for word in ranked for piece in words[word]], np.int32)
        self.word_lengths_ = np.array([len(words[word]) for word in ranked], np.int32)
        batch = TextBatch(strip_T, length_B.cumsum(0) - length_B, length_B, torch.full_like(length_B, -1))
        return batch, np.array(owners)

    # -- what is kept ---------------------------------------------------------------------------------------------

    @property
    def words(self) -> dict[str, tuple[int, ...]]:
        """The words that may be given out, as they stand in texts, with the space before them: how each is spelled."""
        stops = self.word_lengths_.cumsum().tolist()
        pieces = self.word_pieces_.tolist()
        spelled = [tuple(pieces[stop - n : stop]) for stop, n in zip(stops, self.word_lengths_.tolist(), strict=True)]
        surfaces = self.pieces_.decode([[piece - _SPECIAL for piece in word] for word in spelled])
        return dict(zip(surfaces, spelled, strict=True))

    def _keep_labels(self, labels: Sequence[Hashable]) -> None:
        counts = Counter(label for label in labels if label is not None)
        kept = [label for label in counts if counts[label] >= (_FEWEST_PER_LABEL if self.options.protect else 1)]
        odd = next((label for label in kept if not isinstance(label, (str, int))), None)
        if odd is not None:
            raise DataError(
                f"a label must be a text, a whole number or a boolean, however: {odd!r}; give labels another form"
            )
        self.labels_ = sorted(kept, key=lambda label: (-counts[label], str(label)))
        self.counts_["labels of too few texts"] = len(counts) - len(kept)

    def _keep_prints(self, batch: TextBatch, row_B: np.ndarray) -> None:
        """Note the texts of single rows (-1: of several) that could come out as they are, having no BLANK."""
        prints, rows = array("Q"), array("q")
        for some in torch.split(torch.arange(len(batch)), _AT_ONCE):
            part = batch.take(some).to(torch.device("cpu"))
            whole = ~(part.token_BN == BLANK).any(1).numpy()
            prints.extend(self._print(text) for text, there in zip(self.decode(part), whole, strict=True) if there)
            rows.extend(row_B[some.numpy()][whole].tolist())
        print_N, row_N = np.array(prints), np.array(rows)
        order = np.lexsort((row_N, print_N))
        print_N, row_N = print_N[order], row_N[order]
        begins = np.flatnonzero(np.diff(print_N, prepend=~print_N[:1]))
        once = print_N[
            begins[(np.minimum.reduceat(row_N, begins) == np.maximum.reduceat(row_N, begins)) & (row_N[begins] >= 0)]
        ]
        self.prints_ = np.zeros(len(once) * _BITS // 8, np.uint8)
        if len(once):
            place = once % np.uint64(8 * len(self.prints_))
            np.bitwise_or.at(self.prints_, place // np.uint64(8), (1 << (place % np.uint64(8))).astype(np.uint8))

    def _print(self, text: str) -> int:
        """The fingerprint of a text: 64 bits, never all 0."""
        digest = hashlib.blake2b(_key(text).encode(), digest_size=8, salt=self.seed.to_bytes(8, "big")).digest()
        return int.from_bytes(digest, "big") or 1

    def is_copy(self, text: str) -> bool:
        """Whether the text is one that a single row holds; one text in 64 that is not seems so."""
        if not len(self.prints_):
            return False
        place = self._print(text) % (8 * len(self.prints_))
        return bool(self.prints_[place // 8] & 1 << place % 8)

    # -- use ------------------------------------------------------------------------------------------------------

    @property
    def spec(self) -> TextSpec:
        return TextSpec(len(self.pieces_) + _SPECIAL, self.options.longest, len(self.labels_))

    def encode(self, texts: Sequence[str], labels: Sequence[Hashable] | None = None) -> TextBatch:
        """Each text as it stands, words that training did not know included; what is beyond `longest` is cut off.

        A label that is not known, or None, leaves the label open.
        """
        numbers = self.pieces_.encode(list(_usable(texts)))
        spelled = [[*(n + _SPECIAL for n in of_text), END] for of_text in numbers]
        cut = [text[: self.options.longest] for text in spelled]
        return TextBatch.of(cut, None if labels is None else self._numbers(labels))

    def decode(self, batch: TextBatch) -> list[str]:
        """The texts that a batch spells."""
        strip = batch.strip_T.tolist()
        spans = zip(batch.start_B.tolist(), batch.length_B.tolist(), strict=True)
        return self.pieces_.decode(
            [[piece - _SPECIAL for piece in strip[start : start + n] if piece >= _SPECIAL] for start, n in spans]
        )

    def decode_labels(self, batch: TextBatch) -> list[Any] | None:
        """The labels of a batch, None where open; None for all if labels were never learnt."""
        if not self.labels_:
            return None
        return [None if number < 0 else self.labels_[number] for number in batch.label_B.tolist()]

    def _numbers(self, labels: Sequence[Hashable]) -> list[int]:
        number = {label: i for i, label in enumerate(self.labels_)}
        return [number.get(label, -1) for label in labels]

    # -- the model file -------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        options = asdict(replace(self.options, vocabulary=self.pieces_.vocabulary))
        document = {
            "options": options,
            "seed": self.seed,
            "labels": self.labels_,
            "counts": self.counts_,
            "pieces_per_word": self.pieces_per_word,
            "pieces": self.pieces_.state(),
        }
        return document, {"word_pieces": self.word_pieces_, "word_lengths": self.word_lengths_, "prints": self.prints_}

    @classmethod
    def load(cls, document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        codec = cls(Options(**document["options"]), document["seed"])
        codec.pieces_ = Pieces.load(document["pieces"])
        codec.labels_, codec.counts_ = document["labels"], document["counts"]
        codec.pieces_per_word = document["pieces_per_word"]
        codec.word_pieces_, codec.word_lengths_ = arrays["word_pieces"], arrays["word_lengths"]
        codec.prints_ = arrays["prints"]
        return codec


def _key(word: str) -> str:
    """What makes two words, or texts, the same: case and white space do not count."""
    return " ".join(word.casefold().split())


def _usable(texts: Iterable[str]) -> Iterator[str]:
    """The texts, each of which must be one."""
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"every text must be a str, however: number {number} is a {type(text).__name__}")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"every text must be valid Unicode, however: number {number} has half a character at {error.start}; "
                f'mend it with text.encode("utf-8", "replace").decode()'
            ) from error
        yield text
