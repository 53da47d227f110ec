"""How fast texts are written: python benchmarks/text_speed.py

An NVAE of one layer and one head at width 256, on one core, with codes of its own prior. Nothing is trained: how many
operations a piece takes does not depend on what the weights are, only how long texts are, which is set here. Printed:
sentences of 25 pieces a second, for batches of several sizes; and milliseconds for a piece at growing lengths, which
are flat up to what attention adds. Seconds are those of the processor, so that others on the machine do not count.
"""

import argparse
import time

import torch

from synthloom.models import find
from synthloom.spec import END, TextSpec

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--model", default="nvae")
parser.add_argument("--width", type=int, default=256)
parser.add_argument("--layers", type=int, default=1)
parser.add_argument("--heads", type=int, default=1)
parser.add_argument("--pieces", type=int, default=8_000)
parser.add_argument("--threads", type=int, default=1)
given = parser.parse_args()

torch.set_num_threads(given.threads)
torch.manual_seed(0)


def writer(longest: int) -> torch.nn.Module:
    """A network that writes texts of `longest` pieces: it can end one only there."""
    knobs = {"width": given.width, "layers": given.layers, "heads": given.heads, "longest": longest}
    net = find("text", given.model).with_knobs(knobs).build(TextSpec(given.pieces, longest, 0)).eval()
    net.count_YL[0, longest] = 1
    logits = net.decoder.logits

    def never_ending(features_TD: torch.Tensor) -> torch.Tensor:
        logits_TV = logits(features_TD)
        logits_TV[:, END] = -torch.inf
        return logits_TV

    net.decoder.logits = never_ending
    return net


@torch.inference_mode()
def seconds(net: torch.nn.Module, texts: int) -> float:
    """To draw codes and write so many texts; the best of three."""
    found = []
    for _ in range(3):
        start = time.process_time()
        net.generate(net.prior(texts, net.conditions(texts)).draw()).draw()
        found.append(time.process_time() - start)
    return min(found)


net = writer(25)
print("texts of 25 pieces")
for batch in (1, 8, 32, 128, 250):
    print(f"  {batch:4} at once: {batch / seconds(net, batch):8.1f} a second")
print("a piece, 32 texts at once")
for longest in (16, 32, 64, 128, 256):
    print(f"  texts of {longest:4} pieces: {1e3 * seconds(writer(longest), 32) / longest / 32:.3f} ms")
