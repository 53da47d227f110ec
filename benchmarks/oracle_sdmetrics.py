"""Do `shape_error` and `trend_error` agree with sdmetrics 0.24?

    python benchmarks/oracle_sdmetrics.py --peer PYTHON TABLE.csv ...

PYTHON is the interpreter of an environment that holds sdmetrics 0.24.0 (pip install "sdmetrics==0.24.0"), which cannot
share one with synthloom. The synthetic table is a bootstrap of the real one in which every third column has been
shuffled. Prints both and the difference, in %, and fails if any exceeds 1e-9.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

TOLERANCE = 1e-9


def synthesize(real: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    synthetic = real.iloc[rng.integers(len(real), size=len(real))].reset_index(drop=True)
    for name in real.columns[::3]:
        synthetic[name] = synthetic[name].to_numpy()[rng.permutation(len(real))]
    return synthetic


def numerical(real: pd.DataFrame) -> list[str]:
    return [name for name in real if pd.api.types.is_numeric_dtype(real[name]) and real[name].dtype != bool]


def ours(real: pd.DataFrame, synthetic: pd.DataFrame) -> dict[str, float]:
    from synthloom.metrics import METRICS, Context
    from synthloom.metrics.table.read import read_tables

    numbers = numerical(real)
    roles = {"numerical": numbers, "categorical": [name for name in real if name not in numbers]}
    tables, _ = read_tables({"real": real, "synthetic": synthetic}, roles)
    return {name: METRICS["table"][name](*tables, None, Context()).value for name in ("shape_error", "trend_error")}


def theirs(real: pd.DataFrame, synthetic: pd.DataFrame) -> dict[str, float]:
    from sdmetrics import __version__
    from sdmetrics.reports.single_table import QualityReport

    assert __version__ == "0.24.0", f"sdmetrics must be 0.24.0, however: {__version__}"
    numbers = numerical(real)
    columns = {name: {"sdtype": "numerical" if name in numbers else "categorical"} for name in real}
    report = QualityReport()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report.generate(real.copy(), synthetic.copy(), {"columns": columns}, verbose=False)
    shape, trend = report.get_properties()["Score"]
    return {"shape_error": 100 * (1 - shape), "trend_error": 100 * (1 - trend)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--peer", help="the Python that has sdmetrics; without, this one has, and writes JSON")
    options = parser.parse_args()
    tables = {path.name: pd.read_csv(path, keep_default_na=False, na_values=[""]) for path in options.tables}
    if options.peer is None:
        print(json.dumps({name: theirs(real, synthesize(real)) for name, real in tables.items()}))
        return 0
    command = [options.peer, __file__, *options.tables]
    peers = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    print(f"| {'table':<20} | {'score':<12} | {'synthloom':>18} | {'sdmetrics 0.24.0':>18} | difference |")
    print("|---|---|---|---|---|")
    worst = 0.0
    for name, real in tables.items():
        for score, value in ours(real, synthesize(real)).items():
            difference = abs(value - peers[name][score])
            worst = max(worst, difference)
            print(
                f"| {name:<20} | {score:<12} | {value:>18.14f} | {peers[name][score]:>18.14f} | {difference:>10.1e} |"
            )
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
