"""Five real tables through a model with its default settings: does what comes out have the form of what went in?

    python benchmarks/five_tables.py DATA [--model tvae] [--max-time 10m] [--only taxis titanic] [--out FOLDER]

DATA is the folder that holds support2.csv, taxis.csv, titanic.csv, telco_churn.csv and diabetes130.csv.gz. As many rows
are drawn as there are, 10,000 at least, so that chance has little part in the shares of missing cells. Printed for
each: whether dtypes and their order are equal; the largest difference between the shares of missing cells of a column;
whether identifiers are unique, where the real ones are, and none is a real one; how many cells hold a rare value: a
category that fewer than five real rows hold, or a number or date beyond the fifth from either end.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd

import synthloom as sl
from synthloom.sources import read_table

TABLES = "support2.csv", "taxis.csv", "titanic.csv", "telco_churn.csv", "diabetes130.csv.gz"
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="tvae")
    parser.add_argument("--max-time", help="bounds the training of each table")
    parser.add_argument("--only", nargs="+", help="file names, or how they begin")
    parser.add_argument("--out", type=Path, help="where to write the synthetic tables")
    options = parser.parse_args()
    knobs = {"max_time": options.max_time} if options.max_time else {}
    print(f"model {options.model}, seed 0, default settings{f', {knobs}' if knobs else ''}\n")
    print("| table | rows | columns | epochs | stopped by | CPU s | dtypes equal | largest missing gap | identifiers "
          "| unique | new | rare cells |")  # fmt: skip
    print("|" + "---|" * 12)
    for file in TABLES:
        if options.only and not file.startswith(tuple(options.only)):
            continue
        real = read_table(options.data / file)
        began = time.process_time()
        table = sl.TableSynthesizer(options.model, seed=0, **knobs).fit(real, progress=False)
        seconds = time.process_time() - began
        synthetic = table.sample(max(len(real), ROWS), seed=0)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            synthetic.to_csv(options.out / file, index=False)
        found = examine(real, synthetic, table.info_["columns"])
        cells = [
            file.split(".")[0],
            f"{len(real):,}",
            str(real.shape[1]),
            str(len(table.history_)),
            table.info_["stopped"],
            f"{seconds:.0f}",
            *("yes" if value is True else "NO" if value is False else str(value) for value in found.values()),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
