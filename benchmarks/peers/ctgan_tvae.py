"""Runs ctgan's TVAE and says how long each part took. Needs an environment of its own with `ctgan` in it.

    python ctgan_tvae.py TRAIN.csv SYNTHETIC.csv EPOCHS THREADS

Prints one JSON object: CPU seconds of preparation (a fit of no epochs), of the whole fit, of one epoch (the median time
between the starts of two), and of sampling.
"""

import json
import statistics
import sys
import time

import pandas as pd
import torch
from ctgan import TVAE
from ctgan.synthesizers import tvae


class Timed(tvae.DataLoader):
    """Says when each epoch begins."""

    begun: list[float] = []

    def __iter__(self):
        self.begun.append(time.process_time())
        return super().__iter__()


def main() -> None:
    train, out, epochs, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    df = pd.read_csv(train)
    discrete = [column for column in df if not pd.api.types.is_numeric_dtype(df[column])]
    seconds = {}
    begin = time.process_time()
    TVAE(epochs=0).fit(df, discrete)
    seconds["preparation"] = time.process_time() - begin
    tvae.DataLoader = Timed
    begin = time.process_time()
    model = TVAE(epochs=epochs)
    model.fit(df, discrete)
    seconds["fit"] = time.process_time() - begin
    seconds["epoch"] = statistics.median(b - a for a, b in zip(Timed.begun, Timed.begun[1:], strict=False))
    begin = time.process_time()
    sample = model.sample(len(df))
    seconds["sample"] = time.process_time() - begin
    sample[df.columns].to_csv(out, index=False)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
