"""What a table costs, by its size: time to read, time of an epoch, rows drawn a second, and memory. Seconds are the
processor's.

    python benchmarks/table_cost.py [--rows 1000 10000 100000 1000000] [--columns 5 15 50 150 500] [--out FILE.svg]

The tables are made up: half numbers, half categories of a dozen values, all of which share a hidden cause. Rows grow at
15 columns, columns at 2,000 rows. Each size is a process of its own, with the model's default settings on one thread,
and trains for as many seconds as --seconds says, or an epoch of forty steps at least, whichever is shorter; the time of
an epoch is counted up from the steps that were taken. `grown` is the largest resident memory, less what the process has
once torch is there and the table in memory. --out FILE.svg draws the curves.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from judge_figures import alone

from synthloom.reporting.figures import curves

COLUMNS, ROWS = 15, 2000  # of the tables of which the other grows
PANELS = {"epoch": "seconds of an epoch", "rows_per_second": "rows drawn a second", "peak": "memory, GiB"}


def made_up(rows: int, columns: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    cause = rng.normal(size=rows)
    table: dict[str, np.ndarray] = {}
    for c in range(columns):
        own = rng.normal(size=rows) + cause * rng.uniform(0, 2)
        table[f"c{c}"] = (
            own.round(3) if c % 2 else np.char.add("v", np.digitize(own, np.linspace(-3, 3, 11)).astype(str))
        )
    return pd.DataFrame(table)


def peak() -> float:
    """Largest resident memory so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


class Clock:
    """What a step takes of the processor: a tracker that looks at the time it is told of steps."""

    def start(self, info: object) -> None:
        self.began = time.process_time()

    def log(self, step: int, scalars: object) -> None:
        self.step = (time.process_time() - self.began) / step

    def close(self) -> None: ...


def one(rows: int, columns: int, seconds: float) -> dict[str, float]:
    import torch

    import synthloom as sl
    from synthloom.codecs.columns import Options
    from synthloom.codecs.table import TableCodec

    torch.set_num_threads(1)
    real = made_up(rows, columns)
    at_first = peak()
    begin = time.process_time()
    codec = TableCodec(Options(protect=False)).fit(real)
    codec.encode(real)
    read = time.process_time() - begin
    clock = Clock()
    table = sl.TableSynthesizer(seed=0, protect=False, threads=1)
    steps = -(-(rows - min(rows // 10, 2048)) // table.model.batch_size)
    table = sl.TableSynthesizer(
        seed=0, protect=False, threads=1, prior="standard", max_time=seconds, epochs=-(-40 // steps)
    )
    table.fit(real, progress=False, trackers=[clock])
    begin, drawn = time.process_time(), min(10_000, 300_000 // columns)
    table.sample(drawn, seed=0)
    return {
        "rows": rows,
        "columns": columns,
        "read": read,
        "step": clock.step,
        "epoch": steps * clock.step,
        "rows_per_second": drawn / (time.process_time() - begin),
        "grown": peak() - at_first,
        "peak": peak(),
    }


def draw(found: pd.DataFrame, path: Path) -> None:
    panels = []
    for by, other, size in (("rows", "columns", COLUMNS), ("columns", "rows", ROWS)):
        some = found[found[other] == size].drop_duplicates(by).sort_values(by)
        for what, words in PANELS.items():
            title = f"{words}, by {by}"
            panels.append((title, curves(title, "", list(some[by]), {"training": list(some[what])}, by, log=True)))
    alone(path, *panels, beside=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[10**3, 10**4, 10**5, 10**6])
    parser.add_argument("--columns", type=int, nargs="*", default=[5, 15, 50, 150, 500])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--one", type=int, nargs=2, metavar=("ROWS", "COLUMNS"), help="measure this size alone")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(*options.one, options.seconds)))
        return
    sizes = [(rows, COLUMNS) for rows in options.rows] + [(ROWS, columns) for columns in options.columns]
    found = []
    for rows, columns in sizes:
        call = [sys.executable, __file__, "--one", str(rows), str(columns), "--seconds", str(options.seconds)]
        said = subprocess.run(call, check=True, capture_output=True, text=True).stdout
        found.append(json.loads(said.splitlines()[-1]))
        print(
            pd.DataFrame(found[-1:]).to_string(index=False, header=len(found) == 1, float_format="%10.3f"), flush=True
        )
    if options.out:
        draw(pd.DataFrame(found), options.out)


if __name__ == "__main__":
    main()
