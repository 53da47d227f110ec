"""Ways to draw from one model of texts: python benchmarks/text_drawing.py --data headlines.csv --keep model.loom

A model is trained, or read from where it was kept. Printed is the perplexity, per piece, of what each way writes to a
decoder-only language model that has read the same real texts:

    held-out                real texts that nobody has read
    drafts                  what the decoder writes without a code
    drawn code, by chance   drafts are read, a code is drawn from what was read, and the decoder writes by chance
    drawn code, best guess  ... and the decoder writes its best guess
    mean code, best guess   the mean of what was read, and the best guess: what `sample` does
    standard                codes of the prior that training pulls towards, written by chance

With --reverse it is the other way round, for one side at a time: the perplexity of held-out texts to a language model
that has read 2,000 texts: "real", "drawn" by the model, drawn from its "standard" prior, or written by a "language"
model of the same width and layers that has read the real texts as often as the model has.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

import synthloom as sl
from synthloom import rng
from synthloom.codecs.pieces import Pieces
from synthloom.metrics.text.bleu import bleu
from synthloom.metrics.text.language_model import LanguageModel
from synthloom.sources import Texts, read_texts, take_texts

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", required=True)
parser.add_argument("--keep", type=Path, required=True, help="the model's file")
parser.add_argument("--texts", type=int, default=10_000)
parser.add_argument("--draws", type=int, default=600)
parser.add_argument("--rounds", type=int, default=4, help="of the judge through the texts")
parser.add_argument(
    "--set", nargs="*", default=["protect=False", "epochs=7", "pieces=2000", "longest=32", "blind=0.25"]
)
parser.add_argument("--reverse", choices=["real", "drawn", "standard", "language"])
given = parser.parse_args()

torch.set_num_threads(1)
texts = read_texts(given.data)
order = np.random.default_rng(0).permutation(len(texts)).tolist()
held, train = (Texts(take_texts(texts, some)) for some in (order[:1_000], order[1_000 : 1_000 + given.texts]))
if not given.keep.exists():
    knobs = {"threads": 1} | dict(knob.split("=") for knob in given.set)
    sl.TextSynthesizer("nvae", seed=0, **knobs).fit(train, progress=False).save(given.keep)
text = sl.load(given.keep)
net = text.net_
pieces = Pieces.of("bpe").learn(train, 2_000)
if given.reverse:
    sides = {
        "real": lambda: train[:2_000],
        "drawn": lambda: text.sample(2_000, seed=1),
        "standard": lambda: text.sample(2_000, prior="standard", seed=1),
        "language": lambda: LanguageModel(pieces, 1).fit(train, text.model.epochs).sample(2_000, seed=1),
    }
    reader = LanguageModel(pieces).fit(sides[given.reverse](), rounds=10)
    print(f"{given.reverse}: reverse perplexity {reader.perplexity(held):.1f}")
    raise SystemExit
judge = LanguageModel(pieces).fit(train, given.rounds)
with torch.inference_mode(), rng.seeded(1, "drawing"):
    condition = net.conditions(given.draws)
    draft = net.drafts(condition)
    q = net.infer(draft)
    ways = {
        "drafts": draft,
        "drawn code, by chance": net.generate(q.draw()).draw(),
        "drawn code, best guess": net.generate(q.draw()).draw(temperature=0.0),
        "mean code, best guess": net.generate(q.mean).draw(temperature=0.0),
        "standard": net.generate(net.prior(given.draws, condition, learned=False).draw()).draw(),
    }
print(f"BLEU of 300 held-out texts, reconstructed: {bleu(text.reconstruct(held[:300]), held[:300]):.3f}")
print(f"{'held-out':24}{judge.perplexity(held[: given.draws]):8.1f}")
for way, batch in ways.items():
    print(f"{way:24}{judge.perplexity(text.codec_.decode(batch)):8.1f}")
print("\ntwenty drawn ones, as they come:", *text.sample(20, seed=1), sep="\n")
