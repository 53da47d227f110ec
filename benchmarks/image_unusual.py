"""Does a model tell images of another kind by their probability? Prints the AUROC, 1 if it always does.

    python benchmarks/image_unusual.py mnist.loom --usual mnist/t10k-images-idx3-ubyte.gz \
        --other fashion/t10k-images-idx3-ubyte.gz

By `log_prob`, which is known to take plain images for usual ones whatever they show, and by `surprise`, which counts
what is beyond the nats that a compressor without a model needs.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

import synthloom as sl
from synthloom.sources import read_images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--usual", required=True)
    parser.add_argument("--other", required=True)
    parser.add_argument("--images", type=int, default=2_000, help="of each kind, the first ones")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)

    image = sl.load(options.model)
    sides = [np.asarray(read_images(path))[: options.images] for path in (options.usual, options.other)]
    for name, sign in (("log_prob", -1), ("surprise", 1)):
        usual_N, other_N = (sign * getattr(image, name)(side) for side in sides)
        is_other = np.repeat([0, 1], [len(usual_N), len(other_N)])
        print(
            f"{name}: {roc_auc_score(is_other, np.concatenate([usual_N, other_N])):.3f}, nats of the usual "
            f"{np.median(sign * usual_N):.0f} and of the others {np.median(sign * other_N):.0f} (medians)"
        )


if __name__ == "__main__":
    main()
