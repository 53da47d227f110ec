"""Texts as pieces of words, and back to the letter: own vocabularies, learnt from texts, or anybody's tokenizer.json.

Neural Machine Translation of Rare Words with Subword Units (Sennrich et al., 2016), https://arxiv.org/abs/1508.07909.
Own vocabularies have bytes at the bottom, so that any text can be spelled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

from tokenizers import Regex, Tokenizer
from tokenizers.decoders import ByteLevel as BytesBack
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as OneAfterAnother
from tokenizers.trainers import BpeTrainer

from synthloom.errors import FileError

__all__ = ["Pieces", "Spelled"]

Spelled = list[tuple[str, tuple[int, ...]]]
"""A text as its words, each with the pieces that spell it."""

_WORDS = r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+"
"""A word: a run of letters, of digits or of other signs, each with the space before it; or white space."""

_BATCH = 10_000
"""Texts that are encoded at once: enough to keep all cores busy, few enough to hold."""


class Pieces:
    """A vocabulary of pieces, numbered from 0.

    >>> pieces = Pieces.of("bpe").learn(["so it goes", "so it went"], 300)
    >>> pieces.decode(pieces.encode(["it so goes \\n 🙂"]))
    ['it so goes \\n 🙂']
    >>> pieces.words("so it's 1989")
    ['so', ' it', "'", 's', ' 1989']
    """

    def __init__(self, tokenizer: Tokenizer, vocabulary: str) -> None:
        self.vocabulary = vocabulary
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    @classmethod
    def of(cls, vocabulary: str) -> Self:
        """What `vocabulary` starts from: single bytes for "bpe" and "word", else a tokenizer.json as it is."""
        if vocabulary in ("bpe", "word"):
            return cls(_of_bytes(), vocabulary)
        if not Path(vocabulary).is_file():
            raise FileError(
                f'vocabulary must be "bpe", "word" or the path of a tokenizer.json, however: {vocabulary!r}'
            )
        try:
            return cls(Tokenizer.from_file(vocabulary), "given")
        except Exception as error:  # the library raises nothing more particular
            raise FileError(
                f"{vocabulary} must be a tokenizer.json, however: {' '.join(str(error).split())}"
            ) from error

    def learn(self, texts: Iterable[str], size: int) -> Pieces:
        """At most `size` pieces: "bpe" joins what often stands together, "word" takes the commonest words whole."""
        if self.vocabulary == "bpe":
            bytes_alone = ByteLevel.alphabet()
            trainer = BpeTrainer(vocab_size=size, min_frequency=2, initial_alphabet=bytes_alone, show_progress=False)
            learnt = _of_bytes()
            learnt.train_from_iterator(texts, trainer)
            return Pieces(learnt, "bpe")
        if self.vocabulary == "word":
            split = self._tokenizer.pre_tokenizer.pre_tokenize_str
            counts = Counter(word for text in texts for word, _ in split(text))
            common = sorted(counts, key=lambda word: (-counts[word], word))
            return Pieces(_of_bytes(common[: max(0, size - 256)]), "word")
        return self

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The pieces of each text."""
        encodings = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def decode(self, texts: Sequence[Sequence[int]]) -> list[str]:
        """The text of each list of pieces."""
        decoded: list[str] = self._tokenizer.decode_batch(texts, skip_special_tokens=False)
        return decoded

    def words(self, text: str) -> list[str]:
        """What the text is cut into before words are cut into pieces; no piece reaches across a cut."""
        if self._tokenizer.pre_tokenizer is None:
            return [text]
        return [text[start:stop] for _, (start, stop) in self._tokenizer.pre_tokenizer.pre_tokenize_str(text)]

    def spell(self, texts: Sequence[str]) -> Iterator[Spelled]:
        """`encode`, but word by word."""
        for start in range(0, len(texts), _BATCH):
            some = texts[start : start + _BATCH]
            for text, encoding in zip(some, self._tokenizer.encode_batch(some, add_special_tokens=False), strict=True):
                yield _by_word(text, encoding.ids, encoding.word_ids, encoding.offsets)

    @property
    def apart(self) -> bool:
        """Whether words stand apart though no space belongs to them, as where "##" marks what goes on with one."""
        return any(c.isspace() for c in self.decode([2 * self.encode(["a"])[0]])[0])

    def state(self) -> dict[str, str]:
        return {"vocabulary": self.vocabulary, "tokenizer": self._tokenizer.to_str()}

    @classmethod
    def load(cls, state: dict[str, str]) -> Self:
        return cls(Tokenizer.from_str(state["tokenizer"]), state["vocabulary"])


def _of_bytes(words: Sequence[str] = ()) -> Tokenizer:
    """Bytes, and the given words (as bytes) in one piece each."""
    entries = dict.fromkeys([*sorted(ByteLevel.alphabet()), *words])
    tokenizer = Tokenizer(BPE({entry: i for i, entry in enumerate(entries)}, [], ignore_merges=True))
    bytes_of_words = ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = OneAfterAnother([Split(Regex(_WORDS), "isolated"), bytes_of_words])
    tokenizer.decoder = BytesBack()
    return tokenizer


def _by_word(text: str, ids: list[int], words: list[int | None], offsets: list[tuple[int, int]]) -> Spelled:
    spelled: Spelled = []
    start = 0
    for i in range(1, len(ids) + 1):
        if i == len(ids) or words[i] != words[start]:
            spelled.append((text[offsets[start][0] : offsets[i - 1][1]], tuple(ids[start:i])))
            start = i
    return spelled
