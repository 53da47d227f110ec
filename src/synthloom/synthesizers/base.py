"""The verbs that every synthesizer has, whatever the kind of data: fit, sample, reconstruct, vary, score, save."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import torch

from synthloom import __version__, archive, devices, rng, training
from synthloom.errors import ModelFileError, NotFittedError, TrainingError, UsageError
from synthloom.latents import health
from synthloom.latents.nvib import NvibPosterior
from synthloom.models import Model, find
from synthloom.priors import PRIORS
from synthloom.sources import SOURCES, Source
from synthloom.training import Interrupted, Private, Tracker
from synthloom.vae import VAE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Lesson", "Shards", "Synthesizer", "number_of"]

Items = TypeVar("Items")
"""What people hold: a data frame, texts, an array of images."""

_MOST_HELD = 2048
"""Items kept aside for validation, at most: epochs are told apart on the same items, which takes few."""


@dataclass(frozen=True)
class Lesson:
    """What a model learns from: the encoded items, the seed of what chance there is in that, and on which terms."""

    items: Any
    seed: int
    private: Private | None = None
    shown: Any = None
    """What may be looked at beside taking steps; none: the items themselves."""
    told: Callable[[], dict[str, Any]] = dict
    """What `info_` says of these terms, once training is over."""


class Shards(Sequence[Items]):
    """A sample that is not drawn yet, in parts: any of them can be made alone, in any order, on any machine.

    >>> [f"{shard}: {count}" for shard, count in Shards(25, 10, lambda shard, count: (shard, count))]
    ['0: 10', '1: 10', '2: 5']
    """

    def __init__(self, items: int, size: int, make: Callable[[int, int], Items]) -> None:
        self.items, self.size, self._make = items, size, make

    def __len__(self) -> int:
        return -(-self.items // self.size)

    def __getitem__(self, shard: Any) -> Any:
        """The items of one part."""
        if not 0 <= shard < len(self):
            raise IndexError(f"there are {len(self)} shards, however: {shard} was asked for")
        return self._make(shard, min(self.size, self.items - shard * self.size))


class Synthesizer(ABC, Generic[Items]):
    """Codec, model and training joined. The constructor only stores; `fit` makes what ends in an underscore.

    Any knob of the model may be given by name; `synthloom info` and the model's class list them.
    """

    kind: ClassVar[str]
    SHARD: ClassVar[int] = 10_000
    """Items that are drawn from one stream of randomness: so any shard can be made alone, and items do not depend on
    how many there are."""
    BATCH: ClassVar[int] = 4096
    """Items that go through the network at once when it is only used."""

    def __init__(self, model: str | None = None, *, seed: int | None = None, **knobs: Any) -> None:
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
            raise UsageError(f"seed must be a whole number or None, however: seed={seed!r}")
        self.model: Model = find(self.kind, model).with_knobs(knobs)
        self.seed = seed

    # -- training ---------------------------------------------------------------------------------------------------

    def fit(
        self,
        data: Any,
        *,
        checkpoint: Path | str | None = None,
        checkpoint_seconds: float = 30.0,
        resume: bool = False,
        trackers: Sequence[Tracker] = (),
        progress: bool | None = None,
    ) -> Self:
        """Learn from `data`. With a `checkpoint` path a killed run can go on where it was with `resume=True`.

        Ctrl-C ends training early: what has been learnt so far stays in the synthesizer, and `Interrupted` is raised.
        """
        seed = self.seed if self.seed is not None else rng.fresh_seed()
        checkpoint = Path(checkpoint) if checkpoint is not None else None
        if resume and self.seed is None and checkpoint is not None and checkpoint.exists():
            seed = training.checkpoint_seed(checkpoint)
        if self.seed is None:
            (seed,) = map(int, training.team().agreed(seed))
        lesson = self._lesson(data, seed, checkpoint if resume else None)
        batch, private, shown = lesson.items, lesson.private, lesson.shown
        self._refuse_too_large(batch)
        settings = self.model.settings(lesson.seed, len(batch) if private is None else private.rows)
        if settings.max_time and PRIORS[self.model.prior]:
            settings = replace(settings, max_time=0.8 * settings.max_time)
        with rng.seeded(seed, "network"):
            net = self.model.build(self._spec())
        count = min(round(self.model.validation * len(batch)), _MOST_HELD) if len(batch) >= 50 else 0
        is_held = torch.zeros(len(batch), dtype=torch.bool)
        is_held[torch.from_numpy(rng.generator(seed, "validation").permutation(len(batch))[:count])] = True
        items, held = batch.take((~is_held).nonzero()[:, 0]), is_held.nonzero()[:, 0]
        learnt = items if shown is None else shown
        self._prepare(net, learnt)
        self.net_ = net  # from here on a tracker may have a `glimpse`
        interrupted = None
        try:
            history = training.train(
                net,
                items,
                batch.take(held) if count else None,
                settings,
                self.model.schedule_for(learnt),
                private=private,
                checkpoint=checkpoint,
                checkpoint_seconds=checkpoint_seconds,
                resume=resume,
                trackers=trackers,
                progress=progress,
            )
        except Interrupted as signal:
            interrupted, history = signal, signal.history
        net.eval()
        self._history = history
        shown = batch if shown is None else shown
        self._fit_prior(shown, seed)
        with torch.no_grad(), rng.seeded(seed, "finish"):
            self.model.finish(net, shown)
        self.info_: dict[str, Any] = {
            "kind": self.kind,
            "model": self.model.name,
            "knobs": self.model.model_dump(mode="json"),
            "seed": seed,
            "items": len(batch) if private is None else len(shown),  # how many there are is private, too
            "parameters": sum(p.numel() for p in net.parameters()),
            "threads": history.threads,
            "synthloom": __version__,
            "torch": torch.__version__,
            "best_epoch": history.best_epoch,
            "stopped": history.stopped,
            "notes": [*history.notes, *(self._examine(batch, seed) if private is None else [])],
        }
        self.info_ |= self._codec_info() | lesson.told()
        self._checkpoint = checkpoint
        if interrupted is not None:
            raise interrupted
        return self

    def glimpse(self, n: int, *, seed: int = 0) -> Items:
        """n items as the model would draw them by now: for trackers, while it is still in training.

        Nothing of the training is changed by it, and a learned prior is not there yet.
        """
        net = self._assert_fitted()
        was = net.training
        net.eval()
        try:
            return self.sample(n, seed=seed)
        finally:
            net.train(was)

    @property
    def history_(self) -> pd.DataFrame:
        """The training curves, one row per epoch."""
        import pandas as pd

        self._assert_fitted()
        return pd.DataFrame(self._history.rows)

    # -- drawing ----------------------------------------------------------------------------------------------------

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[Items]:
        """`sample` in parts of at most `SHARD`, one after the other, in constant memory."""
        yield from self.shards(*args, **kwargs)

    def assert_apart(self) -> None:
        """Refuse to be drawn in parts that know nothing of each other, where one must know of another."""

    # -- the latent -------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def encode(self, items: Any) -> np.ndarray:
        """The latent of each item, without noise: an array with a row for each."""
        net = self._assert_fitted()
        parts = self._in_batches(self._encode(self._items(items)))
        flat = [net.latent.flat(net.infer(part).mean).cpu() for part in parts]
        if not flat:
            with rng.seeded(0):
                flat = [net.latent.flat(net.prior(1).mean)[:0].cpu()]
        return torch.cat(flat).numpy()

    @torch.inference_mode()
    def survivors(self, items: Any) -> np.ndarray | None:
        """How many vectors of each item's code are worth keeping, where that varies; None where it does not."""
        net = self._assert_fitted()
        counts = []
        for part in self._in_batches(self._encode(self._items(items))):
            q = net.infer(part)
            if not isinstance(q, NvibPosterior):
                return None
            counts.append(q.process.survivors().sum(1).cpu())
        return torch.cat(counts).numpy() if counts else None

    @torch.inference_mode()
    def reconstruct(self, items: Any) -> Items:
        """The items as the model remembers them: through the latent and back, the best guess for each part of one."""
        net = self._assert_fitted()
        items = self._items(items)
        parts = [self._draw(net.infer(part).mean, 0.0, part) for part in self._in_batches(self._encode(items))]
        return self._decode(parts, items)

    @torch.inference_mode()
    def interpolate(self, a: Any, b: Any, steps: int = 5) -> Items:
        """`steps` items on the way from one to another, both ends included."""
        net = self._assert_fitted()
        if steps < 2:
            raise UsageError(f"steps must be 2 or more, the ends included, however: steps={steps}")
        one, other = (self._encode(self._items(end)).to(self.device) for end in (a, b))
        start, stop = net.infer(one), net.infer(other)
        way = [
            self._draw(start.mix(stop, t).mean, 0.0, one if t < 0.5 else other)
            for t in np.linspace(0, 1, steps).tolist()
        ]
        return self._decode(way)

    @torch.inference_mode()
    def vary(self, items: Any, n: int = 10, strength: float = 0.5, *, seed: int | None = None) -> Items:
        """n neighbours of each item: at strength 0 its reconstruction, at 1 fresh draws that owe it nothing."""
        net = self._assert_fitted()
        if not 0 <= strength <= 1:
            raise UsageError(f"strength must lie between 0 and 1, however: strength={strength}")
        items = self._items(items)
        batch = self._encode(items)
        each = np.arange(len(batch)).repeat(n)
        parts = []
        with rng.seeded(rng.fresh_seed() if seed is None else seed, "vary"):
            for part in self._in_batches(batch.take(torch.from_numpy(each))):
                between = net.infer(part).mix(self._prior(part), strength)
                parts.append(self._draw(between.draw(strength), strength, part))
        return self._decode(parts, SOURCES[self.kind].take(items, each))

    @torch.inference_mode()
    def log_prob(self, items: Any, draws: int = 10, seed: int = 0) -> np.ndarray:
        """Nats per item, a lower bound on its log-probability: low means unusual.

        It is the evidence lower bound, reconstruction less KL, averaged over draws of the latent; the KL is against the
        latent's own prior, whatever prior new items are drawn from.
        """
        net = self._assert_fitted()
        bounds = []
        with rng.seeded(seed, "log_prob"):
            for part in self._in_batches(self._encode(self._items(items))):
                runs = [_bound(net.elbo(part)) for _ in range(draws)]
                bounds.append(torch.stack(runs).mean(0).cpu())
        return torch.cat(bounds).double().numpy() if bounds else np.zeros(0)

    def scores(self, items: Any) -> dict[str, np.ndarray]:
        """All that tells unusual items, by name."""
        return {"log_prob": self.log_prob(items)}

    # -- the model file ---------------------------------------------------------------------------------------------

    def save(self, path: Path | str) -> None:
        """Write the model to one file: a zip of readable JSON and safetensors. The same model gives the same bytes.

        The checkpoint of a training that ran to its end has then done its work and is removed. Of the processes of a
        process group the first one writes.
        """
        self._assert_fitted()
        if not training.team().first:
            return
        codec, arrays = self._codec_state()
        # seconds are left out: they would make two equal runs differ
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in self._history.rows]
        documents = {
            "info": self.info_,
            "codec": codec,
            "history": {"rows": rows, "best_epoch": self._history.best_epoch, "stopped": self._history.stopped},
        }
        archive.write(path, documents, {"codec": arrays, "network": self.net_.state_dict()})
        if self._checkpoint is not None and self._history.stopped != "interrupted":
            self._checkpoint.unlink(missing_ok=True)

    @classmethod
    def from_archive(cls, stored: archive.Archive) -> Self:
        """The synthesizer that `save` wrote."""
        info = stored.documents["info"]
        synthesizer = cls(info["model"], seed=info["seed"], **info["knobs"])
        synthesizer._load_codec(stored.documents["codec"], stored.tensors["codec"])
        net = synthesizer.model.build(synthesizer._spec())
        kind = PRIORS[synthesizer.model.prior]
        start = "learned_prior."
        state = {name.removeprefix(start): t for name, t in stored.tensors["network"].items() if name.startswith(start)}
        if kind is not None and state:
            net.learned_prior = kind.shaped_as(state)
        try:
            net.load_state_dict(stored.tensors["network"])
        except RuntimeError as error:
            raise ModelFileError(f"the weights must fit the model that the file describes, however: {error}") from error
        synthesizer.net_ = net.eval()
        history = stored.documents["history"]
        synthesizer._history = training.History(**history, notes=info["notes"], threads=info["threads"])
        synthesizer.info_ = info
        synthesizer._checkpoint = None
        return synthesizer

    # -- what a kind of data adds -----------------------------------------------------------------------------------

    @abstractmethod
    def shards(self, *args: Any, **kwargs: Any) -> Shards[Items]:
        """`sample` in parts of `SHARD` that are made when they are asked for: each is a pure function of the model, the
        number of the part, and what is asked for; takes what `sample` takes."""

    @abstractmethod
    def sample(self, *args: Any, **kwargs: Any) -> Items:
        """A number of synthetic items; takes a seed, and whatever a kind of data can be asked for."""

    @abstractmethod
    def _items(self, data: Any) -> Items:
        """Items from whatever may stand for them: many, one, a path."""

    @abstractmethod
    def _encode(self, items: Items) -> Any:
        """Items as the network sees them, without chance."""

    @abstractmethod
    def _decode(self, parts: Sequence[Any], like: Items | None = None) -> Items:
        """What batches stand for, all together; `like` are the items that they were made from, one for one."""

    def _prior(self, like: Any) -> Any:
        """The prior for as many items as there are, and of the labels that they have."""
        return self._assert_fitted().prior(len(like))

    def _draw(self, code: Any, temperature: float, like: Any) -> Any:
        """What codes stand for; `like` are the encoded items that they come from, or the nearer ones."""
        return self._assert_fitted().generate(code).draw(temperature=temperature)

    @abstractmethod
    def _learn_codec(self, data: Any, seed: int) -> Any:
        """Fit the codec and encode the data with it."""

    def _lesson(self, data: Any, seed: int, resumed: Path | None) -> Lesson:
        """What to learn from, and how; going on from a checkpoint if there is one."""
        return Lesson(self._learn_codec(data, seed), seed)

    def _prepare(self, net: VAE, shown: Any) -> None:
        """Whatever a fresh network may take from the training items."""
        self.model.prepare(net, shown)

    @abstractmethod
    def _codec_info(self) -> dict[str, Any]:
        """What the codec has to say in `info_`."""

    @abstractmethod
    def _codec_state(self) -> tuple[dict[str, Any], Mapping[str, Any]]: ...

    @abstractmethod
    def _load_codec(self, document: Mapping[str, Any], arrays: Mapping[str, torch.Tensor]) -> None: ...

    @abstractmethod
    def _spec(self) -> Any: ...

    @abstractmethod
    def _activations(self, spec: Any) -> int:
        """Roughly how many numbers one item takes while it is trained on."""

    # -- after training --------------------------------------------------------------------------------------------

    def _fit_prior(self, batch: Any, seed: int) -> None:
        """Learn where the codes of the training items lie, if the model asks for it."""
        kind = PRIORS[self.model.prior]
        if kind is None:
            return
        code_NF, condition_NC = self._codes(batch, seed)
        with rng.seeded(seed, "prior"):
            latent = self.net_.latent
            prior = kind(code_NF.shape[1], condition_NC.shape[1], latent.parts).to(self.device)
            # of a bounded time the network's training had four fifths
            prior.seconds = self.model.max_time and self.model.max_time / 5
            with devices.threads(self.model.threads, sum(p.numel() for p in prior.parameters())):
                prior.fit(code_NF, condition_NC, latent.present(condition_NC))
        self.net_.learned_prior = prior

    def _examine(self, batch: Any, seed: int) -> list[str]:
        """What is wrong with the latent, in words."""
        few = batch.take(torch.arange(min(len(batch), 1000)))
        code_NF, condition_NC = self._codes(few, seed)
        with torch.inference_mode(), rng.seeded(seed, "examine"):
            drawn_NF = self.net_.latent.flat(self.net_.prior(len(few), condition_NC).draw())
        return [str(finding) for finding in health.check_codes(code_NF, drawn_NF)]

    @torch.inference_mode()
    def _codes(self, batch: Any, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """One draw of the code of every item: flat, and what it is conditional on."""
        net = self._assert_fitted()
        with rng.seeded(seed, "codes"):
            codes = [(part, net.infer(part).draw()) for part in self._in_batches(batch)]
        flat = torch.cat([net.latent.flat(code) for _, code in codes])
        return flat, torch.cat([net.condition(part, code) for part, code in codes])

    # -- shared tools -----------------------------------------------------------------------------------------------

    @property
    def source(self) -> Source:
        """How the items that this model takes and gives are read and written."""
        return SOURCES[self.kind]

    def _assert_fitted(self) -> VAE:
        if not hasattr(self, "net_"):
            raise NotFittedError(f"{type(self).__name__} must be fitted first; call fit(data), or load a saved model")
        return self.net_

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self._assert_fitted().parameters()).device

    def _in_batches(self, batch: Any) -> list[Any]:
        every = torch.arange(len(batch))
        return [batch.take(index).to(self.device) for index in torch.split(every, self._at_once) if len(index)]

    def _shards(self, n: Any, make: Callable[[int, int], Items]) -> Shards[Items]:
        """The shards of a sample of n: `make` is told the number of a shard, and how many items it has."""
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
            raise UsageError(
                f"the number of {SOURCES[self.kind].things} must be a whole number of 0 or more, however: n={n!r}"
            )
        return Shards(int(n), self.SHARD, make)

    @property
    def _at_once(self) -> int:
        """Items that go through the network at once."""
        return self.BATCH

    def _learned(self, prior: str | None) -> bool:
        """Whether to draw from the learned prior, if there is one, or from the latent's own."""
        if prior not in (None, "standard", self.model.prior):
            raise UsageError(f'prior must be "standard" or the model\'s "{self.model.prior}", however: {prior!r}')
        return prior != "standard"

    def _refuse_too_large(self, batch: Any) -> None:
        """Say no before the memory is gone: weights, their gradients and two moments, and one batch on its way."""
        with torch.device("meta"):
            parameters = sum(p.numel() for p in self.model.build(self._spec()).parameters())
        need = 16 * parameters + 4 * self._activations(self._spec()) * min(self.model.batch_size, len(batch))
        free = devices.free_memory()
        if self.model.device in ("auto", "cpu") and need > 0.9 * free:
            raise TrainingError(
                f"training must fit into memory, however: {parameters:,} parameters and a batch of "
                f"{self.model.batch_size} need about {need / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free; "
                f"use a smaller batch_size or width, or leave out columns of very many values"
            )


def number_of(label: Hashable, known: Sequence[Hashable]) -> int:
    """Which of the known labels it is; on the command line every label is text."""
    found = [i for i, one in enumerate(known) if one == label] or [
        i for i, one in enumerate(known) if str(one) == label
    ]
    if not found:
        labels = ", ".join(map(repr, known[:10])) or "none"
        raise UsageError(f"a label must be one that the model has learnt ({labels}), however: {label!r}")
    return found[0]


def _bound(parts: dict[str, torch.Tensor]) -> torch.Tensor:
    return parts["reconstruction"] - sum(nats for name, nats in parts.items() if name.startswith("kl_"))
