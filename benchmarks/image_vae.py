"""How likely images are to a model of images: -ELBO and NLL on test images.

    python benchmarks/image_vae.py --train train-images-idx3-ubyte.gz --test t10k-images-idx3-ubyte.gz \
        --model conv --likelihood bernoulli --epochs 55 --keep mnist.loom --draws 5000 --images 500

"burda" is the network of Importance Weighted Autoencoders (Burda et al., 2016), https://arxiv.org/abs/1509.00519: 784
pixels, two layers of 200, a code of 50; on MNIST that is binarised anew each time it is looked at, 86.3 to 86.8 nats
are what others report of it. The other models are those of synthloom, by name. Times are CPU seconds of the process.

Black and white test images are drawn from the grey ones once, so that all numbers speak of the same. The bound is that
of all of them. For the NLL, which takes most of the time, `--images` of them are enough: how much lower than the bound
it is differs far less from image to image than either, and is taken off the bound of all.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import nn

import synthloom as sl
from synthloom.cli.options import pairs, read_value
from synthloom.latents.gaussian import GaussianLatent
from synthloom.likelihoods.image import ImageDecoder
from synthloom.models import MODELS, ImageModel
from synthloom.sources import read_images
from synthloom.sources.images import Images, take_images
from synthloom.vae import ImageVAE


class Reader(nn.Module):
    """Two layers of tanh."""

    def __init__(self, pixels, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(pixels, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())

    def forward(self, batch):
        return self.layers(batch.pixel_BCHW.flatten(1))


class Writer(nn.Module):
    """The same back."""

    def __init__(self, size, width, spec):
        super().__init__()
        self.spec = spec
        self.layers = nn.Sequential(nn.Linear(size, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
        self.last = nn.Linear(width, spec.numbers)

    def forward(self, code_BZ, label_B):
        return self.last(self.layers(code_BZ)).unflatten(1, (self.spec.channels, self.spec.height, self.spec.width))


class Burda(ImageModel):
    """The network of the paper."""

    name: ClassVar[str] = "burda"

    size: int = Field(50, ge=1)
    """Numbers in a code."""
    width: int = Field(200, ge=1)
    """Of the layers."""

    def build(self, spec):
        family = self.family()
        decoder = ImageDecoder(Writer(self.size, self.width, spec), family, spec)
        latent = GaussianLatent(self.width, self.size)
        return ImageVAE(Reader(spec.numbers, self.width), latent, decoder, spec, self.draws)

    def activations(self, spec):
        return 10 * spec.numbers


MODELS["image", "burda"] = Burda


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--model", default="conv", choices=[name for kind, name in MODELS if kind == "image"])
    parser.add_argument("--likelihood", default="bernoulli")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--labels", action="store_true", help="let the model know the labels")
    parser.add_argument("--set", action="append", default=[], help="a knob of the model, as name=value")
    parser.add_argument(
        "--keep", type=Path, help="write the model to this file; if it is there, it is measured as it is"
    )
    parser.add_argument("--draws", type=int, default=0, help="importance weighted draws for the NLL; none without")
    parser.add_argument("--images", type=int, default=500, help="test images for the NLL, evenly spread")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)

    image = sl.load(options.keep) if options.keep and options.keep.exists() else trained(options)
    test = read_images(options.test)
    if image.model.likelihood == "bernoulli":
        level_NHW = np.asarray(test)
        is_white_NHW = np.random.default_rng(0).random(level_NHW.shape) < level_NHW / 255
        test = Images(np.where(is_white_NHW, np.uint8(255), np.uint8(0)), test.labels)
    if not options.labels:
        test.labels = None
    elbo_N = image.log_prob(test, draws=10)
    nats, numbers = -elbo_N.mean(), image.codec_.spec.numbers
    print(f"-ELBO {nats:.2f} nats, {nats / numbers / math.log(2):.3f} bits per dimension, {len(test):,} test images")
    if options.draws:
        begin, which = time.process_time(), np.linspace(0, len(test) - 1, options.images).astype(int)
        gap_N = image.log_prob(take_images(test, which), draws=options.draws, weighted=True) - elbo_N[which]
        gap, spread = gap_N.mean(), gap_N.std() / len(which) ** 0.5
        print(
            f"NLL {nats - gap:.2f} nats: {gap:.2f} +- {spread:.2f} below the bound by {options.draws:,} draws on "
            f"{len(which):,} images, {time.process_time() - begin:.0f} CPU s"
        )


def trained(options: argparse.Namespace) -> sl.ImageSynthesizer:
    """The model, after its training."""
    train = read_images(options.train)
    knobs = {name: read_value(value) for name, value in pairs(options.set, "--set").items()}
    knobs |= {"epochs": options.epochs, "likelihood": options.likelihood, "threads": options.threads}
    image = sl.ImageSynthesizer(options.model, seed=0, **knobs)
    begin, clock = time.process_time(), time.monotonic()
    checkpoint = options.keep and options.keep.with_suffix(".checkpoint")
    image.fit(train if options.labels else np.asarray(train), checkpoint=checkpoint, resume=bool(checkpoint))
    info, row = image.info_, image.history_.iloc[-1]
    print(
        f"{options.model}, {options.likelihood}, {info['parameters']:,} parameters, {len(train):,} images, epochs "
        f"{row['epoch']:.0f} ({info['stopped']}, best {info['best_epoch']}), validation {row['validation_loss']:.2f}: "
        f"{time.process_time() - begin:.0f} CPU s, {time.monotonic() - clock:.0f} s",
        flush=True,
    )
    for note in info["notes"]:
        print(f"note: {note}")
    if options.keep:
        image.save(options.keep)
    return image


if __name__ == "__main__":
    main()
