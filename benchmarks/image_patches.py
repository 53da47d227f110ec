"""What the codes of the image `nvae` hold: how many vectors, for which images, and how they are best read.

    python benchmarks/image_patches.py nvae.loom --test t10k-images-idx3-ubyte.gz --out docs/figures

The model comes from `image_vae.py --model nvae --keep`. Draws against how much an image takes as a PNG how many vectors
survive, by their weight, and how many say something: a nat or more is what it costs to be where they are. Walks between
images through the mixture of both codes. Prints what an image costs given its code when that is E[F], a draw, or as far
from the middle as draws are, by noise that is the same for all.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from judge_figures import alone
from scipy.stats import spearmanr

import synthloom as sl
from synthloom import rng
from synthloom.reporting.figures import curves
from synthloom.sources import read_images
from synthloom.sources.images import join, sheet, take_images
from synthloom.sources.pictures import nats_of_png

PARTS, STEPS, WALKS, READ = 20, 10, 8, 1_000
SURVIVE, TELL = "vectors that survive by weight", "vectors that say a nat or more"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--test", required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)

    image, test = sl.load(options.model), read_images(options.test)
    byte_N = np.array([nats_of_png(level_HWC) for level_HWC in test.level_NHWC]) / np.log(256)
    parts = np.array_split(byte_N.argsort(kind="stable"), PARTS)
    size_K = [float(byte_N[part].mean()) for part in parts]
    for words, count_N in ((SURVIVE, image.survivors(test)), (TELL, telling(image, test))):
        count_K = [float(count_N[part].mean()) for part in parts]
        correlation = spearmanr(byte_N, count_N).statistic if np.ptp(count_N) else 0.0
        print(
            f"{words}: {count_N.mean():.1f} on average, from {count_K[0]:.1f} for the plainest twentieth to "
            f"{count_K[-1]:.1f} for the richest; rank correlation with bytes {correlation:.2f}"
        )
    words = f"{TELL}, by bytes of a PNG"
    alone(options.out / "image_vectors.svg", (words, curves(words, "", size_K, {"training": count_K}, "bytes")))

    ends = [(2 * walk, 2 * walk + 1) for walk in range(WALKS)]
    walks = [image.interpolate(*(take_images(test, [end]) for end in pair), steps=STEPS) for pair in ends]
    sheet(join(walks), STEPS).save(options.out / "image_walks.png", optimize=True)

    for name, nats in readings(image, take_images(test, np.arange(READ))).items():
        print(f"{name}: an image costs {nats:.1f} nats, given its code")


@torch.inference_mode()
def telling(image: sl.ImageSynthesizer, images: sl.sources.Images) -> np.ndarray:
    """How many vectors of each image's code cost a nat or more to be where they are."""
    counts = []
    for index in torch.arange(len(images)).split(1_000):
        process = image.net_.infer(image.codec_.encode(images.level_NHWC[index])).process
        prior = process.prior
        share_BNC = process.var_BNC / prior.var_C
        away_BNP = (process.mu_BNP - prior.mu_P).square() / prior.var_C
        nats_BN = 0.5 * (away_BNP + share_BNC - 1 - share_BNC.log()).sum(2)
        counts.append((nats_BN[:, 1:] >= 1).sum(1))
    return torch.cat(counts).numpy()


@torch.inference_mode()
def readings(image: sl.ImageSynthesizer, images: sl.sources.Images) -> dict[str, float]:
    """Nats of an image given its code, for each way to read that."""
    net, batch = image.net_, image.codec_.encode(images.level_NHWC)
    with rng.seeded(0, "readings"):
        batch = net.seen(batch)
        q = net.infer(batch)
        noise_NP = net.latent.noise_NP
        nats = {"a draw": nats_given(net, q.draw(), batch)}
        net.latent.noise_NP = None
        nats["E[F]"] = nats_given(net, net.infer(batch).mean, batch)
        for tried in range(4):
            net.latent.noise_NP = torch.randn(net.latent.parts, net.latent.size)
            nats[f"the same noise for all, {tried}"] = nats_given(net, net.infer(batch).mean, batch)
        net.latent.noise_NP = noise_NP
    return nats


def nats_given(net: torch.nn.Module, code: object, batch: object) -> float:
    return -net.generate(code).log_prob(batch).mean().item()


if __name__ == "__main__":
    main()
