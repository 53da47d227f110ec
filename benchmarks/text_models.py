"""Models of texts beside each other: python benchmarks/text_models.py --data /path/to/wikitext-2

`synthloom prepare` makes sentences of 6 to 49 pieces of the data, which may be a folder of parts or any file of texts.
All models are trained at equal width, layers and epochs, and judged on held-out sentences:

    bleu       of reconstructions, as sacrebleu computes it
    nats, kl   the bound per piece: what the decoder pays, and what the code says
    kept       share of vectors that survive, where that varies
    forward    perplexity of drawn sentences to a decoder-only language model trained on real ones
    reverse    perplexity of held-out sentences to one trained on as many drawn ones
    self       BLEU of drawn sentences against each other
    new, ends  halfway between two sentences: share that equals neither's reconstruction, and BLEU to the two

The rows "held-out" and "language model" say what real sentences score, and those that the judge itself writes: what a
decoder of that size can do without a code. A row with "standard" draws from the prior of training, not a learned one.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

import synthloom as sl
from synthloom.corpora import prepare
from synthloom.metrics import METRICS, Context
from synthloom.metrics.text.bleu import bleu
from synthloom.metrics.text.fluency import judges
from synthloom.sources import Texts, take_texts

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", required=True, type=Path)
parser.add_argument("--column")
parser.add_argument("--whole", action="store_true", help="texts as they are, uncut")
parser.add_argument("--models", nargs="+", default=["transformer", "vtv", "vtp", "vts", "nvae"])
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--texts", type=int, default=100_000, help="of training, at most")
parser.add_argument("--draws", type=int, default=5_000)
parser.add_argument("--width", type=int, default=128)
parser.add_argument("--layers", type=int, default=2)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--set", nargs="*", default=[], metavar="KNOB=VALUE", help="knobs of all models")
given = parser.parse_args()

torch.set_num_threads(given.threads)
COLUMNS = "bleu", "nats", "kl", "kept", "forward", "reverse", "self", "new", "ends"
SIZES = {"width": given.width, "layers": given.layers, "epochs": given.epochs, "threads": given.threads}
KNOBS = SIZES | dict(knob.split("=") for knob in given.set)


def row(name, found):
    cells = [f"{found[column]:8.3f}" if column in found else f"{'':8}" for column in COLUMNS]
    print(f"{name:28}{''.join(cells)}", flush=True)


def of_draws(drawn, train, held):
    """What can be said of sentences, whoever wrote them."""
    context = Context(0)
    scores = {
        name: METRICS["text"][name](train, drawn, held, context) for name in ("forward_ppl", "reverse_ppl", "self_bleu")
    }
    return {
        "forward": scores["forward_ppl"].value,
        "reverse": scores["reverse_ppl"].value,
        "self": scores["self_bleu"].value,
    }


def of_codes(text, held):
    """What can be said of a model by its codes."""
    few = held[:500]
    parts = text.codec_.encode(few)
    with torch.inference_mode():
        elbo = text.net_.elbo(parts)
    pieces = parts.length_B.sum().item()
    survivors = text.survivors(few)
    found = {
        "bleu": bleu(text.reconstruct(few), few),
        "nats": -elbo["reconstruction"].sum().item() / pieces,
        "kl": sum(nats.sum().item() for name, nats in elbo.items() if name.startswith("kl_")) / pieces,
    }
    if survivors is not None:
        found["kept"] = float(survivors.sum() / pieces)
    ends, middles = [], []
    for a, b in zip(few[:100], few[100:200], strict=True):
        way = text.interpolate(a, b, steps=3)
        ends.append((way[0], way[2]))
        middles.append(way[1])
    found["new"] = float(np.mean([middle not in pair for middle, pair in zip(middles, ends, strict=True)]))
    found["ends"] = (bleu(middles, few[:100]) + bleu(middles, few[100:200])) / 2
    return found


corpus = prepare(given.data, column=given.column, whole=given.whole)
train, held = corpus.parts["train"], corpus.parts["test"]
train = take_texts(train, np.sort(np.random.default_rng(0).permutation(len(train))[: given.texts]).tolist())
held = Texts(held[:3_000])
print(
    f"{len(train):,} texts of training, {len(held):,} held out; {KNOBS}\n{'':28}{''.join(f'{c:>8}' for c in COLUMNS)}"
)
row("held-out", of_draws(Texts(corpus.parts["validation"][: given.draws]), train, held))
context = Context(0)
own = judges(train, Texts(train[: given.draws]), context)[0].sample(given.draws, seed=1)
row("language model", of_draws(Texts(own), train, held))
for name in given.models:
    for seed in range(given.seeds):
        start = time.process_time()
        text = sl.TextSynthesizer(name, seed=seed, **KNOBS).fit(Texts(train))
        took = time.process_time() - start
        codes = of_codes(text, held)
        row(f"{name}, seed {seed}, {took:.0f} s", codes | of_draws(text.sample(given.draws, seed=1), train, held))
        if name != "transformer":
            row("  standard", of_draws(text.sample(given.draws, prior="standard", seed=1), train, held))
