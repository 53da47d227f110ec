"""What models of images share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from synthloom.likelihoods.image import FAMILIES, Bernoulli, Family
from synthloom.models.base import Among, Model, Range
from synthloom.spec import ImageBatch, ImageSpec
from synthloom.training import FreeBits, Linear, RateTarget, Schedule, Settings
from synthloom.vae import VAE, ImageVAE

__all__ = ["ImageModel"]

_LOOKED_AT = 10_000
"""Images that the mean image is taken of at most."""


class ImageModel(Model):
    """Knobs that every model of images has."""

    kind: ClassVar[str] = "image"

    epochs: int | None = Field(60, ge=1)
    """How often training goes through the images, at most; none: less often the more there are, 20 times 32,000."""
    batch_size: Annotated[int, Among((64, 128, 256))] = Field(128, ge=1)
    """Images per step."""
    learning_rate: Annotated[float, Range(3e-4, 3e-3, log=True)] = Field(1e-3, gt=0)
    """How far the first steps go; later ones go less far, along a cosine down to nothing."""
    patience: int | None = Field(None, ge=1)
    """Stop when so many epochs have brought nothing better on the validation images; none: never."""
    validation: float = Field(0.05, ge=0, lt=0.9)
    """Share of the images kept aside, 2,048 at most, to see which epoch was best; 0: none."""
    clip: float | None = Field(100.0, gt=0)
    """Longest gradient that is followed in full; none: any."""
    prior: Literal["standard", "mixture", "flow"] = "flow"
    """What to draw codes from: the one that training pulls towards, or one that is fitted to the codes afterwards."""
    protect: bool = True
    """Keep back labels that fewer than 5 images have."""

    image_size: int | tuple[int, int] | None = None
    """What images are brought to: a side, or height and width; none: they are of one size, and stay so."""
    resize: Literal["crop", "pad", "stretch"] = "crop"
    """How: cover the frame and cut the middle out, fit into it on black, or change their proportions."""
    channels: Literal[1, 3] | None = None
    """1 makes all images grey, 3 gives all of them colours; none: in colour if any is."""
    likelihood: Literal["bernoulli", "logistic", "gaussian"] = "logistic"
    """What a pixel is: black or white, a level with a width of its own, or a level with the width that all share."""
    binarise: Literal["dynamic", "half"] = "dynamic"
    """How grey becomes black or white (bernoulli): by chance, anew each time it is seen, or cut at the middle."""
    draws: int = Field(1, ge=1)
    """Draws of the code per image and step; with several, the importance weighted bound is what is raised."""
    beta: Annotated[float, Range(0.5, 2.0, log=True)] = Field(1.0, ge=0)
    """How much the KL counts in the end."""
    warmup: float = Field(0.1, ge=0, le=1)
    """Share of training over which the KL grows to that."""
    free: float = Field(0.0, ge=0)
    """Nats of each part of the KL that cost nothing."""
    rate: float | None = Field(None, gt=0)
    """Nats that the code may carry of each image: the KL is weighed so that it does; none: as `beta` says."""

    @abstractmethod
    def activations(self, spec: ImageSpec) -> int:
        """Roughly how many numbers one image takes while it is trained on."""

    def family(self) -> Family:
        """The likelihood of a pixel."""
        if self.likelihood == "bernoulli":
            return Bernoulli(dynamic=self.binarise == "dynamic")
        return FAMILIES[self.likelihood]()

    def prepare(self, net: VAE, batch: ImageBatch) -> None:
        assert isinstance(net, ImageVAE)
        net.observe(batch)
        few = batch.take(torch.linspace(0, len(batch) - 1, min(len(batch), _LOOKED_AT)).long())
        net.decoder.start_at(few.pixel_BCHW.mean(0))

    def schedule(self) -> Schedule:
        if self.rate:
            schedule: Schedule = RateTarget(self.rate, warmup=self.warmup, squeeze=0.3)
        else:
            schedule = Linear(0.0, self.warmup, self.beta)
        return FreeBits(self.free, schedule) if self.free else schedule

    def settings(self, seed: int, items: int) -> Settings:
        return replace(super().settings(seed, items), decay="cosine")
