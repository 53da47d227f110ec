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

The rows "held-out" and "language model" say what real sentences score, and those of a decoder-only language model of
the same width and layers, trained on the same sentences as often. A row with "standard" draws from the prior of
training. A model may be named with knobs of its own behind it, as in nvae:delta=0.5. With --keep every row stays in a
folder, one file each, and what is there is not found again.
"""

import argparse
import json
import time
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

import synthloom as sl
from synthloom.codecs.pieces import Pieces
from synthloom.corpora import prepare
from synthloom.metrics import METRICS, Context
from synthloom.metrics.text.bleu import bleu
from synthloom.metrics.text.language_model import LanguageModel
from synthloom.sources import Texts, read_texts, take_texts

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", required=True, type=Path, help="or the folder that `synthloom prepare` wrote")
parser.add_argument("--column")
parser.add_argument("--whole", action="store_true", help="texts as they are, uncut")
parser.add_argument("--models", nargs="+", default=["transformer", "vtv", "vtp", "vts", "nvae"])
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--texts", type=int, default=100_000, help="of training, at most")
parser.add_argument("--draws", type=int, default=5_000)
parser.add_argument("--width", type=int, default=128)
parser.add_argument("--layers", type=int, default=2)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--pieces", type=int, default=4_000)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--keep", type=Path, help="folder for what was found")
parser.add_argument("--set", nargs="*", default=[], metavar="KNOB=VALUE", help="knobs of all models")
given = parser.parse_args()

torch.set_num_threads(given.threads)
COLUMNS = "bleu", "nats", "kl", "kept", "forward", "reverse", "self", "new", "ends"
SIZES = {name: getattr(given, name) for name in ("width", "layers", "epochs", "pieces", "threads")}
KNOBS = SIZES | dict(knob.split("=") for knob in given.set)


def row(name, find):
    """What `find` finds, or what is kept of it; printed as a line of a table."""
    kept = given.keep and given.keep / f"{name}.json"
    if not (kept and kept.exists()):
        found = find()
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(found))
    else:
        found = json.loads(kept.read_text())
    cells = [f"{found[column]:.3f}" if column in found else "" for column in COLUMNS]
    print(f"| {name} | {' | '.join(cells)} | {found.get('seconds', 0):.0f} |", flush=True)


def learnt(texts, rounds, seed=0):
    return LanguageModel(pieces, seed, width=given.width, layers=given.layers).fit(texts, rounds)


def of_draws(drawn):
    """What can be said of sentences, whoever wrote them."""
    return {
        "forward": judge.perplexity(drawn[:2_000]),
        "reverse": learnt(drawn, rounds=10).perplexity(held),
        "self": METRICS["text"]["self_bleu"](train, Texts(drawn), held, Context(0)).value,
    }


def of_codes(text):
    """What can be said of a model by its codes."""
    few = held[:500]
    parts = text.codec_.encode(few)
    with torch.inference_mode():
        elbo = text.net_.elbo(parts)
    pieces_each = parts.length_B.sum().item()
    survivors = text.survivors(few)
    found = {
        "bleu": bleu(text.reconstruct(few), few),
        "nats": -elbo["reconstruction"].sum().item() / pieces_each,
        "kl": sum(nats.sum().item() for name, nats in elbo.items() if name.startswith("kl_")) / pieces_each,
    }
    if survivors is not None:
        found["kept"] = float(survivors.sum() / pieces_each)
    ends, middles = [], []
    for a, b in zip(few[:100], few[100:200], strict=True):
        way = text.interpolate(a, b, steps=3)
        ends.append((way[0], way[2]))
        middles.append(way[1])
    found["new"] = float(np.mean([middle not in pair for middle, pair in zip(middles, ends, strict=True)]))
    found["ends"] = (bleu(middles, few[:100]) + bleu(middles, few[100:200])) / 2
    return found


@cache
def fitted(name, seed):
    start = time.process_time()
    name, *own = name.split(":")
    knobs = KNOBS | dict(knob.split("=") for knob in own)
    text = sl.TextSynthesizer(name, seed=seed, **knobs).fit(Texts(train), progress=False)
    return text, time.process_time() - start


def of_model(name, seed):
    text, seconds = fitted(name, seed)
    return of_codes(text) | of_draws(text.sample(given.draws, seed=1)) | {"seconds": seconds}


def of_standard(name, seed):
    return of_draws(fitted(name, seed)[0].sample(given.draws, prior="standard", seed=1))


if (given.data / "train.jsonl").exists():
    corpus = {part: read_texts(given.data / f"{part}.jsonl") for part in ("train", "validation", "test")}
else:
    corpus = prepare(given.data, column=given.column, whole=given.whole).parts
train, held = corpus["train"], Texts(corpus["test"][:2_000])
train = take_texts(train, np.sort(np.random.default_rng(0).permutation(len(train))[: given.texts]).tolist())
pieces = Pieces.of("bpe").learn(train, given.pieces)
judge = learnt(train, given.epochs)
print(f"{len(train):,} texts of training, {len(held):,} held out, {given.draws:,} drawn; {KNOBS}")
print(f"\n| | {' | '.join(COLUMNS)} | seconds |\n|---|{'---|' * (len(COLUMNS) + 1)}")
row("held-out", lambda: of_draws(list(corpus["validation"][: given.draws])))
row("language model", lambda: of_draws(learnt(train, given.epochs, seed=1).sample(given.draws, seed=1)))
for seed in range(given.seeds):
    for name in given.models:
        row(f"{name}, seed {seed}", partial(of_model, name, seed))
    for name in given.models:
        if name != "transformer":
            row(f"{name}, seed {seed}, standard", partial(of_standard, name, seed))
