"""Do `alpha_precision`, `beta_recall` and `dcr_share` agree with their published definitions?

Each is worked out a second time, by brute force in plain numpy from the formulas of the papers, with all distances at
once and no thought for time. Prints both and the difference, and fails if any exceeds 1e-3 (float32 decides some ties
another way).

    python benchmarks/judge_oracle.py TABLE.csv ...

Of each table 1,500 training rows are drawn (fewer if it has not as many), as many held-out ones, and synthetic rows are
training rows of which every third column has been shuffled. Whether a column is a number is pandas' word here. Columns
of text in which no value is there twice take the place of a thousand others and tell nothing: leave such tables out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from synthloom.metrics import METRICS, Context
from synthloom.metrics.table.read import read_tables

TOLERANCE = 1e-3
ROWS = 1_500


def split(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    mixed = table.sample(frac=1, random_state=0).reset_index(drop=True)
    n = min(ROWS, len(table) // 2)
    real, holdout = mixed[:n].copy(), mixed[n : 2 * n].reset_index(drop=True)
    synthetic, rng = real.copy(), np.random.default_rng(0)
    for name in real.columns[::3]:
        synthetic[name] = real[name].to_numpy()[rng.permutation(n)]
    return {"real": real, "synthetic": synthetic, "holdout": holdout}


def numerical(real: pd.DataFrame) -> list[str]:
    return [name for name in real if pd.api.types.is_numeric_dtype(real[name]) and real[name].dtype != bool]


def ours(frames: dict[str, pd.DataFrame]) -> dict[str, float]:
    numbers = numerical(frames["real"])
    roles = {"numerical": numbers, "categorical": [name for name in frames["real"] if name not in numbers]}
    tables, _ = read_tables(frames, roles)
    names = ("alpha_precision", "beta_recall", "dcr_share")
    return {name: METRICS["table"][name](*tables, Context()).value for name in names}


def matrices(frames: dict[str, pd.DataFrame]) -> list[np.ndarray]:
    """One-hot categories, numbers scaled to the real range; a missing number at the real median, with a mark."""
    real = frames["real"]
    both = pd.concat(frames.values(), keys=frames)
    parts = []
    for name in real:
        if name in numerical(real):
            low, high = real[name].min(), real[name].max()
            parts.append((both[name].fillna(real[name].median()) - low) / ((high - low) or 1.0))
            parts.append(both[name].isna().astype(float))
        else:
            parts.append(pd.get_dummies(both[name].astype(object), dummy_na=True).astype(float))
    whole = pd.concat(parts, axis=1)
    return [whole.loc[where].to_numpy(float) for where in frames]


def theirs(frames: dict[str, pd.DataFrame]) -> dict[str, float]:
    real, other, held = matrices(frames)
    levels = np.linspace(0, 1, 30)

    def norm(x: np.ndarray) -> np.ndarray:
        return np.sqrt((x**2).sum(axis=-1))

    # Alaa et al. (2022), with spheres for the supports, as "naive" in the software that most papers quote
    middle = real.mean(axis=0)
    radii = np.quantile(norm(real - middle), levels)
    precision = np.array([np.mean(norm(other - middle) <= radius) for radius in radii])
    to_other = np.array([norm(row - other) for row in real])
    to_real = np.array([norm(row - real) for row in real])
    np.fill_diagonal(to_real, np.inf)
    far = norm(other - other.mean(axis=0))[to_other.argmin(axis=1)]
    near = to_other.min(axis=1) <= to_real.min(axis=1)
    recall = np.array([np.mean(near & (far <= radius)) for radius in np.quantile(far, levels)])

    # Zhang et al. (2023), with ties counted half
    to_train, to_held = (np.array([np.abs(row - x).sum(axis=1).min() for row in other]) for x in (real, held))
    tie = np.isclose(to_train, to_held, rtol=0, atol=1e-6)
    return {
        "alpha_precision": 1 - np.abs(levels - precision).sum() / levels.sum(),
        "beta_recall": 1 - np.abs(levels - recall).sum() / levels.sum(),
        "dcr_share": np.where(tie, 0.5, to_train < to_held).mean(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="+")
    worst = 0.0
    print(f"| {'table':<20} | {'score':<16} | {'synthloom':>10} | by definition | difference |")
    print("|---|---|---|---|---|")
    for path in parser.parse_args().tables:
        frames = split(pd.read_csv(path, keep_default_na=False, na_values=[""]))
        found, expected = ours(frames), theirs(frames)
        for score, value in found.items():
            if value is None:  # below 200 rows
                continue
            difference = abs(value - expected[score])
            worst = max(worst, difference)
            print(
                f"| {path.name:<20} | {score:<16} | {value:>10.6f} | {expected[score]:>13.6f} | {difference:>10.1e} |"
            )
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
