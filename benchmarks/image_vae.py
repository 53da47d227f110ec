"""How likely images are to a model of images: -ELBO and NLL on test images, and what the model draws.

    python benchmarks/image_vae.py --train train-images-idx3-ubyte.gz --test t10k-images-idx3-ubyte.gz \
        --model burda --epochs 100 --draws 5000

"burda" is the network of Importance Weighted Autoencoders (Burda et al., 2016), https://arxiv.org/abs/1509.00519: 784
pixels, two layers of 200, a code of 50; on MNIST that is binarised anew each time it is looked at, 86.3 to 86.8 nats
are what others report of it. The other models are those of synthloom, by name. Times are CPU seconds of the process.
Without `--draws` there is no NLL, which takes most of the time; `--images` measures both on so many test images only.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from sklearn.metrics import roc_auc_score
from torch import nn

import synthloom as sl
from synthloom.cli.options import pairs, read_value
from synthloom.latents.gaussian import GaussianLatent
from synthloom.likelihoods.image import ImageDecoder
from synthloom.models import MODELS, ImageModel
from synthloom.sources import read_images
from synthloom.sources.images import sheet, take_images
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
    parser.add_argument("--other", help="test images of another kind: are they told by log_prob?")
    parser.add_argument("--model", default="conv", choices=[name for kind, name in MODELS if kind == "image"])
    parser.add_argument("--likelihood", default="bernoulli")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--draws", type=int, default=0, help="importance weighted draws for the NLL")
    parser.add_argument("--images", type=int, help="so many test images, evenly spread")
    parser.add_argument("--labels", action="store_true", help="let the model know the labels")
    parser.add_argument("--judge", action="store_true", help="score samples of the fitted and the standard prior")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--set", action="append", default=[], help="a knob of the model, as name=value")
    parser.add_argument("--sheet", help="write 100 samples to this .png file")
    parser.add_argument("--out", help="write the model to this file")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)

    train, test = read_images(options.train), read_images(options.test)
    some = take_images(test, np.linspace(0, len(test) - 1, options.images or len(test)).astype(int))
    if not options.labels:
        some.labels = None
    knobs = {name: read_value(value) for name, value in pairs(options.set, "--set").items()}
    image = sl.ImageSynthesizer(
        options.model,
        seed=0,
        epochs=options.epochs,
        likelihood=options.likelihood,
        threads=options.threads,
        **knobs,
    )
    begin, clock = time.process_time(), time.monotonic()
    image.fit(train if options.labels else np.asarray(train), progress=False)
    print(
        f"{options.model}, {options.likelihood}, {image.info_['parameters']:,} parameters, {len(train):,} images, "
        f"{options.epochs} epochs ({image.info_['stopped']}, best {image.info_['best_epoch']}), on {image.device}: "
        f"{time.process_time() - begin:.0f} CPU s, {time.monotonic() - clock:.0f} s",
        flush=True,
    )
    print(image.history_.iloc[-1].to_string(), flush=True)
    for note in image.info_["notes"]:
        print(f"note: {note}")
    elbo = image.log_prob(some, draws=10).mean()
    numbers = image.codec_.spec.numbers
    print(f"-ELBO {-elbo:.2f} nats, {-elbo / numbers / math.log(2):.3f} bits per dimension, {len(some):,} test images")
    if options.other:
        begin, other = time.process_time(), read_images(options.other)
        log_probs = [image.log_prob(np.asarray(images)[:2_000], draws=2) for images in (test, other)]
        usual = np.repeat([1, 0], [len(found) for found in log_probs])
        print(f"AUROC of log_prob against {options.other}: {roc_auc_score(usual, np.concatenate(log_probs)):.3f}")
    if options.sheet:
        sheet(image.sample(100, seed=1)).save(options.sheet)
    if options.out:
        image.save(options.out)
    if options.judge:
        for prior in dict.fromkeys([image.model.prior, "standard"]):
            drawn = image.sample(10_000, prior=prior, seed=1)
            print(f"\nprior {prior}\n{sl.evaluate(train, drawn, test, kind='image')}", flush=True)
    if options.draws:
        begin = time.process_time()
        nats = image.log_prob(some, draws=options.draws, weighted=True).mean()
        print(
            f"NLL {-nats:.2f} nats by {options.draws:,} draws, {len(some):,} test images, "
            f"{time.process_time() - begin:.0f} CPU s"
        )


if __name__ == "__main__":
    main()
