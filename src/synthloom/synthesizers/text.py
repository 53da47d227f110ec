"""Synthetic texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch

from synthloom import rng
from synthloom.codecs.text import Options, TextCodec
from synthloom.errors import UsageError
from synthloom.latents import health
from synthloom.latents.nvib import NvibPosterior
from synthloom.likelihoods.lexicon import Lexicon
from synthloom.likelihoods.text import Style
from synthloom.models import TextModel
from synthloom.sources import SOURCES, TextFile, Texts, corpus_of, texts_of
from synthloom.spec import TextBatch, TextSpec
from synthloom.synthesizers.base import Shards, Synthesizer, number_of
from synthloom.vae import VAE, TextVAE

__all__ = ["TextSynthesizer", "Wish"]

_CODES = 50_000
"""Texts from whose codes the prior is learnt at most."""


@dataclass(frozen=True)
class Wish:
    """What a drawn text has to be; `TextSynthesizer.sample` says what each means."""

    label: Hashable = None
    length: int | tuple[int, int] | None = None
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    required: str | Sequence[str] = ()
    forbidden: str | Sequence[str] = ()
    pattern: str | None = None
    accept: Callable[[list[str]], Iterable[bool]] | None = None
    near: Any = None
    strength: float = 0.5
    budget: int = 100
    prior: str | None = None

    def __post_init__(self) -> None:
        for name, least in (("temperature", 0), ("top_k", 1), ("top_p", 0), ("budget", 1)):
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise UsageError(f"{name} must be at least {least}, however: {name}={value!r}")
        if not 0 <= self.strength <= 1:
            raise UsageError(f"strength must lie between 0 and 1, however: strength={self.strength!r}")
        least, most = self.words
        if not 0 <= least <= most:
            raise UsageError(f"length must be a number of words or (least, most), however: length={self.length!r}")
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise UsageError(f"pattern must be a regular expression, however: {self.pattern!r}: {error}") from error

    @property
    def words(self) -> tuple[int, int]:
        """The least and the most words."""
        if self.length is None:
            return 0, 1 << 30
        return (self.length, self.length) if isinstance(self.length, int) else self.length

    def fits(self, texts: list[str]) -> np.ndarray:
        """Which of the texts are as wished."""
        least, most = self.words
        required = [_word_pattern(word) for word in _listed(self.required)]
        forbidden = [_word_pattern(word) for word in _listed(self.forbidden)]
        pattern = re.compile(self.pattern or "")
        fits = [
            least <= len(text.split()) <= most
            and all(word.search(text) for word in required)
            and not any(word.search(text) for word in forbidden)
            and pattern.search(text) is not None
            for text in texts
        ]
        return np.array(fits, bool) & (np.array(list(self.accept(texts)), bool) if self.accept is not None else True)


class TextSynthesizer(Synthesizer[Texts]):
    """Fit on real texts, draw synthetic ones.

    >>> from synthloom import datasets
    >>> text = TextSynthesizer("gru", seed=0, epochs=1, pieces=500, width=32)
    >>> drawn = text.fit(datasets.notes(300)).sample(3, label="praise", seed=1)
    >>> len(drawn), drawn.labels
    (3, ['praise', 'praise', 'praise'])
    """

    kind: ClassVar[str] = "text"
    SHARD: ClassVar[int] = 1_000
    BATCH: ClassVar[int] = 250
    model: TextModel

    def fit(
        self,
        data: Any,
        *,
        labels: Sequence[Hashable] | str | None = None,
        column: str | None = None,
        keep: Any = None,
        **training: Any,
    ) -> Self:
        """Learn from texts: a list or any other iterable of them, a data frame, the path of a file or folder, which may
        be larger than memory.

        `labels` are one for each text, or the name of the column that holds them; `column` names that of the texts.
        `keep` are example texts that shall have their region of the latent to themselves: the codes of other texts are
        pushed away from theirs, as far and as hard as the knobs `keep_distance` and `keep_weight` say. All else is as
        for every kind of data.
        """
        self._keep = None if keep is None else self._items(keep)
        return super().fit(corpus_of(data, column=column, labels=labels), **training)

    # -- drawing ----------------------------------------------------------------------------------------------------

    def sample(
        self,
        n: int,
        *,
        label: Hashable = None,
        length: int | tuple[int, int] | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        required: str | Sequence[str] = (),
        forbidden: str | Sequence[str] = (),
        pattern: str | None = None,
        accept: Callable[[list[str]], Iterable[bool]] | None = None,
        near: Any = None,
        strength: float = 0.5,
        budget: int = 100,
        prior: str | None = None,
        seed: int | None = None,
    ) -> Texts:
        """n synthetic texts, with labels if the model has learnt any.

        `length` is a number of words, or the least and the most. A lower `temperature` keeps to what is likely, as do
        `top_k` and `top_p`. Forbidden words are never written. Lengths, required words, a `pattern` (a regular
        expression that some part of the text must match) and `accept` (which says of each of a list of texts whether it
        will do, as a classifier can) are had by drawing again, `budget` times for each text at most; so are copies,
        under protection. `drafts_` then says how many were drawn, and how many were not taken, and why.

        `near` are example texts: codes are then those of one of them, moved towards the prior by `strength`, as `vary`
        does it, so that they lie around the examples; at 1 nothing of them is left.
        """
        asked = label, length, temperature, top_k, top_p, required, forbidden, pattern, accept, near, strength
        wish = Wish(*asked, budget, prior)
        return _join(list(self.stream(n, seed=seed, **vars(wish))))

    def shards(self, n: int, *, seed: int | None = None, **wishes: Any) -> Shards[Texts]:
        """`sample` in parts of at most `SHARD` texts, each made when it is asked for."""
        self._assert_fitted()
        wish = Wish(**wishes)
        number = rng.fresh_seed() if seed is None else seed
        self.drafts_ = Counter[str]()
        return self._shards(n, lambda shard, count: self.shard(shard, count, number, wish))

    drafts_: Counter[str]

    @torch.inference_mode()
    def shard(self, shard: int, count: int, seed: int, wish: Wish | None = None) -> Texts:
        """Shard number `shard` of a sample: a pure function of the model and these arguments."""
        wish = wish or Wish()
        write = self._writer(wish)
        taken: list[Texts] = []
        found = drawn = copies = 0
        with rng.seeded(seed, "shard", shard):
            while found < count:
                if drawn >= wish.budget * count:
                    raise UsageError(
                        f"what is asked for must be something that the model writes now and then, however: of "
                        f"{drawn:,} drafts {found:,} would do and {copies:,} were copies; ask for less, or raise budget"
                    )
                wanted = (count - found) * max(drawn, 1) // max(found, 1)
                drafts = write(min(self.SHARD, wish.budget * count - drawn, wanted))
                fresh = ~np.array([self.codec_.is_copy(draft) for draft in drafts], bool)
                good = np.flatnonzero(fresh & wish.fits(list(drafts)))[: count - found]
                taken.append(SOURCES["text"].take(drafts, good.tolist()))
                drawn, found, copies = drawn + len(drafts), found + len(good), copies + int((~fresh).sum())
        self.drafts_.update(drawn=drawn, copies=copies, unfit=drawn - copies - found)
        return _join(taken)

    def _writer(self, wish: Wish) -> Callable[[int], Texts]:
        """What writes so many drafts: all that can be had without drawing again is in it already."""
        net = self._net()
        label = None if wish.label is None else number_of(wish.label, self.codec_.labels_)
        # from words to pieces, roughly: the rest is done by drawing again
        least, most = (
            int(count * self.codec_.pieces_per_word * f) for count, f in zip(wish.words, (0.7, 1.5), strict=True)
        )
        style = Style(wish.top_k, wish.top_p, self._lexicon(_listed(wish.forbidden)))
        learned = self._learned(wish.prior)
        examples = None if wish.near is None else self._encode(self._items(wish.near))
        if examples is not None and not len(examples):
            raise UsageError("near must be one text or more, however: there is none")

        def write(n: int) -> Texts:
            label_B = net.labels(n) if label is None else torch.full((n,), label, device=self.device)
            length_B = net.lengths(label_B, least, most + 2)
            order_B = length_B.argsort(stable=True)  # texts of like lengths are done at like times
            parts = []
            for index in torch.split(order_B, self.BATCH):
                condition_BC = net.as_condition(length_B[index], label_B[index])
                q = net.prior(len(index), condition_BC, learned=learned, temperature=wish.temperature, style=style)
                # what was written to be read has been left to chance already, and is written again as it was read
                spread, temperature = (0.0, 0.0) if learned and net.writes_prior else (1.0, wish.temperature)
                if examples is not None:
                    some = examples.take(torch.randint(len(examples), (len(index),)))
                    q, spread = net.infer(some.to(self.device)).mix(q, wish.strength), wish.strength
                code = q.draw(spread)
                parts.append(net.generate(code).draw(TextBatch.begun(label_B[index]), temperature, style))
            batch = TextBatch.cat(parts).take(order_B.argsort())
            return Texts(self.codec_.decode(batch), self.codec_.decode_labels(batch))

        return write

    def _lexicon(self, forbidden: tuple[str, ...] = ()) -> Lexicon | None:
        """The words that may be written, if not all may."""
        if not self.codec_.options.protect and not forbidden:
            return None
        if forbidden not in self._lexicons:
            keys = {word.casefold() for word in forbidden}
            words = {w: spelling for w, spelling in self.codec_.words.items() if w.strip().casefold() not in keys}
            lexicon = Lexicon.of(words, self._spec().pieces, apart=self.codec_.pieces_.apart)
            self._lexicons[forbidden] = lexicon.to(self.device)
        return self._lexicons[forbidden]

    # -- what the base asks for -------------------------------------------------------------------------------------

    def _items(self, data: Any) -> Texts:
        return Texts([data]) if isinstance(data, str) else texts_of(data)

    def _encode(self, items: Texts) -> TextBatch:
        return self.codec_.encode(items, items.labels)

    def _decode(self, parts: Sequence[TextBatch], like: Texts | None = None) -> Texts:
        texts = self.codec_.decode(TextBatch.cat(parts)) if parts else []
        return Texts(texts, None if like is None else like.labels)

    def _prior(self, like: TextBatch) -> Any:
        net = self._net()
        return net.prior(len(like), net.as_condition(net.lengths(like.label_B), like.label_B))

    def _draw(self, code: Any, temperature: float, like: TextBatch) -> TextBatch:
        return (
            self._net().generate(code).draw(TextBatch.begun(like.label_B), temperature, Style(lexicon=self._lexicon()))
        )

    def _net(self) -> TextVAE:
        net = self._assert_fitted()
        assert isinstance(net, TextVAE)
        return net

    def _learn_codec(self, data: Texts | TextFile, seed: int) -> TextBatch:
        model = self.model
        options = Options(model.vocabulary, model.pieces, model.shortest, model.longest, model.sentences, model.protect)
        self.codec_ = TextCodec(options, rng.mix(seed, "codec"))
        self._lexicons: dict[tuple[str, ...], Lexicon] = {}
        return self.codec_.learn(data, data.labels)

    def _prepare(self, net: VAE, shown: TextBatch) -> None:
        super()._prepare(net, shown)
        if self._keep:
            assert isinstance(net, TextVAE)
            net.keep(self._encode(self._keep), self.model.keep_distance, self.model.keep_weight)

    def _codec_info(self) -> dict[str, Any]:
        labels = {"labels": ", ".join(map(str, self.codec_.labels_))} if self.codec_.labels_ else {}
        return {"texts": self.codec_.counts_ | labels}

    def _codec_state(self) -> tuple[dict[str, Any], Mapping[str, Any]]:
        return self.codec_.state()

    def _load_codec(self, document: Mapping[str, Any], arrays: Mapping[str, torch.Tensor]) -> None:
        self.codec_ = TextCodec.load(document, {name: tensor.numpy() for name, tensor in arrays.items()})
        self._lexicons = {}

    def _spec(self) -> TextSpec:
        return self.codec_.spec

    def _activations(self, spec: TextSpec) -> int:
        return spec.longest * self.model.width * (20 + 40 * self.model.layers)

    def _fit_prior(self, batch: TextBatch, seed: int) -> None:
        some = rng.generator(seed, "codes").permutation(len(batch))[:_CODES]
        super()._fit_prior(batch.take(torch.from_numpy(np.sort(some))), seed)

    def _examine(self, batch: TextBatch, seed: int) -> list[str]:
        findings = super()._examine(batch, seed)
        few = batch.take(torch.arange(min(len(batch), 1000)))
        with torch.inference_mode():
            surveys = [
                q.process.survey()
                for q in map(self._net().infer, self._in_batches(few))
                if isinstance(q, NvibPosterior)
            ]
        if surveys:
            alpha_B, prior_alpha_B, share_B = (
                torch.cat([survey[name] for survey in surveys]) for name in ("alpha", "prior_alpha", "survivor_share")
            )
            found = [*health.check_alpha(alpha_B, prior_alpha_B), *health.check_survivors(share_B)]
            findings += map(str, found)
        return findings


def _join(parts: Sequence[Texts]) -> Texts:
    texts = [text for part in parts for text in part]
    if not parts or parts[0].labels is None:
        return Texts(texts)
    return Texts(texts, [label for part in parts for label in part.labels or []])


def _listed(words: str | Sequence[str]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def _word_pattern(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
