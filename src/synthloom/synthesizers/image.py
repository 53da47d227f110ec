"""Synthetic images."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from synthloom import rng
from synthloom.codecs.image import ImageCodec, Options
from synthloom.errors import UsageError
from synthloom.latents import health
from synthloom.models import ImageModel
from synthloom.sources import SOURCES, Frame, Images, Source, images_of
from synthloom.sources.images import join
from synthloom.sources.pictures import nats_of_png
from synthloom.spec import ImageBatch, ImageSpec
from synthloom.synthesizers.base import Shards, Synthesizer, number_of
from synthloom.vae import ImageVAE

__all__ = ["ImageSynthesizer"]

_CODES = 50_000
"""Images from whose codes the prior is learnt at most."""


class ImageSynthesizer(Synthesizer[Images]):
    """Fit on real images, draw synthetic ones.

    What is drawn shows the pixels that are expected of a code; `sample(pixels="drawn")` adds the chance of each pixel.

    >>> from synthloom import datasets
    >>> images, labels = datasets.shapes(200)
    >>> image = ImageSynthesizer("conv", seed=0, epochs=1, width=8, size=4, prior="mixture")
    >>> drawn = image.fit(images, labels=labels).sample(3, label="disc", seed=1)
    >>> drawn.shape, drawn.labels
    ((3, 16, 16), ['disc', 'disc', 'disc'])
    """

    kind: ClassVar[str] = "image"
    SHARD: ClassVar[int] = 1_000
    BATCH: ClassVar[int] = 250
    model: ImageModel

    def fit(self, data: Any, *, labels: Sequence[Hashable] | str | None = None, **training: Any) -> Self:
        """Learn from images: an array, a list of arrays or pictures, the path of a file or folder.

        `labels` are one for each image, or where they are: the array of an .npz file, another idx file. All else is as
        for every kind of data.
        """
        size = self.model.image_size
        frame = Frame((size, size) if isinstance(size, int) else size, self.model.channels, self.model.resize)
        return super().fit(images_of(data, labels=labels, frame=frame), **training)

    # -- drawing ----------------------------------------------------------------------------------------------------

    def sample(
        self,
        n: int,
        *,
        label: Hashable = None,
        pixels: str = "expected",
        prior: str | None = None,
        seed: int | None = None,
    ) -> Images:
        """n synthetic images, with labels if the model has learnt any, or all of one `label`."""
        parts = list(self.stream(n, label=label, pixels=pixels, prior=prior, seed=seed))
        return join(parts) if parts else self._decode([])

    def shards(
        self,
        n: int,
        *,
        label: Hashable = None,
        pixels: str = "expected",
        prior: str | None = None,
        seed: int | None = None,
    ) -> Shards[Images]:
        """`sample` in parts of at most `SHARD` images, each made when it is asked for."""
        self._assert_fitted()
        if pixels not in ("expected", "drawn"):
            raise UsageError(f'pixels must be "expected" or "drawn", however: {pixels!r}')
        place = None if label is None else number_of(label, self.codec_.labels_)
        learned, number = self._learned(prior), rng.fresh_seed() if seed is None else seed

        def make(shard: int, count: int) -> Images:
            return self.shard(shard, count, number, place, learned=learned, temperature=float(pixels == "drawn"))

        return self._shards(n, make)

    @torch.inference_mode()
    def shard(
        self,
        shard: int,
        count: int,
        seed: int,
        label: int | None = None,
        *,
        learned: bool = True,
        temperature: float = 0.0,
    ) -> Images:
        """Shard number `shard` of a sample: a pure function of the model and these arguments."""
        net, parts = self._net(), []
        with rng.seeded(seed, "shard", shard):
            for some in torch.split(torch.arange(count), self.BATCH):
                label_B = net.labels(len(some)) if label is None else torch.full((len(some),), label).to(self.device)
                code = net.prior(len(some), net.as_condition(label_B), learned=learned).draw()
                parts.append(net.generate(code).draw(ImageBatch.blank(label_B, self._spec()), temperature))
        return self._decode(parts)

    # -- the latent -------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def log_prob(self, items: Any, draws: int = 10, seed: int = 0, *, weighted: bool = False) -> np.ndarray:
        """Nats per image: the evidence lower bound, averaged over draws of the latent. Low means unusual.

        `weighted`: an estimate of the probability itself, by as many draws, importance weighted. It comes up to it from
        below as draws become more; papers take 5,000.
        """
        if not weighted:
            return super().log_prob(items, draws, seed)
        net, found = self._net(), []
        with rng.seeded(seed, "log_prob"):
            for part in self._in_batches(self._encode(self._items(items))):
                total_B = torch.full((len(part),), -torch.inf, dtype=torch.float64, device=self.device)
                for log_weight_B in net.log_weights(part, draws):
                    total_B = torch.logaddexp(total_B, log_weight_B.double())
                found.append((total_B - math.log(draws)).cpu())
        return torch.cat(found).numpy() if found else np.zeros(0)

    def surprise(self, items: Any, draws: int = 10, seed: int = 0) -> np.ndarray:
        """Nats per image beyond those that it takes as a PNG: high means unusual, however plain the image is.

        `log_prob` alone takes plain images for usual ones, whatever they show. Input Complexity and Out-of-distribution
        Detection with Likelihood-based Generative Models (Serrà et al., 2020), https://arxiv.org/abs/1909.11480
        """
        images = self._items(items)
        return self._beyond_png(images, self.log_prob(images, draws, seed))

    def scores(self, items: Any) -> dict[str, np.ndarray]:
        images = self._items(items)
        log_prob_N = self.log_prob(images)
        return {"log_prob": log_prob_N, "surprise": self._beyond_png(images, log_prob_N)}

    def _beyond_png(self, images: Images, log_prob_N: np.ndarray) -> np.ndarray:
        level_NHWC = images.level_NHWC
        if self.model.likelihood == "bernoulli":
            level_NHWC = np.where(level_NHWC > 127, np.uint8(255), np.uint8(0))
        plain_N = np.array([nats_of_png(level_HWC) for level_HWC in level_NHWC])
        beyond_N: np.ndarray = -log_prob_N - plain_N
        return beyond_N

    @torch.inference_mode()
    def traverse(self, image: Any, rows: int = 10, steps: int = 9, span: float = 3.0) -> Images:
        """What single numbers of an image's code do: rows of `steps` images on each of which one number goes from
        -`span` to `span` of its standard deviations. The numbers are those that change the image most."""
        net = self._net()
        (batch,) = self._in_batches(self._encode(self._items(image)).take(torch.zeros(1, dtype=torch.int64)))
        code = net.infer(batch).mean
        code_F, condition_1C = net.latent.flat(code)[0], net.condition(batch, code)
        with rng.seeded(0, "traverse"):
            condition_nC = condition_1C.expand(500, -1)
            mean_F, scale_F = (
                part_F.to(code_F)
                for part_F in _moments(net.latent.flat(net.prior(500, condition_nC).draw()).cpu().numpy())
            )
        ends = torch.stack([self._moved(code_F, mean_F, scale_F, f, [-span, span]) for f in range(len(code_F))])
        change_F = torch.cat(
            [
                (pixel_2CHW[:1] - pixel_2CHW[1:]).abs().mean(dim=(1, 2, 3))
                for end_2F in ends
                for pixel_2CHW in [self._show(end_2F, batch).pixel_BCHW]
            ]
        )
        most = change_F.argsort(descending=True)[:rows].tolist()
        way = torch.linspace(-span, span, steps).tolist()
        return self._decode([self._show(self._moved(code_F, mean_F, scale_F, f, way), batch) for f in most])

    @staticmethod
    def _moved(
        code_F: torch.Tensor, mean_F: torch.Tensor, scale_F: torch.Tensor, f: int, way: list[float]
    ) -> torch.Tensor:
        """The code with its number f at each of these places."""
        code_nF = code_F.repeat(len(way), 1)
        code_nF[:, f] = mean_F[f] + scale_F[f] * torch.tensor(way, device=code_F.device)
        return code_nF

    def _show(self, code_nF: torch.Tensor, like: ImageBatch) -> ImageBatch:
        """What flat codes stand for; each is of the one image `like`."""
        net, label_n = self._net(), like.label_B.expand(len(code_nF))
        condition_nC = net.condition(like, net.infer(like).mean).expand(len(code_nF), -1)
        return self._draw(net.latent.unflat(code_nF, condition_nC), 0.0, ImageBatch.blank(label_n, self._spec()))

    @torch.inference_mode()
    def inpaint(
        self, items: Any, missing: NDArray[np.bool_], *, rounds: int = 30, pool: int = 100, seed: int | None = None
    ) -> Images:
        """The images with their `missing` pixels (True, [N, H, W] or [H, W] for all) filled in; the others stay.

        Codes are drawn from the prior, and of a `pool` for each image one is taken, the likelier the better it explains
        what is there. Then, round by round, missing pixels are drawn, and the code from the image that they complete:
        Stochastic Backpropagation and Approximate Inference in Deep Generative Models (Rezende et al., 2014),
        https://arxiv.org/abs/1401.4082. In the end they are what is expected.
        """
        net, images = self._net(), self._items(items)
        shape = images.shape[:3]
        if np.shape(missing) not in (shape, shape[1:]):
            raise UsageError(f"missing must be of the shape {shape} or {shape[1:]}, however: {np.shape(missing)}")
        missing_NHW = np.broadcast_to(np.asarray(missing, bool), shape)
        batch, parts = self._encode(images), []
        known_NHW = torch.from_numpy(~missing_NHW)
        with rng.seeded(rng.fresh_seed() if seed is None else seed, "inpaint"):
            for index in torch.split(torch.arange(len(batch)), self.BATCH):
                seen = net.seen(batch.take(index).to(self.device))
                given = replace(seen, known_BHW=known_NHW[index].to(self.device))
                code = self._likely(given, pool)
                for _ in range(rounds):
                    code = net.infer(net.generate(code).draw(given)).draw()
                whole = replace(batch.take(index).to(self.device), known_BHW=given.known_BHW)
                parts.append(net.generate(code).draw(whole, 0.0))
        return self._decode(parts, images)

    def _likely(self, given: ImageBatch, pool: int) -> Any:
        """One code for each image, drawn from the prior and chosen by how well it explains the pixels that are known.

        Of two at a time one is kept, in proportion to what all those stand for that it was drawn from.
        """
        net = self._net()
        condition_BC = net.as_condition(given.label_B)
        kept_BF, total_B = None, torch.full((len(given),), -torch.inf, device=self.device)
        for _ in range(max(1, pool)):
            code = net.prior(len(given), condition_BC).draw()
            log_weight_B = net.generate(code).log_prob(given)
            total_B = torch.logaddexp(total_B, log_weight_B)
            takes_B1 = (torch.rand_like(total_B).log() < log_weight_B - total_B)[:, None]
            flat_BF = net.latent.flat(code)
            kept_BF = flat_BF if kept_BF is None else torch.where(takes_B1, flat_BF, kept_BF)
        assert kept_BF is not None
        return net.latent.unflat(kept_BF, condition_BC)

    # -- what the base asks for -------------------------------------------------------------------------------------

    @property
    def source(self) -> Source:
        """Images are brought to the size of the model as they are read."""
        self._assert_fitted()
        return replace(SOURCES[self.kind], read=partial(SOURCES[self.kind].read, frame=self._frame()))

    def _frame(self) -> Frame:
        height, width, channels = self.codec_.shape_
        return Frame((height, width), channels, self.model.resize)

    def _items(self, data: Any) -> Images:
        self._assert_fitted()
        return images_of(data, frame=self._frame())

    def _encode(self, items: Images) -> ImageBatch:
        return self.codec_.encode(items.level_NHWC, items.labels)

    def _decode(self, parts: Sequence[ImageBatch], like: Images | None = None) -> Images:
        batch = ImageBatch.cat(parts) if parts else ImageBatch.of(torch.zeros(0, *self.codec_.shape_))
        labels = self.codec_.decode_labels(batch) if like is None else like.labels
        return Images.of(self.codec_.decode(batch), labels)

    def _prior(self, like: ImageBatch) -> Any:
        net = self._net()
        return net.prior(len(like), net.as_condition(like.label_B))

    def _draw(self, code: Any, temperature: float, like: ImageBatch) -> ImageBatch:
        """What is expected of a code, whatever the temperature: the chance of single pixels is noise to the eye."""
        return self._net().generate(code).draw(ImageBatch.blank(like.label_B, self._spec()), 0.0)

    def _net(self) -> ImageVAE:
        net = self._assert_fitted()
        assert isinstance(net, ImageVAE)
        return net

    def _learn_codec(self, data: Images, seed: int) -> ImageBatch:
        self.codec_ = ImageCodec(Options(self.model.protect))
        return self.codec_.learn(data.level_NHWC, data.labels)

    def _codec_info(self) -> dict[str, Any]:
        height, width, channels = self.codec_.shape_
        labels = {"labels": ", ".join(map(str, self.codec_.labels_))} if self.codec_.labels_ else {}
        return {"images": {"size": f"{height} x {width}", "channels": channels} | self.codec_.counts_ | labels}

    def _codec_state(self) -> tuple[dict[str, Any], Mapping[str, Any]]:
        return self.codec_.state(), {}

    def _load_codec(self, document: Mapping[str, Any], arrays: Mapping[str, torch.Tensor]) -> None:
        self.codec_ = ImageCodec.load(document)

    def _spec(self) -> ImageSpec:
        return self.codec_.spec

    def _activations(self, spec: ImageSpec) -> int:
        return self.model.activations(spec)

    def _fit_prior(self, batch: ImageBatch, seed: int) -> None:
        some = rng.generator(seed, "codes").permutation(len(batch))[:_CODES]
        super()._fit_prior(batch.take(torch.from_numpy(np.sort(some))), seed)

    def _examine(self, batch: ImageBatch, seed: int) -> list[str]:
        """Also how much the code says, which is what a dead latent shows first."""
        few = batch.take(torch.arange(min(len(batch), 1000)))
        with torch.inference_mode(), rng.seeded(seed, "rate"):
            gaussian_N = torch.cat([self._net().infer(part).kl()["gaussian"] for part in self._in_batches(few)])
        findings = health.check_rate(float(gaussian_N.mean()), self.model.rate)
        return [*map(str, findings), *super()._examine(batch, seed)]


def _moments(code_NF: NDArray[np.float32]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(code_NF.mean(0)), torch.from_numpy(code_NF.std(0))
