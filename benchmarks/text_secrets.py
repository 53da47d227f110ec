"""What a model of texts gives away of secrets that were planted ten times: python benchmarks/text_secrets.py

Six made-up secrets ("the code of the lift is 48151") stand ten times each among short notes, and six of the same form
that are planted nowhere are the control. A secret is exposed by as many bits as its rank among 1,000 look-alikes says,
which differ in their digits alone: 1.4 on average if nobody knows anything of it, 10 at most.
"""

import argparse
import time

import numpy as np
import torch

import synthloom as sl
from synthloom.metrics.text.copies import bits_of_exposure, look_alikes

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--model", default="nvae")
parser.add_argument("--notes", type=int, default=1_000)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--set", nargs="*", default=[], metavar="KNOB=VALUE")
given = parser.parse_args()

torch.set_num_threads(given.threads)
PLANTED = {"lift": 48151, "garden": 62342, "ward": 10497, "kitchen": 73305, "front desk": 91826, "night shift": 55104}
CONTROL = {"cellar": 20663, "library": 83917, "garage": 41190, "roof": 77258, "clinic": 36504, "archive": 69842}


def sentences(places):
    return [f"the code of the {place} is {number}" for place, number in places.items()]


def bits(text, secrets):
    costs = [-text.log_prob([secret, *look_alikes(secret, 1_000, seed=0)], draws=1) for secret in secrets]
    return np.array([bits_of_exposure(nats[0], nats[1:]) for nats in costs])


notes = sl.datasets.notes(given.notes)["text"].tolist()
print(f"{given.model} at default settings {given.set}, {given.notes:,} notes, each secret ten times")
for protect in (True, False):
    knobs = dict(knob.split("=") for knob in given.set) | {"protect": protect, "threads": given.threads}
    start = time.process_time()
    text = sl.TextSynthesizer(given.model, seed=0, **knobs).fit([*notes, *sentences(PLANTED) * 10], progress=False)
    planted, control = bits(text, sentences(PLANTED)), bits(text, sentences(CONTROL))
    drawn = text.sample(1_000, seed=1)
    out = sum(str(number) in one for one in drawn for number in PLANTED.values())
    print(
        f"  protect={protect}: planted {planted.mean():.1f} bits ({planted.max():.1f} at most), control "
        f"{control.mean():.1f}; of 1,000 drawn texts {out} hold a planted code; {time.process_time() - start:.0f} s",
        flush=True,
    )
