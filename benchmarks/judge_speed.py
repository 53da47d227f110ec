"""How long does it take to judge a large table? Prints the seconds of each metric, and of all.

    python benchmarks/judge_speed.py [--rows 100000] [--columns 50]

Half of the columns are numbers, a third categories of 2 to 12 values, the others categories of up to 2,000; they depend
on five hidden factors. Training, synthetic and held-out rows are draws of one law; a quarter as many are held out.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from synthloom.devices import usable_cores
from synthloom.metrics import METRICS, Context
from synthloom.metrics.table.read import read_tables


def draw(rows: int, columns: int, seed: int) -> pd.DataFrame:
    rng, law = np.random.default_rng(seed), np.random.default_rng(0)
    hidden = rng.normal(size=(rows, 5))
    data = {}
    for c in range(columns):
        value = hidden @ law.normal(size=5) + rng.normal(size=rows)
        if c < columns // 2:
            data[f"number_{c}"] = np.exp(value / 2).round(2) if c % 3 == 0 else value.round(3)
        else:
            values = int(law.integers(2, 13)) if c < columns * 5 // 6 else int(law.integers(200, 2_000))
            cuts = np.sort(law.normal(scale=2, size=values - 1))
            data[f"category_{c}"] = np.char.add("value ", np.searchsorted(cuts, value).astype(str))
    frame = pd.DataFrame(data)
    frame["number_0"] = frame["number_0"].mask(rng.random(rows) < 0.2)
    return frame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=50)
    options = parser.parse_args()
    sizes = {"real": options.rows, "synthetic": options.rows, "holdout": options.rows // 4}
    frames = {where: draw(n, options.columns, seed) for seed, (where, n) in enumerate(sizes.items())}
    print(f"{options.rows:,} x {options.columns}, {sizes['holdout']:,} held out; {usable_cores()} cores")
    print(f"{'':20}{'seconds':>10}{'CPU seconds':>14}{'value':>10}{'held-out':>10}")
    begun = clock = time.perf_counter(), time.process_time()
    tables, _ = read_tables(frames)
    context = Context(target=f"category_{options.columns * 5 // 6 - 1}")
    for name, metric in [("reading", None), *METRICS["table"].items()]:
        score = metric(*tables, context) if metric else None
        now = time.perf_counter(), time.process_time()
        numbers = (
            [f"{x:>10.3f}" if x is not None else f"{'-':>10}" for x in (score.value, score.reference)] if score else []
        )
        print(f"{name:20}{now[0] - clock[0]:>10.1f}{now[1] - clock[1]:>14.1f}{''.join(numbers)}", flush=True)
        clock = now
    print(f"{'all':20}{clock[0] - begun[0]:>10.1f}{clock[1] - begun[1]:>14.1f}")


if __name__ == "__main__":
    main()
