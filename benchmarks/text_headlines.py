"""Headlines, clickbait and news: python benchmarks/text_headlines.py --data headlines.csv [--max-time 5m]

A model of texts with labels is trained at default settings (but for what --set says) on nine tenths of the file, within
a bounded time. Printed: what it reconstructs of held-out headlines, twenty drawn ones as they come, and what a
classifier makes of its labels: how often one that has read real headlines gives a drawn one the label that it was drawn
with, and how well one that has read as many drawn ones names the labels of held-out ones, beside one that has read
real ones.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

import synthloom as sl
from synthloom.metrics import METRICS, Context
from synthloom.metrics.text.bleu import bleu
from synthloom.sources import read_texts, take_texts

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", required=True)
parser.add_argument("--model", default="nvae")
parser.add_argument("--texts", type=int, default=100_000, help="of training, at most")
parser.add_argument("--max-time", default="5m")
parser.add_argument("--draws", type=int, default=4_000)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--keep", type=Path, help="file for the model")
parser.add_argument("--set", nargs="*", default=[], metavar="KNOB=VALUE")
given = parser.parse_args()

torch.set_num_threads(given.threads)
texts = read_texts(given.data, column="text", labels="label")
order = np.random.default_rng(0).permutation(len(texts))
tenth = len(texts) // 10
held = take_texts(texts, order[:tenth].tolist())
train = take_texts(texts, order[tenth:][: given.texts].tolist())
knobs = {"max_time": given.max_time, "threads": given.threads} | dict(knob.split("=") for knob in given.set)
start = time.process_time()
text = sl.TextSynthesizer(given.model, seed=0, **knobs).fit(train, progress=False)
if given.keep:
    text.save(given.keep)
last = text.history_.iloc[-1]
print(
    f"{given.model} on {len(train):,} headlines, {knobs}: {last['step']:.0f} steps in {last['seconds']:.0f} s "
    f"({time.process_time() - start:.0f} s of processor time), stopped by {text.info_['stopped']}"
)
few = take_texts(held, range(500))
print(f"BLEU of 500 held-out headlines, reconstructed: {bleu(text.reconstruct(few), few):.3f}\n")
drawn = text.sample(given.draws, seed=1)
for label, headline in zip(drawn.labels[:20], drawn[:20], strict=True):
    print(f"{label:15} {headline}")
print()
context = Context(0)
for name in ("label_match", "utility", "novelty", "distinct_2"):
    score = METRICS["text"][name](train, drawn, held, context)
    print(f"{name}: {score.value:.3f} (held-out or real: {score.reference:.3f})")
