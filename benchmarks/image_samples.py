"""What a model of images draws: from its fitted prior and from the standard one, and whether it keeps to labels.

    python benchmarks/image_samples.py mnist.loom --train train-images-idx3-ubyte.gz --test t10k-images-idx3-ubyte.gz \
        --sheets docs/figures/mnist

The model comes from `image_vae.py --keep`. Prints the judge's scores for 10,000 images of each prior. Of a model that
knows labels: how often a network that was taught by the real training images gives a drawn image the label that was
asked for, and how often one that was taught by drawn images is right about real test images.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import nn

import synthloom as sl
from synthloom import devices, rng
from synthloom.nets.image import ConvReader
from synthloom.sources import Images, read_images
from synthloom.sources.images import sheet, take_images
from synthloom.spec import ImageBatch, ImageSpec

DRAWN = 10_000
BATCH, RATE = 128, 2e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--sheets", help="write 100 images of each prior to files that begin like this")
    parser.add_argument("--rounds", type=int, default=5, help="of teaching the networks that give labels")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)

    image, train, test = sl.load(options.model), read_images(options.train), read_images(options.test)
    for prior in dict.fromkeys([image.model.prior, "standard"]):
        drawn = image.sample(DRAWN, prior=prior, seed=1)
        print(f"prior {prior}\n{sl.evaluate(train, drawn, test, kind='image')}\n", flush=True)
        if options.sheets:
            sheet(take_images(drawn, range(100))).save(f"{options.sheets}_{prior}.png", optimize=True)
    if not image.codec_.labels_:
        return
    real = taught(train, options.rounds)
    print(f"taught by real images, right about real test images: {right(real, test):.4f}", flush=True)
    for prior in dict.fromkeys([image.model.prior, "standard"]):
        drawn = image.sample(len(train), prior=prior, seed=2)
        print(
            f"prior {prior}: gives drawn images the label that they were drawn for {right(real, drawn):.4f}; "
            f"taught by drawn images, right about real test images: {right(taught(drawn, options.rounds), test):.4f}",
            flush=True,
        )


def taught(images: Images, rounds: int) -> nn.Module:
    """A network that has learnt to tell the labels of these images."""
    batch = as_batch(images)
    with rng.seeded(0, "taught"):
        reader = ConvReader(ImageSpec(*images.level_NHWC.shape[1:]), patch=4, width=64, blocks=1)
        net = nn.Sequential(reader, nn.Linear(reader.features, len(set(images.labels))))
        optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.05)
        steps = rounds * len(batch) // BATCH
        plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps)
        for _ in range(steps):
            some = batch.take(torch.randint(len(batch), (BATCH,)))
            with devices.autocast(torch.device("cpu")):
                loss = nn.functional.cross_entropy(net(some).float(), some.label_B)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            plan.step()
    return net.eval()


@torch.inference_mode()
def right(net: nn.Module, images: Images) -> float:
    """The share of images to which the network gives the label that they have."""
    batch = as_batch(images)
    found = [net(batch.take(index)).argmax(1) for index in torch.arange(len(batch)).split(1_000)]
    return (torch.cat(found) == batch.label_B).float().mean().item()


def as_batch(images: Images) -> ImageBatch:
    names = sorted({str(label) for label in images.labels})
    label_N = torch.from_numpy(np.searchsorted(names, [str(label) for label in images.labels]))
    return ImageBatch.of(torch.from_numpy(images.level_NHWC / np.float32(255)), label_N)


if __name__ == "__main__":
    main()
