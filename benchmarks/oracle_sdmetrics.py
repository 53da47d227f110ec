"""Do `shape_error` and `trend_error` agree with sdmetrics 0.24?

Run it twice with the same tables: first where synthloom is installed, then where sdmetrics 0.24.0 is (the two cannot
share an environment). The second run prints both and the difference, in %, and fails if any exceeds 1e-9.

    python oracle_sdmetrics.py scores.json TABLE.csv ...

The synthetic table is a bootstrap of the real one in which every third column has been shuffled.
"""

from __future__ import annotations

import json
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
    from sdmetrics.reports.single_table import QualityReport

    numbers = numerical(real)
    columns = {name: {"sdtype": "numerical" if name in numbers else "categorical"} for name in real}
    report = QualityReport()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report.generate(real.copy(), synthetic.copy(), {"columns": columns}, verbose=False)
    shape, trend = report.get_properties()["Score"]
    return {"shape_error": 100 * (1 - shape), "trend_error": 100 * (1 - trend)}


def main(scores_path: Path, *paths: Path) -> int:
    tables = {path.name: pd.read_csv(path) for path in paths}
    try:
        from sdmetrics import __version__
    except ImportError:
        scores = {name: ours(real, synthesize(real)) for name, real in tables.items()}
        scores_path.write_text(json.dumps(scores, indent=2))
        return 0
    scores, worst = json.loads(scores_path.read_text()), 0.0
    print(f"{'table':<24}{'score':<14}{'synthloom':>20}{'sdmetrics ' + __version__:>20}{'difference':>12}")
    for name, real in tables.items():
        for score, value in theirs(real, synthesize(real)).items():
            difference = abs(scores[name][score] - value)
            worst = max(worst, difference)
            print(f"{name:<24}{score:<14}{scores[name][score]:>20.14f}{value:>20.14f}{difference:>12.1e}")
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
