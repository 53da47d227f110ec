"""Do the scores put synthetic tables in the right order? Held-out real rows before a NVAE's, before a TVAE's, before
shuffled columns, before uniform noise, on every metric that claims to see the step.

    python benchmarks/judge_order.py adult_train.csv --test adult_test.csv --target income
    python benchmarks/judge_order.py titanic.csv [--rows nvae=drawn.parquet ...] [--max-time 60]

Of a file without a test file, a third is set aside. The rows set aside are halved: one half is the holdout, the other
stands for the best table that there could be; of all the others as many rows are judged. A model is fitted as it comes,
for as long as it likes unless --max-time says otherwise; --rows takes rows that it has drawn already. Uniform noise
draws numbers between the real extremes and categories all alike. Prints the table that the documents quote, and fails
if a metric that claims to see a step has its two ends the wrong way round by more than chance: if their intervals do
not overlap. What gives no interval gets one from the other rows of the same tables, up to four times as many. A metric
that has no number, or the same for all, as there is nothing to see (no gaps, say), is passed over.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

import synthloom as sl
from synthloom.metrics import METRICS, Context, Score
from synthloom.metrics.table.read import read_tables
from synthloom.sources import SOURCES

MODELS = ("nvae", "tvae")

CLAIMS: dict[str, tuple[bool, bool, bool, bool]] = {
    "shape_error": (False, False, False, True),
    "missing_error": (False, False, False, True),
    "trend_error": (True, True, True, True),
    "wnmi_error": (True, True, True, False),
    "alpha_precision": (False, False, False, True),
    "beta_recall": (True, True, True, True),
    "detection": (True, True, True, False),
    "utility": (True, True, True, False),
}
"""Which steps a metric claims to see, as its `about` says: what is blind to everything between columns cannot tell
shuffled columns from real ones, and where nothing is left to lose (no dependence, no likeness), noise is no worse. A
model that draws each column from quantiles of the training rows beats fresh real rows on single columns, so what sees
only those claims no step before the last. The alarms are not here: what they see is copying."""


def shuffled(real: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({name: real[name].to_numpy()[rng.permutation(len(real))] for name in real})


def noise(real: pd.DataFrame) -> pd.DataFrame:
    rng, n = np.random.default_rng(1), len(real)
    columns = {}
    for name, column in real.items():
        if pd.api.types.is_numeric_dtype(column) and column.dtype != bool:
            drawn = rng.uniform(column.min(), column.max(), n)
            columns[name] = drawn.round() if pd.api.types.is_integer_dtype(column) else drawn
        else:
            columns[name] = rng.choice(column.dropna().unique(), n)
    return pd.DataFrame(columns)


def set_aside(options: argparse.Namespace) -> tuple[pd.DataFrame, pd.DataFrame]:
    read = SOURCES["table"].read
    table = read(options.table)
    if options.test:
        return table, read(options.test).sample(frac=1, random_state=0)
    mixed = table.sample(frac=1, random_state=0).reset_index(drop=True)
    return mixed[len(mixed) // 3 :].reset_index(drop=True), mixed[: len(mixed) // 3]


def in_parts(table: pd.DataFrame, rows: int) -> list[pd.DataFrame]:
    """Parts that share no row, two at least and four at most."""
    mixed, parts = table.sample(frac=1, random_state=0), min(4, len(table) // rows)
    assert parts > 1, f"a table must have twice as many rows as are held out, however: {len(table)}"
    return [mixed[i * rows : (i + 1) * rows].reset_index(drop=True) for i in range(parts)]


def judged(
    train: pd.DataFrame, parts: list[pd.DataFrame], holdout: pd.DataFrame, target: str | None
) -> dict[str, Score]:
    """The scores of the first part. What it does not say of chance, the others tell."""

    def of(part: pd.DataFrame) -> Callable[[str], Score]:
        tables, _ = read_tables({"real": train, "synthetic": part, "holdout": holdout})
        context = Context(target=target)
        return lambda name: METRICS["table"][name](*tables, context)

    judges = [of(part) for part in parts]
    found = {name: judges[0](name) for name in CLAIMS}
    for name, score in found.items():
        if score.interval is None and score.value is not None:
            half = 1.96 * float(np.std([score.value, *(judge(name).value for judge in judges[1:])], ddof=1))
            found[name] = replace(score, interval=(score.value - half, score.value + half))
    return found


def chance(first: Score, second: Score) -> bool:
    """Whether the intervals of two scores overlap."""
    return max(first.interval[0], second.interval[0]) <= min(first.interval[1], second.interval[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table")
    parser.add_argument("--test")
    parser.add_argument("--target")
    parser.add_argument("--rows", default=[], nargs="+", metavar="MODEL=FILE")
    parser.add_argument("--max-time", type=float)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    train, test = set_aside(options)
    half = len(test) // 2
    best, holdout = test[:half].reset_index(drop=True), test[half:].reset_index(drop=True)
    drawn = dict(rows.split("=", 1) for rows in options.rows)
    tables = {}
    for name in MODELS:
        if name in drawn:
            tables[name] = SOURCES["table"].read(drawn[name])
            continue
        model = sl.TableSynthesizer(name, seed=0, max_time=options.max_time, threads=options.threads)
        tables[name] = model.fit(train, progress=False).sample(len(train), seed=1)
    tables |= {"shuffled": shuffled(train), "noise": noise(train)}
    parts = {"held-out": [best, holdout]} | {name: in_parts(table, half) for name, table in tables.items()}
    scores = {name: judged(train, of, holdout, options.target) for name, of in parts.items()}

    print(f"{options.table}: {len(train):,} training rows x {train.shape[1]}, {half:,} judged, {half:,} held out\n")
    print(f"| {'score':16} | " + " | ".join(f"{name:>8}" for name in parts) + " | claims to see | order |")
    print("|---" * (len(parts) + 3) + "|")
    wrong = 0
    for metric, claims in CLAIMS.items():
        found = [of[metric] for of in scores.values()]
        sign = 1 if found[-1].better == "higher" else -1
        values = [sign * score.value for score in found if score.value is not None]
        if len(values) < len(found) or len(set(values)) == 1:
            continue
        steps = zip(pairwise(parts), pairwise(found), pairwise(values), claims, strict=True)
        claimed = [(f"{a} > {b}", x > y, chance(*scores)) for (a, b), scores, (x, y), claim in steps if claim]
        missed = [step for step, right, by_chance in claimed if not right and not by_chance]
        unsure = [step for step, right, by_chance in claimed if not right and by_chance]
        wrong += len(missed)
        numbers = " | ".join(f"{score.value:>8.3f}" for score in found)
        seen = "all" if all(claims) else ", ".join(step for step, *_ in claimed)
        order = f"WRONG: {', '.join(missed)}" if missed else f"chance: {', '.join(unsure)}" if unsure else "right"
        print(f"| {metric:16} | {numbers} | {seen} | {order} |")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
