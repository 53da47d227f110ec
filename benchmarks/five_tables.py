"""Five real tables through models with their default settings: has what comes out the form of what went in, and who
draws the better rows?

    python benchmarks/five_tables.py DATA [--models nvae tvae] [--max-time 10m] [--only taxis titanic] [--out FOLDER]

DATA is the folder that holds support2.csv, taxis.csv, titanic.csv, telco_churn.csv and diabetes130.csv.gz. A fifth of
the rows is held out. As many rows are drawn as there are training rows, 10,000 at least, so that chance has little part
in the shares of missing cells. Printed for each: whether dtypes and their order are equal; the largest difference
between the shares of missing cells of a column; whether identifiers are unique, where the real ones are, and none is a
real one; how many cells hold a rare value: a category that fewer than five training rows hold, or a number or date
beyond the fifth from either end. Then the judge's scores, of as many rows as there are training rows, beside those of
the held-out rows, and how far the first model's score is better than the second's.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import synthloom as sl
from synthloom.metrics import Score
from synthloom.sources import read_table

TARGETS = {
    "support2.csv": "hospdead",
    "taxis.csv": "payment",
    "titanic.csv": "Survived",
    "telco_churn.csv": "Churn",
    "diabetes130.csv.gz": "readmitted",
}
RARE = 5
ROWS = 10_000


def rare_cells(real: pd.Series, synthetic: pd.Series, kind: str) -> int:
    """How many synthetic cells hold what fewer than five real rows do."""
    if kind in ("number", "datetime", "duration"):
        if real.dtype == object or isinstance(real.dtype, pd.StringDtype):  # numbers and dates in writing
            read = pd.to_datetime if kind == "datetime" else pd.to_numeric
            real, synthetic = read(real, errors="coerce"), read(synthetic, errors="coerce")
        inner = real.dropna().sort_values().iloc[RARE - 1 : -RARE + 1]
        return int(((synthetic < inner.min()) | (synthetic > inner.max())).sum())
    count = real.value_counts()
    return int(synthetic.isin(count.index[count < RARE]).sum())


def examine(real: pd.DataFrame, synthetic: pd.DataFrame, kinds: dict[str, str]) -> dict[str, object]:
    gaps = (real.isna().mean() - synthetic.isna().mean()).abs()
    identifiers = [name for name, kind in kinds.items() if kind == "identifier"]
    return {
        "dtypes": list(synthetic) == list(real) and bool((synthetic.dtypes == real.dtypes).all()),
        "missing": f"{gaps.max():.4f} ({gaps.idxmax()})",
        "identifiers": ", ".join(identifiers) or "-",
        "unique": all(synthetic[name].dropna().is_unique for name in identifiers if real[name].dropna().is_unique),
        "new": not any(synthetic[name].dropna().isin(real[name]).any() for name in identifiers),
        "rare": sum(
            rare_cells(real[name], synthetic[name], kind)
            for name, kind in kinds.items()
            if kind not in ("identifier", "text", "constant")
        ),
    }


def lead(one: Score, other: Score) -> str:
    """How far the first is better than the second."""
    if one.value is None or other.value is None:
        return "-"
    return f"{(one.value - other.value) * (1 if one.better == 'higher' else -1):+.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", nargs="+", default=["nvae", "tvae"])
    parser.add_argument("--max-time", help="bounds the training of each table")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="+", help="file names, or how they begin")
    parser.add_argument("--out", type=Path, help="where to write the synthetic tables")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    knobs = {"threads": options.threads} | ({"max_time": options.max_time} if options.max_time else {})
    print(f"seed 0, default settings but for {knobs}\n")
    for file, target in TARGETS.items():
        if options.only and not file.startswith(tuple(options.only)):
            continue
        whole = read_table(options.data / file)
        order = np.random.default_rng(0).permutation(len(whole))
        held, real = (whole.iloc[np.sort(some)].reset_index(drop=True) for some in np.split(order, [len(whole) // 5]))
        forms, scores = [], []
        for model in options.models:
            began = time.process_time()
            table = sl.TableSynthesizer(model, seed=0, **knobs).fit(real, progress=False)
            seconds = time.process_time() - began
            synthetic = table.sample(max(len(real), ROWS), seed=0)
            if options.out:
                options.out.mkdir(parents=True, exist_ok=True)
                synthetic.to_csv(options.out / f"{model} {file}", index=False)
            stopped = f"{len(table.history_)} ({table.info_['stopped']})"
            forms.append(
                {"epochs": stopped, "CPU s": f"{seconds:.0f}"} | examine(real, synthetic, table.info_["columns"])
            )
            scores.append(sl.evaluate(real, synthetic[: len(real)], held, target=target, progress=False))
        heads = ["", *options.models]
        print(f"{file.split('.')[0]}: {len(real):,} training rows, {whole.shape[1]} columns, target {target}\n")
        print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
        for name in forms[0]:
            cells = [("NO", "yes")[form[name]] if isinstance(form[name], bool) else form[name] for form in forms]
            print(f"| {name} | {' | '.join(map(str, cells))} |")
        print(f"\n| score | {' | '.join(options.models)} | held-out | better by |\n|{'---|' * (len(heads) + 2)}")
        for found in zip(*scores, strict=True):
            numbers = [
                "-" if x is None else f"{x:.3f}" for x in (*(score.value for score in found), found[0].reference)
            ]
            print(f"| {found[0].name} | {' | '.join(numbers)} | {lead(found[0], found[-1])} |")
        print(flush=True)


if __name__ == "__main__":
    main()
